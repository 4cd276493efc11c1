from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from examples import example_facts
from hypothesis import given
from hypothesis import strategies as st

from densezoo.errors import ConfigError, UnknownNameError
from densezoo.protocols import PROTOCOLS, get_protocol
from densezoo.protocols.own import (
    Changes,
    as_own,
    changed,
    contradiction,
    facts_of,
    from_fields,
    protocol_sha256,
    under,
)

MINE = """
name: mine
mean: [0.5, 0.5, 0.5]
std: [0.25, 0.25, 0.25]
resize: 64
interpolation: bilinear
crop: 56
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "mine.yml").write_text(MINE)
    return tmp_path / "mine.yml"


def test_a_file_is_a_protocol_under_a_name_that_no_published_one_has(file: Path) -> None:
    own = get_protocol(str(file))
    assert own.name == f"mine~{protocol_sha256(own)[:12]}"
    assert (own.mean, own.std, own.resize, own.crop, own.decoder) == ((0.5,) * 3, (0.25,) * 3, 64, 56, "pil")
    assert protocol_sha256(own).startswith("246d664cc3c6264c"), "a field that is added later changes no digits"
    assert own.source == str(file)
    assert get_protocol(own.name) is own
    assert not any("~" in name for name in PROTOCOLS)


def test_a_file_s_ending_and_source_are_its_own(tmp_path: Path) -> None:
    (tmp_path / "MINE.YAML").write_text(f"{MINE}source: a paper")
    assert get_protocol(str(tmp_path / "MINE.YAML")).source == "a paper"


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [("crop: 56", "crop: 55", False), ("name: mine", "name: yours", True), ("0.5, 0.5", ".50, 0.5", True)],
)
def test_its_digits_are_those_of_the_fields_that_change_pixels(file: Path, before: str, after: str, same: bool) -> None:
    first = get_protocol(str(file))
    file.write_text(MINE.replace(before, after))
    second = get_protocol(str(file))
    assert (protocol_sha256(first) == protocol_sha256(second)) is same
    assert get_protocol(first.name) == first, "what this process has met keeps its name"


@given(st.sampled_from([*PROTOCOLS]), st.sampled_from([*PROTOCOLS]))
def test_named_protocols_have_the_same_digits_only_if_they_do_the_same(first: str, second: str) -> None:
    one, other = PROTOCOLS[first], PROTOCOLS[second]
    alike = dataclasses.replace(one, name="", source="") == dataclasses.replace(other, name="", source="")
    assert (protocol_sha256(one) == protocol_sha256(other)) is alike


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (MINE + "resiz: 3", "unknown key 'resiz'; did you mean 'resize'?"),
        (MINE + "crop: 57", "the key 'crop' twice"),
        (MINE.replace("crop: 56", "crop: 0"), "crop is 0; expected 1 pixel or more"),
        (MINE.replace("0.25]", "0]"), "no std is 0"),
        (MINE + "value_range: 0", "no std is 0; found .* 0.0]"),
        (MINE.replace("resize: 64\ninterpolation: bilinear\ncrop: 56", "image_size: 0"), "image_size is 0; expected 1"),
        (MINE.replace("0.25]", ".inf]"), "mean and std are finite numbers"),
        (MINE.replace("0.25]", "0.25, 0.25]"), "expected 3 means and deviations"),
        (MINE.replace("bilinear", "nearest"), "interpolation is 'nearest'; expected"),
        (MINE.replace("name: mine", "name: a/b"), "expected a name of letters, digits"),
        ("- 1", "expected a mapping of Protocol fields"),
        ("a: [", "not YAML"),
    ],
)
def test_what_is_no_protocol(file: Path, text: str, message: str) -> None:
    file.write_text(text)
    with pytest.raises(ConfigError, match=message):
        get_protocol(str(file))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"no.yml: can't be read \(No such file.*densezoo show_protocol torchvision >"
    ):
        get_protocol(str(tmp_path / "no.yml"))
    with pytest.raises(UnknownNameError):
        get_protocol("mine~000000000000")


def test_the_fields_in_a_file_of_weights() -> None:
    written = dataclasses.asdict(as_own(dataclasses.replace(PROTOCOLS["timm"], crop=200)))
    found = from_fields(written, "a.safetensors: protocol")
    assert found.name == written["name"]
    assert found.crop == 200


def test_a_result_says_what_it_is() -> None:
    own = as_own(dataclasses.replace(PROTOCOLS["timm"], name="mine", crop=200))
    facts = under(example_facts(), own)
    assert facts.own_protocol is not None
    assert (facts.protocol, facts.own_protocol.sha256) == (own.name, protocol_sha256(own))
    assert facts.own_protocol.fields["crop"] == 200
    assert contradiction(facts) is None
    assert facts_of(PROTOCOLS["timm"]) is None
    assert contradiction(under(facts, PROTOCOLS["timm"])) is None
    for forged in (
        dataclasses.replace(facts, protocol="timm"),
        dataclasses.replace(facts, protocol="mine~"),
        dataclasses.replace(facts, own_protocol=None),
        dataclasses.replace(facts, own_protocol=dataclasses.replace(facts.own_protocol, sha256="0" * 64)),
        dataclasses.replace(facts, own_protocol=facts_of(as_own(PROTOCOLS["timm"]))),
        dataclasses.replace(
            facts, own_protocol=dataclasses.replace(facts.own_protocol, fields=dataclasses.asdict(PROTOCOLS["timm"]))
        ),
    ):
        assert contradiction(forged)


def test_a_few_fields_changed() -> None:
    timm, mmpretrain, cifar = (PROTOCOLS[name] for name in ("timm-288", "mmpretrain", "cifar10"))
    assert changed(timm, Changes()) is timm
    found = changed(timm, Changes((0.5,), (0.1, 0.2, 0.3), 224))
    assert found.name.startswith("changed-timm-288~")
    assert (found.mean, found.std) == ((0.5,) * 3, (0.1, 0.2, 0.3))
    assert (found.resize, found.crop) == (236, 224)  # 224 x 303 / 288
    assert changed(mmpretrain, Changes(std=(0.5,))).std == (127.5,) * 3
    assert changed(cifar, Changes(img_size=64)).image_size == 64
    grey = changed(timm, Changes((0.5,), (0.25,), in_chans=1))
    assert (grey.channel_order, grey.mean, grey.std) == ("L", (0.5,), (0.25,))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            Changes(mean=(123.7, 116.3, 103.5)),
            "--mean 123.7,116.3,103.5: expected one number or 3, of pixels in 0 to 1",
        ),
        (Changes(std=(0.0,)), "--std 0.0: expected one number or 3"),
        (Changes(std=(0.1, 0.2)), "expected one number or 3"),
        (Changes(in_chans=1), "--in-chans 1: timm has other channels; give --mean and --std, too"),
        (Changes(in_chans=4), "--in-chans 4: a picture has 3 channels, or 1 in grey"),
    ],
)
def test_changes_that_cannot_be(changes: Changes, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        changed(PROTOCOLS["timm"], changes)
