from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

import densezoo
from densezoo.api.labels import names_of
from densezoo.errors import ConfigError, UnknownNameError
from densezoo.index.load import load_index


def test_every_model_of_the_index_has_its_classes_named() -> None:
    for spec in load_index().values():
        if spec.not_evaluable is None:
            assert len(densezoo.class_names(spec)) == spec.architecture.num_classes, spec.name


@pytest.mark.parametrize(
    ("model", "label", "name"),
    [
        ("densenet121.tv_in1k", 0, "tench"),
        ("tv_densenet121", 999, "toilet tissue"),
        ("densenet_bc_100_12.dice_cifar10", 8, "ship"),
        ("densenet_bc_100_12.dice_cifar100", 99, "worm"),
        ("densenet_bc_22_8.densezoo_digits", 9, "9"),
    ],
)
def test_what_outputs_stand_for(model: str, label: int, name: str) -> None:
    assert densezoo.class_names(model)[label] == name


def test_of_other_classes_nobody_knows_the_names() -> None:
    spec = densezoo.get_spec("densenet121.tv_in1k")
    other = dataclasses.replace(spec, architecture=dataclasses.replace(spec.architecture, num_classes=37))
    with pytest.raises(ConfigError, match=r"nobody names its 37 classes; they are not those of its config's dataset"):
        densezoo.class_names(other)
    with pytest.raises(UnknownNameError):
        densezoo.class_names("densenet122")


def test_it_imports_no_torch() -> None:
    program = "import sys, densezoo; assert densezoo.class_names('densenet121.tv_in1k'); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_where_the_names_of_loaded_weights_come_from(tmp_path: Path) -> None:
    spec, own = densezoo.get_spec("densenet_bc_22_8.densezoo_digits"), [f"n{i}" for i in range(10)]
    assert names_of(None, None, "", {}, 3) == ("0", "1", "2")
    assert names_of(None, None, "cifar10", {}, 10)[8] == "ship"
    assert names_of(None, None, "cifar10", {}, 11)[8] == "8"  # not the dataset's classes
    assert names_of(None, spec, "cifar10", {}, 10)[8] == "8"
    assert list(names_of(None, spec, "cifar10", {"class_names": own}, 10)) == own
    assert list(names_of(own, spec, "cifar10", {"class_names": "?"}, 10)) == own
    assert names_of("cifar10", spec, "", {}, 10)[8] == "ship"
    for name in ("b", "a", "c"):
        (tmp_path / "train" / name).mkdir(parents=True)
    assert names_of(tmp_path, None, "", {}, 3) == ("a", "b", "c")
    with pytest.raises(ConfigError, match="imagenet1k: expected 10 class names, one an output, found 1000"):
        names_of("imagenet1k", None, "", {}, 10)
