"""What is known of a run before it starts, and what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from densezoo.types.shown import as_html, percent

KnownBy = Literal["published-hash", "first-use-hash", "user"]

#: Backends whose logits in float32 are PyTorch's but for rounding; `auto` takes one of them.
EXACT = ("eager", "native")


@dataclass(frozen=True)
class Coverage:
    """What became of every id of a dataset; a run that lost an image or scored one twice gives no result.

    Args:
        expected: ids of the dataset; of a sample those of the whole dataset, of which ``scored`` are fewer.
        scored: images that the network answered.
        unreadable: ids of those that can't be read and are counted wrong (``--on-error count-wrong``).
        duplicated: ids that were scored more than once.
        truncated: ids of those whose end is missing, which the protocol's library read all the same.
    """

    expected: int
    scored: int
    unreadable: tuple[str, ...]
    duplicated: int
    truncated: tuple[str, ...] = ()


@dataclass(frozen=True)
class Calibration:
    """The training images on which a backend in int8 learned the ranges of the activations.

    Args:
        dataset: the training set's name.
        num_images: how many of them, evenly spaced over the set.
        sha256: over their ids and contents.
    """

    dataset: str
    num_images: int
    sha256: str


@dataclass(frozen=True)
class OwnProtocol:
    """A protocol that isn't one of densezoo's, as a result tells of it.

    Args:
        sha256: of all fields that can change what a network gets (`densezoo.protocols.own.protocol_sha256`).
        fields: all of `Protocol`'s, so that the measurement can be repeated.
    """

    sha256: str
    fields: Mapping[str, object]


@dataclass(frozen=True)
class Conditions:
    """What a network is measured under; together with its weights, this identifies a measurement.

    Its text is a label of the protocol: ``<protocol>[+<subset>][+<tta>][+<backend>][+<precision>]``; what is
    usual is left out.

    Args:
        dataset: its name.
        protocol: the named preprocessing.
        subset: which of a dataset's several sets; None: it is one set.
        tta: the test-time augmentation; None: one view of each image.
        precision: that the backend computes in.
        backend: what computes the logits; "auto" for those of EXACT in float32, which measure the same.
    """

    dataset: str
    protocol: str
    subset: str | None = None
    tta: str | None = None
    backend: str = "auto"
    precision: str = "float32"

    def __post_init__(self) -> None:
        if self.backend in EXACT and self.precision == "float32":
            object.__setattr__(self, "backend", "auto")

    def __str__(self) -> str:
        usual = {None, Conditions.backend, "eager", Conditions.precision}
        unusual = [name for name in (self.subset, self.tta, self.backend, self.precision) if name not in usual]
        return "+".join([self.protocol, *map(str, unusual)])


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """What is known of a run before its first image is scored.

    Args:
        model: the index's name for the weights, or ``<config>.<first digits of their sha256>``.
        config: the config that was run, relative to the repository where it lies in it.
        weights_sha256: sha256 of the checkpoint file.
        weights_known_by: how it is known that the weights are the model's: ``published-hash``: by the sha256 that its
            publisher states; ``first-use-hash``: by the one that the file had when it was first fetched for that
            name; ``user``: whoever measured said so. None: they are no model's of the index, or the result is older.
        dataset: its name.
        backend, precision, device: what computes the logits; of a result, what did where "auto" was asked for.
        versions: {package: version}.
        commit: of the densezoo repository, ``+dirty`` with uncommitted changes; None outside one.
        date: UTC, ISO 8601.
        tta: the test-time augmentation (`densezoo.data.views`), whose views' logits are summed; None: one view.
        architecture: the fields of the network that is run, as config and overrides have them; None in a result older
            than this field.
        subset: which of the dataset's several sets: ImageNet-C's "gaussian_noise/3"; None: the dataset is one set.
        dataset_fingerprint: sha256 over ids, labels and contents of all images; "" until they are hashed.
        protocol: the named preprocessing; "all" of a run under several, until it is one result's.
        backend_difference: largest difference of the backend's logits from eager's on the first images, relative to
            the image's largest logit; None: the backend is eager in float32.
        machine: what the device is a part of, such as "AMD EPYC, 2 cores"; None in a result older than this field.
        calibration: the training images that the backend was calibrated on; None: it needs none.
        own_protocol: what the protocol is, if it is none of densezoo's; None: it is.
        sampled_from: images of the dataset, of which only a sample was measured (``--limit``): this is then no result
            of the dataset, it is never stored, and it agrees with nothing published. None: all were measured.
    """

    model: str
    config: str
    weights_sha256: str
    weights_known_by: KnownBy | None = None
    dataset: str
    backend: str
    precision: str
    device: str
    versions: Mapping[str, str]
    commit: str | None
    date: str
    tta: str | None = None
    architecture: Mapping[str, object] | None = None
    subset: str | None = None
    dataset_fingerprint: str
    protocol: str
    backend_difference: float | None = None
    machine: str | None = None
    calibration: Calibration | None = None
    own_protocol: OwnProtocol | None = None
    sampled_from: int | None = None

    @property
    def conditions(self) -> Conditions:
        """Under what it is measured."""
        return Conditions(self.dataset, self.protocol, self.subset, self.tta, self.backend, self.precision)

    @property
    def protocol_label(self) -> str:
        """The conditions as tables and file names show them beside model and dataset: ``torchvision+fog/1+flip``."""
        return str(self.conditions)

    def images(self, number: int) -> str:
        """A number of measured images in words, which tell a sample from a whole dataset.

        Args:
            number: of images.
        """
        sample = "" if self.sampled_from is None else f" of {self.sampled_from:,}"
        return f"{number:,}{sample} images{', a sample' if sample else ''}"


@dataclass(frozen=True, kw_only=True)
class EvalResult(RunFacts):
    """One measurement with everything needed to repeat it; one JSON file in ``results/``.

    Args:
        num_samples: images scored or counted wrong: all of the dataset's.
        correct1, correct5: how many had the label first, or among the first five.
        top1, top5: percent.
        interval95: Wilson's 95 % interval of top1, percent.
        interval95_top5: the same of top5.
        seconds: wall time of the evaluation loop, over all parts of a run that was resumed.
        coverage: what became of every id; None in a result older than this field, as are the next two.
        loss: mean cross-entropy, nats, over the images that could be read.
        calibration_error: expected calibration error over 15 bins, percent.
    """

    num_samples: int
    correct1: int
    correct5: int
    top1: float
    top5: float
    interval95: tuple[float, float]
    interval95_top5: tuple[float, float]
    seconds: float
    coverage: Coverage | None = None
    loss: float | None = None
    calibration_error: float | None = None

    def __repr__(self) -> str:
        measured = f"top-1 {percent(self.top1)} of {self.images(self.num_samples)}"
        return f"<EvalResult {self.model} on {self.dataset} under {self.protocol_label}: {measured}>"

    def _repr_html_(self) -> str:
        """What was measured, for notebooks."""
        low, high = self.interval95
        rows = {
            "top-1": f"{percent(self.top1)} (95 % interval {low:.2f} to {high:.2f}), {self.correct1:,} images",
            "top-5": percent(self.top5),
            "images": self.images(self.num_samples).replace(" images", ""),
            "dataset": self.dataset,
            "protocol": self.protocol_label,
            "loss": None if self.loss is None else f"{self.loss:.4f} nats",
            "calibration error": percent(self.calibration_error),
            "computed by": f"{self.backend}, {self.precision}, {self.machine or self.device}",
            "weights": f"sha256 {self.weights_sha256[:16]}...",
            "date": self.date[:10],
        }
        return as_html(self.model, rows)
