"""The index against our own copies of all published figures and files in facts/; each row says where it stands.

The ``_more`` files leave out what has no single label an image, or no top-1: chest X-rays, TIAToolbox, MONAI,
and what has several labels of remote sensing.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

import modelindex
import pytest

from densezoo.families.flops import UNDEFINED
from densezoo.index.load import get_spec, load_index
from densezoo.paths import INDEX
from densezoo.protocols import PROTOCOLS
from densezoo.types import ModelSpec, ReportedResult, WeightSource

FACTS = Path(__file__).parent / "facts"
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
#: {publisher: protocol of its figures in the first file}; timm and the CIFAR ones say more.
OF_PUBLISHER = {
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
#: A row of the first file that the second one corrects: {(weights, where): the same in the second}.
CORRECTED = {
    ("densenet121.mindcv_in1k", "benchmark_results.md"): (
        "densenet121.mindcv_910v2_in1k",
        "configs/densenet/README.md @6e2a4c7 (2024-07-25) and later; benchmark_results.md:70-71 @51b0636",
    ),
}

Row = dict[str, str]


def published(name: str) -> list[Row]:
    with open(FACTS / f"published_{name}.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


FIGURES, MORE_FIGURES = published("accuracy"), published("accuracy_more")
FILES, MORE_FILES = published("weights"), published("weights_more")


def model_name(row: Row) -> str:
    if row["weights"] in CIFAR_NAMES:
        return f"{CIFAR_NAMES[row['weights']]}.lua_{row['dataset'].replace('+', 'plus')}"
    arch, _, tag = row["weights"].partition(".")
    return f"{arch}.{tag.replace('.', '_')}"  # pcv_v0.0.402 is pcv_v0_0_402 here


def spec_of(row: Row) -> ModelSpec | None:
    return load_index().get(model_name(row))


def reported(row: Row) -> list[ReportedResult]:
    """The results of the index that state this row, to the last digit as it is written."""
    spec = spec_of(row)
    expected = [row["dataset"], row["top1"], row["top5"], row["published_by"], row["where"]]
    return [
        result
        for result in (spec.reported if spec else ())
        if [
            result.dataset,
            "" if result.top1 is None else str(result.top1),
            "" if result.top5 is None else str(result.top5),
            result.published_by,
            result.where,
        ]
        == expected
    ]


def test_there_are_as_many_rows_as_were_published() -> None:
    assert [len(rows) for rows in (FIGURES, MORE_FIGURES, FILES, MORE_FILES)] == [129, 246, 44, 282]


def test_every_published_accuracy_to_the_last_digit() -> None:
    for row in FIGURES:
        name, where = CORRECTED.get((row["weights"], row["where"]), (row["weights"], row["where"]))
        found = reported({**row, "weights": name, "where": where})
        assert [result.protocol for result in found] == [protocol(row)], row


def protocol(row: Row) -> str:
    if row["dataset"].startswith("cifar"):
        return row["dataset"].rstrip("+")
    if row["published_by"] == "timm":
        return {"224": "timm", "288": "timm-288"}[row["img_size"]]
    return OF_PUBLISHER[row["published_by"]]


@pytest.mark.parametrize("publisher", sorted({row["published_by"] for row in MORE_FIGURES}))
def test_every_further_accuracy_to_the_last_digit(publisher: str) -> None:
    rows = [row for row in MORE_FIGURES if row["published_by"] == publisher]
    for row in rows:
        alike = [r for r in rows if all(r[key] == row[key] for key in ("weights", "dataset", "top1", "top5", "where"))]
        found = reported(row)
        assert len(found) == len(alike), row
        for result in found:
            check_conditions(row, result)


def check_conditions(row: Row, result: ReportedResult) -> None:
    """The protocol of a result does what the row says, as far as it says it."""
    if result.protocol is None:
        assert result.not_evaluable
        return
    protocol = PROTOCOLS[result.protocol]
    if row["resize"].isdecimal():
        assert protocol.resize == int(row["resize"]), row
    if protocol.crop is not None:
        assert protocol.crop == int(row["img_size"]), row
    if row["interpolation"] and protocol.interpolation is not None and row["resize"].isdecimal():
        assert protocol.interpolation == row["interpolation"], row
    if row["backend"] in ("pil", "cv2"):
        assert protocol.resize is None or protocol.resize_backend == row["backend"], row
    assert (result.tta == "ten-crop") == row["note"].startswith("ten-crop"), row


def source_of(row: Row) -> WeightSource | None:
    """The file of a row: by its address, or where that is none, by the note that has the words."""
    spec, url = spec_of(row), row["url"]
    for source in spec.weights if spec else ():
        if source.url is not None and url in (source.url, f"{source.url} (folder; README.md:53)"):
            return source
        if url.startswith("(") and url.strip("()") in (source.note or ""):
            return source
    return None


def test_every_published_file() -> None:
    for row in FILES:
        source = source_of(row)
        assert source is not None, row
        assert (source.framework, source.format) == (row["framework"], row["format"])
        check_file(row, source)


@pytest.mark.parametrize("publisher", sorted({row["published_by"] for row in MORE_FILES}))
def test_every_further_file(publisher: str) -> None:
    for row in MORE_FILES:
        if row["published_by"] == publisher:
            source = source_of(row)
            assert source is not None, row
            if source.url == row["url"]:
                assert source.framework == row["framework"]
                check_file(row, source)


def check_file(row: Row, source: WeightSource) -> None:
    """Size and hashes are those of the row; what is no number of bytes ("64.5MB") stands in the note."""
    if row["file_size"].isdecimal():
        assert source.file_size == int(row["file_size"]), row
    else:
        assert row["file_size"] in (source.note or ""), row
    stated = {hash.algorithm: hash.digits for hash in source.stated_hashes}
    if row["hash_prefix"]:
        assert any(digits.startswith(row["hash_prefix"]) for digits in stated.values()), row
    for algorithm, whole in re.findall(r"(sha1|sha256)[\w .]*? ([0-9a-f]{40,64})", row["note"]):
        assert stated[algorithm] == whole, row
    if "md5 in full" in row["note"]:
        assert stated == {"md5": row["hash_prefix"]}, row


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


def test_model_index_s_own_tools_find_the_standard_keys() -> None:
    index = modelindex.load(str(INDEX))
    assert not index.check(silent=True)
    model = next(model for model in index.models if model.name == "densenet121.ra_in1k")
    assert (model.metadata.parameters, model.metadata.flops) == (7978856, 2834161664)
    assert (model.metadata.epochs, model.metadata.batch_size, model.metadata.training_data) == (90, 256, "ImageNet-1k")
    assert (model.metadata.data["Crop Pct"], model.metadata.data["Interpolation"]) == (0.95, "bicubic")
    assert model.code["Version"] == "d8e6920"
    assert "Dense Connections" in model.full_model.metadata.architecture
    assert model.readme == "../docs/models/densenet121.md"
    port = next(model for model in index.models if model.name == "densenet121.caffe_in1k")
    assert port.data["Converted From"]["Code"] == "https://github.com/liuzhuang13/DenseNet"
