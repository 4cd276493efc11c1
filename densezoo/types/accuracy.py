"""What is known of a model's accuracy under one protocol."""

from __future__ import annotations

from dataclasses import dataclass

from densezoo.types.index import ModelSpec, ReportedResult
from densezoo.types.result import EvalResult


@dataclass(frozen=True)
class Accuracy:
    """A model's accuracy on one dataset under one protocol: published, measured with the same weights, or both.

    Args:
        spec: the model.
        reported: what a publisher claims; None: nobody published anything.
        measured: what was measured here; None: nothing was.
    """

    spec: ModelSpec
    reported: ReportedResult | None = None
    measured: EvalResult | None = None

    @property
    def dataset(self) -> str | None:
        """The test set: a published ``cifar10+`` is CIFAR-10's too, its plus names the training data."""
        if self.reported is not None:
            return self.reported.dataset.rstrip("+")
        return self.measured.dataset if self.measured is not None else None

    @property
    def label(self) -> str:
        """The protocol and what else is unusual in how it was had, such as ``torch7+ten-crop``."""
        if self.measured is not None:
            return self.measured.protocol_label
        return "+".join(filter(None, [self.protocol or "not known", self.reported.tta if self.reported else None]))

    @property
    def protocol(self) -> str | None:
        """The named preprocessing; of a model without accuracies the one that its weights are used with."""
        if self.reported is not None:
            return self.reported.protocol
        return self.measured.protocol if self.measured is not None else self.spec.protocol
