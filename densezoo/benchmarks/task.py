"""What the process of a contestant is asked to run."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from densezoo import protocols, schema
from densezoo.errors import EvaluationError
from densezoo.families import build_architecture
from densezoo.types import Architecture, Protocol


@dataclass(frozen=True)
class Task:
    """One network, given to every contestant alike.

    Args:
        program: a key of `densezoo.benchmarks.programs.PROGRAMS`, or "densezoo" and a backend: "densezoo native".
        architecture: the values of its architecture, of `densezoo.families.architecture_values`.
        weights: a safetensors file with canonical names.
        protocol: the name of the preprocessing.
        image_size: side of the images in pixels.
        device, precision: that it computes on and in.
        threads: that it computes with on a CPU.
    """

    program: str
    architecture: Mapping[str, object]
    weights: str
    protocol: str
    image_size: int
    device: str = "cpu"
    precision: str = "float32"
    threads: int = 1

    @property
    def network(self) -> Architecture:
        """The architecture."""
        return build_architecture(self.architecture, "the benchmark's task", EvaluationError)

    @property
    def preprocessing(self) -> Protocol:
        """The protocol."""
        return protocols.get_protocol(self.protocol)

    def to_json(self) -> str:
        """The task as one line."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Task:
        """The task of a line.

        Args:
            text: of `to_json`.
        """
        return schema.build(cls, json.loads(text), "the benchmark's task", EvaluationError)

    def folder(self) -> Path:
        """The folder of the weights, where a program may write the network in its own format."""
        return Path(self.weights).parent
