"""What is known of weights: what their file says, what the index knows of it, and what a caller adds."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from densezoo.api.labels import gives_several_labels, names_of
from densezoo.api.plan import check_channels
from densezoo.config import load_config
from densezoo.conversion.load import load_checkpoint
from densezoo.data.datasets import get_dataset
from densezoo.errors import ConfigError
from densezoo.families import architecture_values, build_architecture
from densezoo.formats.identity import unchanged
from densezoo.index.known import identify, own_protocol
from densezoo.paths import ROOT
from densezoo.protocols import PROTOCOLS, get_protocol
from densezoo.types import ConversionReport, ModelSpec, Protocol


@dataclass(frozen=True)
class DescribedWeights:
    """Weights, with all that using them needs.

    Args:
        source: their file.
        sha256: of the file.
        report: what became of its tensors, and what densezoo wrote into it.
        weights: {canonical name: tensor}.
        facts: JSON values for the metadata of a file of them (docs/formats.md).
        protocol: how pictures are prepared.
        dataset: whose classes the outputs are.
        origin: the model of the index whose weights they are by their hash; None: of none.
    """

    source: Path
    sha256: str
    report: ConversionReport
    weights: Mapping[str, Tensor]
    facts: Mapping[str, object]
    protocol: Protocol
    dataset: str
    origin: ModelSpec | None

    @property
    def complete(self) -> bool:
        """Whether the file says all of it already, in densezoo's own format."""
        stated = dict(self.report.stated)
        described = stated.pop("architecture", None)
        if described is None or stated != {key: fact for key, fact in self.facts.items() if key != "architecture"}:
            return False
        return build_architecture(described, str(self.source)) == self.report.architecture


def describe_weights(
    source: Path,
    config: str | Path | None = None,
    protocol: str | None = None,
    dataset: str | None = None,
    class_names: str | Path | Sequence[str] | None = None,
    **options: object,
) -> DescribedWeights:
    """Read a file of weights, and find out what it doesn't say.

    Args:
        source: a checkpoint of any system.
        config: whose network, dataset and protocol it is; None: what the file says, else the index of its hash.
        protocol, dataset: in place of the config's or the file's.
        class_names: of the outputs in their order, or where they stand; None: the file's.
        options: fields of `Architecture` that the file doesn't carry (``aa_layer="blurpool"``, ``bn_eps``, ...).

    Raises:
        FormatError, CheckpointError: the file can't be read, or holds another network than the config's, or none.
        ConfigError: nothing says how they are used; channels or names that don't fit the network.
        UnknownNameError: no such protocol or dataset.
    """
    experiment = None if config is None else load_config(config)
    with unchanged(source) as sha256:
        network, report = load_checkpoint(source, experiment.model if experiment else None, **options)
    stated = report.stated
    spec, _ = identify(source, sha256)  # of these bytes: a hash that the file states proves nothing
    own = experiment or (load_config(ROOT / spec.config) if spec else None)
    prepared = protocol or (experiment.protocol if experiment else "")
    if not prepared:
        prepared = own_protocol(source, spec, report.protocol if stated.get("protocol") else None, report.protocol)
    classes = dataset or (experiment.dataset if experiment else stated.get("dataset") or (own and own.dataset))
    if not (prepared and classes):
        raise _lacking(source, bool(prepared))
    used = get_protocol(prepared)
    get_dataset(str(classes))
    check_channels(report.architecture, used)
    facts = {
        **(stated or {"origin": _origin(source, report), "sha256": sha256}),
        "architecture": architecture_values(report.architecture),
        "dataset": str(classes),
        "protocol": used.name if used.name in PROTOCOLS else dataclasses.asdict(used),
    }
    if gives_several_labels(stated, experiment, spec):
        facts["multi_label"] = True
    if class_names is not None:
        facts["class_names"] = list(names_of(class_names, None, "", {}, report.architecture.num_classes))
    facts = json.loads(json.dumps(facts))
    return DescribedWeights(source, sha256, report, network.state_dict(), facts, used, str(classes), spec)


def _lacking(source: Path, knows_protocol: bool) -> ConfigError:
    lacking = "how pictures are prepared for it; give --protocol"
    if knows_protocol:
        lacking = "whose classes its outputs are; give --dataset (imagefolder: of your own class folders)"
    return ConfigError(f"{source}: doesn't say {lacking}, or a --config")


def _origin(source: Path, report: ConversionReport) -> dict[str, str]:
    """What a file that densezoo didn't write was."""
    return {"file": source.name, "format": report.format, "source": report.source}
