"""Tests mirror the package: densezoo/a/b.py is tested by tests/a/test_b.py."""

from __future__ import annotations

from pathlib import Path

from test_layering import PACKAGE, modules

TESTS = Path(__file__).resolve().parent

#: {module without a test file of its name: why it can't be tested alone}.
UNTESTABLE: dict[str, str] = {}
#: Modules whose tests still stand under another name; to be emptied.
TO_BE_MENDED = {
    "commands/convert_lua.py",
    "api/analysis.py",
    "api/benchmark.py",
    "api/conversion.py",
    "api/documents.py",
    "api/evaluation.py",
    "api/images.py",
    "api/index.py",
    "api/names.py",
    "api/plan.py",
    "api/training.py",
    "api/weights.py",
    "backends/device.py",
    "commands/__main__.py",
    "commands/benchmark.py",
    "commands/check_index.py",
    "commands/completion.py",
    "commands/convert.py",
    "commands/demo.py",
    "commands/fetch_weights.py",
    "commands/list_models.py",
    "commands/make_tables.py",
    "commands/options.py",
    "commands/sweep.py",
    "commands/test.py",
    "commands/train.py",
    "commands/verify_weights.py",
    "data/decoding.py",
    "data/imagenet.py",
    "data/labels.py",
    "data/layouts/arrays.py",
    "data/layouts/imagenet_c.py",
    "data/layouts/lists.py",
    "data/libraries.py",
    "data/resampling.py",
    "evaluation/coverage.py",
    "evaluation/finish.py",
    "evaluation/hashing.py",
    "evaluation/options.py",
    "evaluation/predictions.py",
    "evaluation/progress.py",
    "evaluation/report.py",
    "evaluation/timing.py",
    "index/listing.py",
    "index/transfer.py",
    "protocols/imagenet.py",
    "protocols/ports.py",
    "protocols/small_images.py",
    "results/plots.py",
    "results/weights.py",
    "types/architecture.py",
    "types/checkpoint.py",
    "types/experiment.py",
    "types/index.py",
    "types/layer.py",
    "types/protocol.py",
    "types/result.py",
}


def mirror_of(module: str) -> Path:
    """Where the tests of a module are, which is named by its path in densezoo/."""
    path = TESTS / module
    return path.with_name(f"test_{path.name}")


def names() -> set[str]:
    return {path.relative_to(PACKAGE).as_posix() for path in modules() if path.name != "__init__.py"}


def test_every_module_has_a_test_file_of_its_name() -> None:
    missing = {name for name in names() if not mirror_of(name).exists()}
    assert missing - UNTESTABLE.keys() - TO_BE_MENDED == set(), "write tests/<folder>/test_<module>.py"


def test_exceptions_are_of_modules_that_exist_and_have_no_tests() -> None:
    for name in UNTESTABLE.keys() | TO_BE_MENDED:
        assert name in names(), f"{name} is gone; remove it from the exceptions"
    assert not [name for name in UNTESTABLE if mirror_of(name).exists()]


def test_every_test_file_holds_a_test() -> None:
    """An empty file of the right name would mirror nothing."""
    for name in names():
        path = mirror_of(name)
        assert not path.exists() or "def test_" in path.read_text(), path
