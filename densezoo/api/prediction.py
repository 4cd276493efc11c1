"""Predictions for images that a user names. Importing this imports no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from densezoo.api.label_images import given_rows
from densezoo.api.names import check_names
from densezoo.backends.base import AUTO
from densezoo.data.images import ImageSet
from densezoo.data.layouts.given import named_images
from densezoo.data.sampling import sample
from densezoo.types import Prediction

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from densezoo.api.arguments import ClassifierArguments, NetworkArguments
    from densezoo.api.classifier import Classifier
    from densezoo.api.features import FeatureExtractor
    from densezoo.evaluation.predicted_labels import PredictedLabels


def predict(
    model: str | Path,
    images: str | Path | Sequence[str | Path],
    checkpoint: str | Path | None = None,
    *,
    topk: int = 5,
    skip_unreadable: bool = False,
    **options: Unpack[ClassifierArguments],
) -> Iterator[Prediction]:
    """The first answers for each image, as they are made: ``for each in densezoo.predict("densenet121", ["a/"]): ...``.

    Args:
        model: a name of the index, a checkpoint file, ``hf-hub:owner/name``, or a config with ``checkpoint``.
        images: files, folders, uncompressed tars, shell patterns, URLs; or one of them.
        checkpoint: the file of weights for a config; None: the model has its own.
        topk: how many answers an image gets at most.
        skip_unreadable: an image that can't be read is warned of and has no answers; otherwise it is an error.
        options: further arguments of `densezoo.Classifier`.

    Raises:
        DensezooError: a user's mistake; each kind of mistake has its own subclass.
    """
    named = [images] if isinstance(images, (str, Path)) else images
    classifier, chosen = prepare(model, named, checkpoint, **options)
    with closing(classifier.predict(chosen, topk=topk, on_error="skip" if skip_unreadable else "stop")) as predictions:
        yield from predictions


def prepare(
    model: str | Path,
    images: Sequence[str | Path],
    checkpoint: str | Path | None = None,
    *,
    standard_input: bytes = b"",
    limit: int | None = None,
    **options: Unpack[ClassifierArguments],
) -> tuple[Classifier, ImageSet]:
    """The classifier and the images, with misspelt names and missing files refused before torch is imported.

    Args:
        model: a name of the index, a checkpoint file, ``hf-hub:owner/name``, or a config with ``checkpoint``.
        images: files, folders, uncompressed tars, shell patterns, URLs, "-".
        checkpoint: the file of weights for a config; None: the model has its own.
        standard_input: what "-" stands for among the images.
        limit: take only so many of the images, evenly spaced; None: all.
        options: further arguments of `densezoo.Classifier`.

    Raises:
        DensezooError: a user's mistake; each kind of mistake has its own subclass.
    """
    chosen = sample(_checked(images, standard_input, options), limit)
    from densezoo.api.classifier import Classifier  # here, because it imports torch

    return Classifier(model, checkpoint, **options), chosen


def prepare_labels(
    model: str | Path,
    images: Sequence[str | Path],
    checkpoint: str | Path | None,
    label_table: Path,
    data_root: Path | None,
    *,
    standard_input: bytes = b"",
    limit: int | None = None,
    **options: Unpack[ClassifierArguments],
) -> tuple[Classifier, ImageSet, PredictedLabels]:
    """The classifier, the images, and what keeps their logits for the area of each label.

    Misspelt names and missing files are refused before torch is imported.

    Args:
        model: a name of the index, a checkpoint file, ``hf-hub:owner/name``, or a config with ``checkpoint``.
        images: files, folders, shell patterns of these; what is no file can have no line in the CSV.
        checkpoint: the file of weights for a config; None: the model has its own.
        label_table: CSV of the images' labels (`densezoo.data.layouts.label_table`).
        data_root: the folder that the CSV's names are relative to; None: the one that it is in.
        standard_input: what "-" stands for among the images.
        limit: take only so many of the images, evenly spaced; None: all.
        options: further arguments of `densezoo.Classifier`; an image may have several labels.

    Raises:
        DensezooError: a user's mistake; each kind of mistake has its own subclass, such as a CSV that
            hasn't all of the images, or has other labels than the network.
    """
    named = _checked(images, standard_input, options)
    table, rows = given_rows(label_table, data_root, named.ids)
    row_of = dict(zip(named.ids, rows))
    chosen = sample(named, limit)
    from densezoo.api.classifier import Classifier  # here, because it imports torch

    options["multi_label"] = True
    classifier = Classifier(model, checkpoint, **options)
    kept = classifier.label_collector(table, [row_of[name] for name in chosen.ids])
    classifier.class_names = kept.names  # where nothing else names the outputs, the CSV does
    return classifier, chosen, kept


def prepare_features(
    model: str | Path,
    images: Sequence[str | Path],
    checkpoint: str | Path | None = None,
    *,
    standard_input: bytes = b"",
    limit: int | None = None,
    **options: Unpack[NetworkArguments],
) -> tuple[FeatureExtractor, ImageSet]:
    """The extractor of features and the images, with misspelt names and missing files refused before torch is imported.

    Args:
        model: a name of the index, a checkpoint file, ``hf-hub:owner/name``, or a config with ``checkpoint``.
        images: files, folders, uncompressed tars, shell patterns, URLs, "-".
        checkpoint: the file of weights for a config; None: the model has its own.
        standard_input: what "-" stands for among the images.
        limit: take only so many of the images, evenly spaced; None: all.
        options: further arguments of `densezoo.api.image_network.ImageNetwork`.

    Raises:
        DensezooError: a user's mistake; each kind of mistake has its own subclass.
    """
    chosen = sample(_checked(images, standard_input, options), limit)
    from densezoo.api.features import FeatureExtractor

    return FeatureExtractor(model, checkpoint, **options), chosen


def _checked(images: Sequence[str | Path], standard_input: bytes, options: NetworkArguments) -> ImageSet:
    """The images; names among the options are refused that don't exist."""
    protocol = options.get("protocol")
    check_names(
        names=None if protocol is None else [protocol],
        device=options.get("device"),
        backend=options.get("backend", AUTO),
        precision=options.get("precision", "float32"),
    )
    return named_images(images, standard_input)
