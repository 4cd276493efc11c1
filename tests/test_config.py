from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from densenet_sources import as_densenet
from mmengine.config import Config

from densezoo import schema
from densezoo.config import load_config
from densezoo.data.datasets import DATASETS
from densezoo.errors import ConfigError
from densezoo.families import build_architecture
from densezoo.families.claims import num_params
from densezoo.protocols import PROTOCOLS
from densezoo.types import Experiment

CONFIGS = Path(__file__).resolve().parent.parent / "configs"
ALL = sorted(path.relative_to(CONFIGS) for path in CONFIGS.rglob("*.py") if path.parent.name != "_base_")

#: Parameters as published or counted independently (../shared/FACTS.md section 2), for 1000 and 10 classes.
PARAMETERS = {
    "densenet121.py": 7_978_856,
    "densenet169.py": 14_149_480,
    "densenet201.py": 20_013_928,
    "densenet161.py": 28_681_000,
    "densenet264.py": 33_337_704,
    "densenet232_k48.py": 55_570_984,
    "densenet264_k48.py": 72_686_632,
    "cifar/densenet_40_12_cifar10.py": 1_019_722,  # 1.0M, 7.0M and 27.2M as published, with 16 initial channels
    "cifar/densenet_100_12_cifar10.py": 6_979_642,
    "cifar/densenet_100_24_cifar10.py": 27_249_082,
    "cifar/densenet_100_12_2k_cifar10plus.py": 7_083_538,
    "cifar/densenet_bc_100_12_cifar10.py": 769_162,
    "cifar/densenet_c_40_12_cifar10plus.py": 599_050,
    "cifar/densenet_c_100_12_cifar10plus.py": 4_068_490,
    "cifar/densenet_c_100_24_cifar10plus.py": 16_114_138,
    "cifar/densenet_bc_250_24_cifar10.py": 15_324_406,
    "cifar/densenet_bc_190_40_cifar10.py": 25_624_430,
}


@pytest.mark.parametrize("path", ALL, ids=str)
def test_every_config_reads_as_mmengine_reads_it(path: Path) -> None:
    experiment = load_config(CONFIGS / path)
    values = Config.fromfile(str(CONFIGS / path)).to_dict()
    ours = {"name": path.stem, "path": f"configs/{path.as_posix()}"}
    values["model"] = build_architecture(values["model"], "mmengine")
    assert experiment == schema.build(Experiment, values | ours, "mmengine", ConfigError)
    assert experiment.dataset in DATASETS
    assert experiment.protocol in PROTOCOLS
    assert DATASETS[experiment.dataset].num_classes == experiment.model.num_classes
    assert len(PROTOCOLS[experiment.protocol].channel_order) == experiment.model.in_chans


@pytest.mark.parametrize(("path", "count"), PARAMETERS.items())
def test_parameters_are_the_published_ones(path: str, count: int) -> None:
    assert num_params(as_densenet(load_config(CONFIGS / path).model)) == count


@pytest.mark.parametrize("row", ["40_12", "100_12", "100_24"])
def test_the_cifar_rows_have_the_depth_in_their_name(row: str) -> None:
    for name in (f"densenet_{row}_svhn.py",):
        arch = as_densenet(load_config(CONFIGS / "svhn" / name).model)
        depth, growth = map(int, row.split("_"))
        assert arch.growth_rate == growth
        assert 1 + sum(arch.block_config) + (len(arch.block_config) - 1) + 1 == depth  # stem, layers, transitions, head


def test_there_is_a_config_for_every_row_and_dataset() -> None:
    rows = ["densenet_40_12", "densenet_100_12", "densenet_100_24"]
    rows += ["densenet_bc_100_12", "densenet_bc_250_24", "densenet_bc_190_40"]
    rows += ["wide_densenet_bc_40_36", "wide_densenet_bc_40_48", "wide_densenet_bc_40_60"]
    names = {path.name for path in ALL}
    assert {
        f"{row}_{d}.py" for row in rows for d in ("cifar10", "cifar10plus", "cifar100", "cifar100plus", "svhn")
    } <= names


def test_overrides() -> None:
    experiment = load_config(CONFIGS / "densenet121.py", {"model.drop_rate": 0.2, "protocol": "timm"})
    assert experiment.model.drop_rate == 0.2
    assert experiment.protocol == "timm"
    assert experiment.model == dataclasses.replace(load_config(CONFIGS / "densenet121.py").model, drop_rate=0.2)


def test_an_unknown_override_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"densenet121.py: model: unknown key 'drop_rat'; did you mean 'drop_rate'\?"):
        load_config(CONFIGS / "densenet121.py", {"model.drop_rat": 0.2})


@pytest.mark.parametrize(
    ("key", "meant"), [("growth_rate", "model.growth_rate"), ("bn_eps", "model.bn_eps"), ("epochs", "train.epochs")]
)
def test_an_override_of_a_part_s_field_names_the_part(key: str, meant: str) -> None:
    with pytest.raises(ConfigError, match=rf"densenet121.py: unknown key '{key}'; did you mean '{meant}'\?"):
        load_config(CONFIGS / "densenet121.py", {key: 4})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'dataset = "cifar10"\nprotocol = "timm"\nmodel = dict(groth_rate=12)',
            "unknown key 'groth_rate'; did you mean",
        ),
        ('dataset = "cifar10"\nprotocol = "timm"\nmodle = dict()', "unknown key 'modle'; did you mean 'model'"),
        ('dataset = "cifar10"\nmodel = dict()', "the key 'protocol' is missing"),
        ("import os\n", "line 1: expected 'name = literal'"),
        ("\nmodel = open('x')\n", "line 2: model is no literal"),
        ("model = dict(**{})\n", "line 1: model is no literal"),
        ("model = [i for i in range(3)]\n", "line 1: model is no literal"),
        ("model = (", "not a config file: '(' was never closed"),
        ("_base_ = 3\n", "_base_ is 3; expected the path of one config file"),
        ('_base_ = "missing.py"\n', "missing.py: there is no such config file"),
        ("\0", "not a config file"),
    ],
)
def test_a_bad_config_is_refused_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.py"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert message in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_a_second_base_is_refused(tmp_path: Path) -> None:
    for name, base in (("a.py", "b.py"), ("b.py", "c.py"), ("c.py", "c.py")):
        (tmp_path / name).write_text(f'_base_ = "{base}"\n')
    with pytest.raises(ConfigError, match="one level is the limit"):
        load_config(tmp_path / "a.py")


def test_a_folder_is_no_config(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't be read as a config file"):
        load_config(tmp_path)


def test_a_config_is_never_executed(tmp_path: Path) -> None:
    path = tmp_path / "hostile.py"
    path.write_text(f"model = dict(growth_rate=__import__('pathlib').Path({str(tmp_path / 'ran')!r}).touch())\n")
    with pytest.raises(ConfigError):
        load_config(path)
    assert not (tmp_path / "ran").exists()


def test_an_edited_config_is_read_anew(tmp_path: Path) -> None:
    base, config = tmp_path / "base.py", tmp_path / "small.py"
    base.write_text('model = dict(growth_rate=4)\ndataset = "digits"\nprotocol = "digits"\n')
    config.write_text('_base_ = "base.py"\n')
    assert as_densenet(load_config(config).model).growth_rate == 4
    base.write_text('model = dict(growth_rate=12)\ndataset = "digits"\nprotocol = "digits"\n')
    assert as_densenet(load_config(config).model).growth_rate == 12


def test_a_protocol_beside_the_config_is_found_from_any_folder(tmp_path: Path) -> None:
    (tmp_path / "mine.yml").write_text("{name: mine, mean: [0.5], std: [0.5], channel_order: L}")
    path = tmp_path / "mine.py"
    path.write_text("model = dict(in_chans=1)\ndataset = 'digits'\nprotocol = 'mine.yml'\n")
    assert load_config(path).protocol == str(tmp_path / "mine.yml")
    (tmp_path / "mine.yml").unlink()
    assert load_config(path).protocol == "mine.yml"
