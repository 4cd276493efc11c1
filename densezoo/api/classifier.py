"""A network that answers for images: ``densezoo.Classifier("densenet121")("cat.jpg")``."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, overload

from densezoo.api.arguments import NetworkArguments
from densezoo.api.image_network import ImageNetwork
from densezoo.api.label_images import given_rows, in_order, network_labels, warn_of_training_folder
from densezoo.api.labels import names_of
from densezoo.api.plan import warn_if_trained_on
from densezoo.data.images import ImageSet
from densezoo.data.layouts.given import given_images
from densezoo.data.layouts.label_table import LabelTable
from densezoo.data.layouts.pixels import Given, is_one, sources_of
from densezoo.data.loading import OnError
from densezoo.errors import ConfigError
from densezoo.evaluation.answers import Answers
from densezoo.evaluation.predicted_labels import PredictedLabels
from densezoo.types import LabelAreas, Prediction

if TYPE_CHECKING:
    from typing_extensions import Unpack


class Classifier(ImageNetwork):
    """A network with its preprocessing and the names of its classes: images -> predictions.

    Args:
        model: a name of the index, a checkpoint file, ``hf-hub:owner/name``, or a config with ``checkpoint``.
        checkpoint: the file of weights for a config; None: the model has its own.
        class_names: of the outputs in their order; or where they stand: a dataset's name, a file of a name a line, a
            folder whose folders are the classes. None: the weights' own.
        multi_label: whether an image may have several right answers: then each class has a probability of its own
            (sigmoid), and they don't add up to 1. None: what the weights say, or their entry in the index, or the
            config's recipe.
        options: further arguments of `ImageNetwork`.

    Raises:
        DensezooError: a user's mistake; each kind of mistake has its own subclass.
    """

    def __init__(
        self,
        model: str | Path,
        checkpoint: str | Path | None = None,
        *,
        class_names: str | Path | Sequence[str] | None = None,
        multi_label: bool | None = None,
        **options: Unpack[NetworkArguments],
    ) -> None:
        super().__init__(model, checkpoint, **options)
        loaded, classes = self._loaded, self.architecture.num_classes
        self.class_names: Sequence[str] = names_of(
            class_names, loaded.spec, loaded.experiment.dataset, loaded.stated, classes
        )
        self.multi_label: bool = bool(loaded.multi_label) if multi_label is None else multi_label

    def __repr__(self) -> str:
        facts = self.facts
        return f"<Classifier {facts.model}, {len(self.class_names)} classes, protocol {facts.protocol}>"

    @overload
    def __call__(self, images: Given, topk: int = 5) -> Prediction: ...  # type: ignore[overload-overlap]  # str

    @overload
    def __call__(self, images: Iterable[Given], topk: int = 5) -> list[Prediction]: ...

    def __call__(self, images: Given | Iterable[Given], topk: int = 5) -> Prediction | list[Prediction]:
        """The first answers for one image, or a list of them for several.

        Args:
            images: a path or URL, an encoded file, a Pillow image, uint8 pixels as an array (H, W, 3) or (H, W) or as
                a tensor (C, H, W); or several as a list or as a batch (N, H, W, 3), a tensor (N, C, H, W).
            topk: how many answers an image gets at most.

        Raises:
            ImageError: an image can't be read; names it.
            DatasetError: there is no such file.
        """
        given = given_images(sources_of(images, self.protocol))
        predictions = list(self.predict(given, topk=topk))
        return predictions[0] if is_one(images) and len(predictions) == 1 else predictions

    def predict(
        self, images: ImageSet, *, topk: int = 5, on_error: OnError = "stop", kept: PredictedLabels | None = None
    ) -> Generator[Prediction]:
        """The predictions of a set of images of any size, in its order, as they are made.

        Args:
            images: such as `densezoo.data.layouts.given.named_images` gives.
            topk: how many answers an image gets at most.
            on_error: an image that can't be read ends it ("stop"), or is warned of and has no answers ("skip").
            kept: keeps the logits of these images for the area of each label (`label_collector`); None: nothing does.

        Raises:
            ConfigError: topk is below 1.
            ImageError: an image can't be read; names it.
            DatasetError: images of several sizes under a protocol that doesn't resize.
            EvaluationError: NaN or infinite logits; the backend's logits are not eager's.
        """
        if topk < 1:
            raise ConfigError(f"topk: expected 1 or more answers an image, found {topk}")
        answers = Answers(images.ids, self.class_names, topk, self.multi_label, kept)
        with closing(self.steps(images, answers, on_error)) as steps:
            for predictions in steps:
                yield from predictions

    def label_areas(
        self,
        images: Given | Iterable[Given],
        label_table: str | Path,
        data_root: str | Path | None = None,
        on_error: OnError = "stop",
    ) -> LabelAreas:
        """How well each label is told, of images that have several: the area under its ROC curve, with its interval.

        Args:
            images: paths of files, folders (searched to the bottom), or several as a list.
            label_table: CSV with a header ``file,LABEL,...`` and a line an image, 0 or 1 a label.
            data_root: the folder that the names in the CSV are relative to; None: the one that it is in.
            on_error: an image that can't be read ends it ("stop"), or is warned of and left out ("skip").

        Raises:
            DatasetError: the CSV can't be read, or hasn't all of the images.
            ConfigError: the classifier gives one class an image; the columns are not the network's labels.
            ImageError: an image can't be read; names it.
        """
        if not self.multi_label:
            raise ConfigError(
                f"{self!r}: gives one class an image, and an area is of labels that don't exclude each other; "
                "Classifier(..., multi_label=True) gives each a probability of its own"
            )
        given = given_images(sources_of(images, self.protocol))
        root = None if data_root is None else Path(data_root)
        kept = self.label_collector(*given_rows(Path(label_table), root, given.ids))
        for _ in self.predict(given, topk=1, on_error=on_error, kept=kept):
            pass
        return kept.areas()

    def label_collector(self, table: LabelTable, rows: Sequence[str]) -> PredictedLabels:
        """What will keep the logits of a set of images for the area of each label.

        Args:
            table: of the labels.
            rows: of each image of the set, the name under which the table has it.

        Raises:
            ConfigError: the columns are not the network's labels.
        """
        numbers = [*map(str, range(self.architecture.num_classes))]  # what classes are called that nobody names
        names = list(self.class_names) if list(self.class_names) != numbers else self._loaded.stated.get("class_names")
        labels = network_labels(table, names, self.architecture.num_classes)
        warn_if_trained_on(list(dict.fromkeys(rows)), self._loaded.path)
        warn_of_training_folder(rows)
        return PredictedLabels(rows, in_order(table, labels), labels)
