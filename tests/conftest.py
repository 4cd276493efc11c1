"""Fixtures that several test folders share."""

from __future__ import annotations

import gc
import importlib.util
import os
import random
import re
import signal
import subprocess
import sys
import zlib
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import ranks
import torch
from hypothesis import HealthCheck, settings
from PIL import Image

from densezoo.commands import options
from densezoo.errors import DensezooError
from densezoo.imports import import_mmengine

import_mmengine()  # before test modules do, in several workers at once

# Machines are shared and noisy: no test fails for its time, and each run tries the same examples.
settings.register_profile("densezoo", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("densezoo")

REPOSITORY = Path(__file__).resolve().parent.parent
ALONE = "DENSEZOO_TEST_ALONE"  # in the environment: this process runs one test that forks
os.environ.setdefault("OMP_NUM_THREADS", "1")  # of the processes that tests start: several threads wait in loops


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Garbage is what tests leave; the million objects of torch, timm and the tests aren't looked through for it."""
    gc.disable()
    yield
    gc.freeze()
    gc.enable()


def pytest_sessionfinish() -> None:
    """What was frozen is freed again, or nanobind reports it as leaked."""
    gc.unfreeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test draws the same numbers whatever its process ran before, and other ones than the next test."""
    seed = zlib.crc32(item.nodeid.encode())
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)  # torch.manual_seed asks for GPUs, too: a hundred times as long


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """A test that forks trainings runs in a process of its own if another test has started autograd's threads here."""
    if not pyfuncitem.get_closest_marker("forks") or ALONE in os.environ or ranks.children_can_differentiate():
        return None
    command = [sys.executable, "-m", "pytest", "-n", "0", "-p", "no:cacheprovider", pyfuncitem.nodeid]
    environment = {**os.environ, ALONE: "1"}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return True


@pytest.fixture(scope="session", autouse=True)
def interruptions_arrive() -> None:
    """A shell without job control starts what it puts into the background with SIGINT ignored, as do its children."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def one_thread_each() -> None:
    """The tests run in parallel processes; threads of their own would only get in each other's way."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing is kept in the user's cache, and nothing is found there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DENSEZOO_HOME", str(tmp_path_factory.mktemp("home")))
        yield


def check_named_options(message: str, parser: ArgumentParser) -> None:
    """Hold the options that a message names to the command that it names before them, or else to the parser's."""
    for other, option in re.findall(r"(?:densezoo (\w+)[^.;]*? )?(?<!\w)(--[a-z][\w-]*)", message):
        its = importlib.import_module(f"densezoo.commands.{other}").make_parser() if other else parser
        assert option in its._option_string_actions, f"there is no {option}: {message}"


@pytest.fixture(scope="session", autouse=True)
def named_options_exist() -> Iterator[None]:
    """No command that a test runs ends with a message that names an option which the command lacks."""
    run = options.run

    def checked(command: Callable[[Namespace], int | None], parser: ArgumentParser, argv: Sequence[str] | None) -> int:
        def told(arguments: Namespace) -> int | None:
            try:
                return command(arguments)
            except DensezooError as error:
                check_named_options(str(error), parser)
                raise

        return run(told, parser, argv)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(options, "run", checked)
        yield


@pytest.fixture
def untraced() -> Iterator[None]:
    """No coverage in this test: it holds CPU time to limits, and tracing takes two to three times as much."""
    tracer = sys.gettrace()
    sys.settrace(None)
    yield
    sys.settrace(tracer)


@pytest.fixture
def tool() -> Callable[..., int]:
    """Runs ``tools/<name>.py`` in this process: tool("test", *arguments) -> exit status."""

    def run(name: str, *arguments: object) -> int:
        spec = importlib.util.spec_from_file_location(f"tool_{name}", REPOSITORY / "tools" / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        status: int = module.main([str(argument) for argument in arguments])
        return status

    return run


@pytest.fixture(scope="session")
def random_image() -> Callable[..., Image.Image]:
    """random_image(width, height, mode="RGB", seed=0): noise, the hardest case for a resampler."""

    def make(width: int, height: int, mode: str = "RGB", seed: int = 0) -> Image.Image:
        shape = (height, width) if mode == "L" else (height, width, len(mode))
        return Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8), mode=None)

    return make
