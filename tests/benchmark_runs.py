"""What the tests of benchmarks share: a small network, and contestants that answer in this process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

from densezoo.benchmarks.subject import Subject, make_subject
from densezoo.benchmarks.worker import Worker, answer
from densezoo.errors import BenchmarkError

SMALL = "configs/digits/densenet_bc_22_8_digits.py"


def small_subject(folder: Path) -> Subject:
    """The digits' network with drawn weights."""
    return make_subject(SMALL, folder, None, None, None)


class HereAnswering:
    """A `densezoo.benchmarks.children.Child` whose worker answers in this process."""

    started: ClassVar[list[dict[str, str]]] = []

    def __init__(self, environment: dict[str, str]) -> None:
        self.worker, self.answer = Worker(), ""
        self.started.append(dict(environment))

    def ask(self, do: str, timeout: float = 0.0, **arguments: object) -> Any:
        self.begin(do, **arguments)
        return self.end()

    def begin(self, do: str, **arguments: object) -> None:
        self.answer = json.dumps(answer(self.worker, json.dumps({"do": do, **arguments})))

    def end(self, timeout: float = 0.0) -> Any:
        answered = json.loads(self.answer)
        if "error" in answered:
            raise BenchmarkError(answered["error"])
        return answered["result"]

    def close(self) -> None:
        self.worker = Worker()

    def __enter__(self) -> HereAnswering:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
