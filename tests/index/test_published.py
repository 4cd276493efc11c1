"""The index against our own copy of every published figure and file: published_accuracy.csv, published_weights.csv."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from densezoo.families.flops import UNDEFINED
from densezoo.index.load import get_spec, load_index

HERE = Path(__file__).parent
CIFAR_NAMES = {
    "DenseNet (L=40, k=12)": "densenet_40_12",
    "DenseNet (L=100, k=12)": "densenet_100_12",
    "DenseNet (L=100, k=24)": "densenet_100_24",
    "DenseNet-BC (L=100, k=12)": "densenet_bc_100_12",
    "DenseNet-BC (L=250, k=24)": "densenet_bc_250_24",
    "DenseNet-BC (L=190, k=40)": "densenet_bc_190_40",
    "Wide-DenseNet-BC (L=40, k=36)": "wide_densenet_bc_40_36",
    "Wide-DenseNet-BC (L=40, k=48)": "wide_densenet_bc_40_48",
    "Wide-DenseNet-BC (L=40, k=60)": "wide_densenet_bc_40_60",
}
#: {publisher: protocol of its figures}; timm and the CIFAR ones say more.
PROTOCOLS = {
    "torchvision": "torchvision",
    "mmpretrain": "mmpretrain",
    "liuzhuang13/DenseNet": "torch7",
    "shicai/DenseNet-Caffe": "caffe",
    "keras-applications": "keras",
    "mindcv": "mindcv",
    "mindvision": "mindvision",
    "miraclewkf/DenseNet": "mxnet",
    "flyyufelix/DenseNet-Keras": "caffe",  # it repeats the Caffe port's figures
}


def published(name: str) -> list[dict[str, str]]:
    with open(HERE / name, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def model_name(row: dict[str, str]) -> str:
    if row["weights"] in CIFAR_NAMES:
        return f"{CIFAR_NAMES[row['weights']]}.lua_{row['dataset'].replace('+', 'plus')}"
    return row["weights"]


def protocol(row: dict[str, str]) -> str:
    if row["dataset"].startswith("cifar"):
        return row["dataset"].rstrip("+")
    if row["published_by"] == "timm":
        return {"224": "timm", "288": "timm-288"}[row["img_size"]]
    return PROTOCOLS[row["published_by"]]


def test_every_published_accuracy_to_the_last_digit() -> None:
    rows = published("published_accuracy.csv")
    assert len(rows) == 129
    for row in rows:
        expected = (
            row["dataset"],
            protocol(row),
            float(row["top1"]),
            float(row["top5"]) if row["top5"] else None,
            row["published_by"],
            row["where"],
        )
        found = [(r.dataset, r.protocol, r.top1, r.top5, r.published_by, r.where) for r in spec_of(row).reported]
        assert found.count(expected) == 1, expected


def spec_of(row: dict[str, str]):  # type: ignore[no-untyped-def]
    return get_spec(model_name(row))


def test_every_published_file() -> None:
    rows = published("published_weights.csv")
    assert len(rows) == 44
    for row in rows:
        (source,) = (w for w in get_spec(row["weights"]).weights if w.url == row["url"])
        assert (source.framework, source.format) == (row["framework"], row["format"])
        assert row["hash_prefix"] in (source.hash_prefix or source.sha256 or "")
        if row["file_size"].isdecimal():
            assert source.file_size == int(row["file_size"])
        else:  # "64.5MB" is no number of bytes
            assert source.file_size is None
            assert row["file_size"] in (source.note or "")


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("tv_densenet121", "densenet121.tv_in1k"),
        ("densenet121_3rdparty_in1k", "densenet121.tv_in1k"),
        ("DenseNet121_Weights.IMAGENET1K_V1", "densenet121.tv_in1k"),
        ("densenet121", "densenet121.ra_in1k"),
        ("densenetblur121d", "densenetblur121d.ra_in1k"),
        ("densenet169", "densenet169.tv_in1k"),
        ("densenet264d", "densenet264d.untrained"),
    ],
)
def test_old_names(alias: str, name: str) -> None:
    assert get_spec(alias) is get_spec(name)


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("densenet121", (2_834_161_664, 2_865_496_576, 2_881_695_488, 3_641_843_200)),
        ("densenet161", (7_727_907_072, 7_786_735_296, 7_816_363_968, 9_931_959_264)),
        ("densenet169", (3_359_843_328, 3_397_889_280, 3_416_860_160, 4_316_945_792)),
        ("densenet201", (4_291_365_888, 4_340_776_704, 4_365_236_736, 5_514_321_024)),
    ],
)
def test_flops_by_every_published_convention(name: str, counts: tuple[int, ...]) -> None:
    flops = get_spec(f"{name}.tv_in1k").flops
    assert [flops[convention] for convention in ("torchvision", "timm", "mmpretrain", "paperswithcode")] == [*counts]
    assert UNDEFINED == ("paperswithcode",)


def test_what_is_known_to_be_wrong_is_noted() -> None:
    (mindvision,) = get_spec("densenet121.mindvision_in1k").reported
    assert "80 of 50,000 were never scored" in (mindvision.note or "")
    (mmpretrain,) = (r for r in get_spec("densenet121.tv_in1k").reported if r.published_by == "mmpretrain")
    assert "From scratch" in (mmpretrain.note or "")


def test_every_port_has_the_parameters_of_its_training() -> None:
    specs = load_index()
    for spec in specs.values():
        assert spec.port_of is None or spec.num_params == specs[spec.port_of].num_params
