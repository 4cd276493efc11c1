"""The first steps of a training, each measured, in a process of their own: `densezoo benchmark --what steps`."""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import torch

from densezoo.api.training import check_config
from densezoo.api.training_plan import planned_run
from densezoo.benchmarks.first_steps import FirstSteps, take_first_steps
from densezoo.benchmarks.inference import Settings
from densezoo.data.datasets import get_dataset
from densezoo.errors import BenchmarkError, DensezooError
from densezoo.types import Contestant

DEFAULT = 20  # steps
GUARD = "its work below if __name__ == '__main__': a process of its own runs the script's other lines anew"


def measure_first_steps(
    config: str | Path,
    settings: Settings,
    data_root: str | Path | None = None,
    steps: int = DEFAULT,
    overrides: Mapping[str, object] | None = None,
) -> tuple[Contestant, int]:
    """What the first steps took, a rate and a loss for each, its note saying of which images; and these images' side.

    Args:
        config: the config file.
        settings: device and threads; an instruction set is refused, and nothing else of it plays a part.
        data_root: folder of the images; None: noise in place of what isn't built in, one batch again and again.
        steps: how many.
        overrides: {field of the config: value}, such as {"train.batch_size": 32}; None: none.

    Raises:
        BenchmarkError: the steps can't be taken; an instruction set is asked for, or another network.
        DensezooError: the config trains nothing, or names what there is not.
    """
    _refuse_to_begin_again()
    if settings.instruction_set is not None:
        raise BenchmarkError("--instruction-set: the steps of a training are taken with the best that there is")
    if others := [name for name in overrides or {} if not name.startswith("train.")]:
        raise BenchmarkError(f"{others[0]}: the steps of a config's own network are taken; train... may be changed")
    experiment, recipe, _ = check_config(config, overrides, settings.device)
    asked = (Path(config), data_root, settings.device, settings.threads, steps, dict(overrides or {}))
    try:
        timing = _taken(asked)
    except BrokenProcessPool:
        raise BenchmarkError(
            f"{experiment.name}: the process ended; is there memory enough for steps of {recipe.batch_size} "
            f"images? A script that asks for this needs {GUARD}"
        ) from None
    if isinstance(timing, str):
        raise BenchmarkError(f"{experiment.name}: {timing}")
    real = data_root is not None or get_dataset(experiment.dataset).built_in is not None
    changed = "".join(f", {name}={value}" for name, value in (overrides or {}).items())
    contestant = Contestant(
        name="densezoo",
        precision=timing.precision,
        instruction_set="the best",
        rates={str(timing.images): tuple(timing.images / each for each in timing.seconds)},
        losses=timing.losses,
        peak_memory=timing.peak_memory,
        note=f"{experiment.dataset if real else 'noise'}{changed}",
    )
    return contestant, timing.side


def _taken(asked: tuple[Any, ...]) -> FirstSteps | str:
    """What `in_own_process` answers, in a process that an interruption of this one ends.

    Args:
        asked: its arguments.

    Raises:
        BrokenProcessPool: the process ended.
    """
    own = multiprocessing.get_context("spawn")  # so that the peak of memory is that of these steps
    before = multiprocessing.active_children()
    with ProcessPoolExecutor(1, own) as processes:
        try:
            return processes.submit(in_own_process, *asked).result()
        except KeyboardInterrupt:  # Ctrl-C reaches the process, SIGTERM doesn't: its steps would be waited for
            for process in set(multiprocessing.active_children()) - set(before):
                process.kill()
            raise


def _refuse_to_begin_again() -> None:
    """End the own process if it runs the script that started it, which would start another, and so on.

    Raises:
        SystemExit: it does, as multiprocessing marks; the process that waits for it says what is wrong, too.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise SystemExit(f"error: the script that takes first steps needs {GUARD}")


def in_own_process(
    config: Path,
    data_root: str | Path | None,
    device: str,
    threads: int,
    steps: int,
    overrides: Mapping[str, object],
) -> FirstSteps | str:
    """What the first steps took, or why they can't be taken.

    Args:
        config: the config file.
        data_root: folder of the images; None: noise in place of what isn't built in.
        steps: how many.
        overrides: {field of the config: value}.
        device, threads: that compute.
    """
    torch.set_num_threads(threads)
    try:
        _, recipe, _ = check_config(config, overrides, device)
        run, images = planned_run(config, data_root, 0, device, "none", overrides, noise=recipe.batch_size)
        return take_first_steps(run, steps, (images.training or recipe.batch_size) // recipe.batch_size)
    except DensezooError as error:
        return str(error)
