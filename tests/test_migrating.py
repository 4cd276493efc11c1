"""docs/migrating.md: every option is there, and what stands beside it is run up to where images would be read."""

from __future__ import annotations

import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from densezoo.api.names import check_names
from densezoo.errors import DensezooError
from densezoo.families import family_of
from densezoo.index.load import get_spec
from densezoo.paths import ROOT
from densezoo.protocols import get_protocol
from densezoo.training.augmentations import training_transforms
from densezoo.training.parameters import learning_rate_scales
from densezoo.training.recipe import check_recipe

PAGE = (ROOT / "docs/migrating.md").read_text(encoding="utf-8")
CONFIG = "configs/densenet121.py"  # whose fields are overridden
NONE = "none"

#: Every option of the authors' opts.lua (https://github.com/liuzhuang13/DenseNet).
LUA = """data dataset manualSeed nGPU backend cudnn gen precision nThreads nEpochs epochNumber batchSize testOnly
tenCrop save resume LR momentum weightDecay lrShape netType depth shortcutType retrain optimState shareGradInput optnet
resetClassifier nClasses growthRate bottleneck reduction dropRate optMemory d1 d2 d3 d4""".split()
#: Every parameter of the table in mindvision's README of DenseNet.
MINDVISION = """model device_target data_url epoch_size pretrained keep_checkpoint_max ckpt_save_dir
num_parallel_workers repeat_num num_classes min_lr max_lr decay_epoch milestone learning_rate momentum
dataset_sink_mode run_distribute
resize""".split()


def tables(page: str) -> dict[str, list[list[str]]]:
    """{heading: the cells of its table's rows}."""
    found: dict[str, list[list[str]]] = {}
    heading = ""
    for line in page.splitlines():
        if line.startswith("## "):
            heading = line[3:]
        elif line.startswith("| ") and not line.startswith("| ---"):
            found.setdefault(heading, []).append([cell.strip() for cell in line.strip("|").split("|")])
    return {heading: rows[1:] for heading, rows in found.items()}


TABLES = tables(PAGE)


def spans(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def counterparts() -> Iterator[tuple[str, str]]:
    """(option of the other program, what stands for it here)."""
    for heading, rows in TABLES.items():
        column = 2 if heading in ("The authors' Lua program", "MindSpore Vision") else 1
        for row in rows:
            assert len(row) == column + 2, row
            if row[column] == NONE:
                assert row[-1], f"{row[0]}: says why there is none"
            else:
                assert spans(row[column]), row
            for span in spans(row[column]) + [span for span in spans(row[-1]) if is_ours(span)]:
                yield row[0], span


def is_ours(span: str) -> bool:
    """Whether a span in the last column is a command line or fields of ours, and not a name of the other program."""
    return bool(re.match(r"(densezoo|torchrun) |(train|model)\.\w+=", span))


def dry_run(span: str) -> None:
    """Parse a command line, or fields or options of ``densezoo train``; check all names and values that it has."""
    words = shlex.split(span)
    if words[0] == "torchrun":  # torchrun --nproc-per-node 4 -m densezoo train ...
        words = words[words.index("densezoo") :]
    if words[0] != "densezoo":
        fields = [] if words[0].startswith("--") else ["--cfg-options"]
        words = ["densezoo", "train", CONFIG, *fields, *words]
    args = importlib.import_module(f"densezoo.commands.{words[1]}").make_parser().parse_args(words[2:])
    if words[1] == "train":
        experiment = check_names(ROOT / args.config, overrides=args.cfg_options, device=None)
        assert experiment is not None
        assert experiment.train is not None
        check_recipe(experiment.train)
        training_transforms(experiment.train, get_protocol(experiment.protocol))
        assert experiment.train.memory in family_of(experiment.model).memory_modes
        start = experiment.train.start
        if start is not None and not Path(start.weights).suffix.startswith((".t7", ".pth")):
            assert get_spec(start.weights).name == start.weights
        assert learning_rate_scales(experiment.train, experiment.model)  # its stages exist
    elif words[1] == "test":
        chosen = {"names": [args.protocol] if args.protocol else None, "dataset": args.dataset, "tta": args.tta}
        check_names(ROOT / args.config, **chosen, backend=args.backend, precision=args.precision)
    elif words[1] == "show":
        get_spec(args.name)


def test_every_option_of_the_lua_program_has_a_row() -> None:
    assert [row[0] for row in TABLES["The authors' Lua program"]] == [f"`-{option}`" for option in LUA]


def test_every_parameter_of_mindvision_has_a_row() -> None:
    assert [row[0] for row in TABLES["MindSpore Vision"]] == [f"`{parameter}`" for parameter in MINDVISION]


@pytest.mark.parametrize("span", sorted({span for _, span in counterparts()}))
def test_what_stands_beside_an_option_dry_runs(span: str) -> None:
    dry_run(span)


@pytest.mark.parametrize(
    "span",
    [
        "train.lr=0",
        "train.optimizer=sgd",
        "--workdir x",
        "densezoo train configs/no.py",
        "train.start.weights=densenet121.nobody",
    ],
)
def test_what_would_not_run_is_seen(span: str) -> None:
    with pytest.raises((SystemExit, DensezooError)):
        dry_run(span)


def test_the_page_s_own_lines_dry_run() -> None:
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL):
        for line in block.splitlines():
            dry_run(line)
