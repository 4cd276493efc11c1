"""Stores a training's states, in a folder, and sets a training to one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn

from densezoo.evaluation import distributed
from densezoo.training.loop import Learner, Progress
from densezoo.training.state import BEST, State, kept, tensors_apart, tensors_together, write_state

PARTS = ("network", "optimiser", "groups", "average", "scaler", "random")  # of a state that hold tensors


class FolderKeeper:
    """Stores a run's states and best weights in its folder.

    Args:
        folder: of the run; it exists.
        learner: whose state it is.
        facts: of the run (`densezoo.training.work_folder.run_facts`), which its states hold.
        write_weights: writes a network's weights to a file: (file, network, measures of it).
    """

    def __init__(
        self,
        folder: Path,
        learner: Learner,
        facts: Mapping[str, object],
        write_weights: Callable[[Path, nn.Module, Mapping[str, float]], None],
    ) -> None:
        self.folder, self.learner, self.facts, self.write_weights = folder, learner, facts, write_weights

    def state(self, progress: Progress) -> State:
        """The run's state, of all processes; every process calls this.

        Args:
            progress: of the run.
        """
        tensors: dict[str, Tensor] = {}
        learner = self.learner
        parts = {
            "network": learner.network.state_dict(),
            "optimiser": learner.optimiser.state_dict()["state"],
            "groups": [_numbers(group) for group in learner.optimiser.param_groups],
            "average": None if learner.average is None else learner.average.state_dict(),
            "scaler": learner.scaler.state_dict(),
            "random": distributed.gather(_random_state(learner.device)),
        }
        values = {name: tensors_apart(part, name, tensors) for name, part in parts.items()}
        return State(tensors, {**values, "progress": asdict(progress), "run": dict(self.facts)})

    def capture(self, progress: Progress) -> Callable[[], None]:
        """As of `densezoo.training.loop.Keeper`."""
        state, keep = self.state(progress), self.learner.recipe.keep

        def write() -> None:
            if distributed.is_main():
                write_state(self.folder, progress.step, state, keep)

        return write

    def save_best(self, network: nn.Module, measures: Mapping[str, float]) -> None:
        """As of `densezoo.training.loop.Keeper`."""
        if distributed.is_main():
            self.write_weights(self.folder / BEST, network, measures)

    def where(self) -> str:
        """As of `densezoo.training.loop.Keeper`."""
        return kept(self.folder)

    def restore(self, state: State) -> None:
        """Set network, optimiser, average, scaler and random numbers to a state.

        Args:
            state: of the same run.
        """
        learner = self.learner
        parts = {name: tensors_together(state.values[name], state.tensors) for name in PARTS}
        learner.network.load_state_dict(parts["network"])
        groups = zip(learner.optimiser.state_dict()["param_groups"], parts["groups"])
        learner.optimiser.load_state_dict(
            {"state": parts["optimiser"], "param_groups": [{**g, **n} for g, n in groups]}
        )
        _lay_out(learner.optimiser)
        if learner.average is not None:
            learner.average.load_state_dict(parts["average"])
        learner.scaler.load_state_dict(parts["scaler"])
        random = parts["random"][distributed.rank()]
        torch.set_rng_state(random["cpu"])
        if "gpu" in random and learner.device.type == "cuda":
            torch.cuda.set_rng_state(random["gpu"], learner.device)


def _random_state(device: torch.device) -> dict[str, Tensor]:
    """Torch's random state in this process, of the CPU and of the GPU that trains; dropout takes it."""
    gpu = {"gpu": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {}
    return {"cpu": torch.get_rng_state(), **gpu}


def _numbers(group: Mapping[str, object]) -> dict[str, float | Tensor]:
    """The numbers of a group of parameters: among them is what an optimiser counts there, such as LAMB its steps."""
    return {name: value for name, value in group.items() if isinstance(value, int | float | Tensor)}


def _lay_out(optimiser: torch.optim.Optimizer) -> None:
    """Give the tensors of an optimiser's state the memory order of their parameters, as they had when it made them."""
    for parameter, state in optimiser.state.items():
        for name, value in state.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                state[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
