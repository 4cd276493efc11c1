from __future__ import annotations

from xml.etree import ElementTree

import pytest

from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.index.load import load_index
from densezoo.results.diagrams import blocks, diagram


def test_what_the_layers_of_densenet121_read() -> None:
    drawn = blocks(DenseNetArchitecture(), 224)
    assert [(block.reads[0], block.reads[-1], len(block.reads), block.side) for block in drawn] == [
        (64, 224, 6, 56),
        (128, 480, 12, 28),
        (256, 992, 24, 14),
        (512, 992, 16, 7),
    ]
    assert set(drawn[0].reads) == {64, 96, 128, 160, 192, 224}


@pytest.mark.parametrize("name", ["densenet121.tv_in1k", "rdnet_tiny.nv_in1k", "densenet_40_12.lua_cifar10"])
def test_a_picture_has_a_bar_a_layer_within_its_frame(name: str) -> None:
    spec = load_index()[name]
    drawn = blocks(spec.architecture, spec.image_size or 32)
    root = ElementTree.fromstring(diagram(spec.arch, spec.architecture, spec.image_size or 32))
    paths = [str(element.get("d")) for element in root if element.tag.endswith("path")]
    assert [path.count("M") for path in paths] == [len(block.reads) for block in drawn]
    width, height = float(str(root.get("width"))), float(str(root.get("height")))
    for element in root:
        if element.tag.endswith("text"):
            assert 0 < float(str(element.get("x"))) < width
            assert 0 < float(str(element.get("y"))) < height
    assert f"{drawn[-1].side}×{drawn[-1].side}" in [element.text for element in root]
