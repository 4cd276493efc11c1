from __future__ import annotations

from examples import example_result

from densezoo.index.load import get_spec
from densezoo.results.accuracies import accuracies
from densezoo.types import Accuracy

SPEC = get_spec("densenet121.tv_in1k")


def test_a_measurement_stands_beside_the_figure_of_its_dataset_and_protocol() -> None:
    own, timm, flipped = example_result(), example_result(protocol="timm"), example_result(tta="flip")
    found = accuracies(SPEC, [own, timm, flipped])
    assert [accuracy.reported for accuracy in found] == [*SPEC.reported, None]
    measured = {(accuracy.dataset, accuracy.protocol): accuracy.measured for accuracy in found if accuracy.measured}
    assert measured == {("imagenet1k", "torchvision"): flipped, ("imagenet1k", "timm"): timm}
    assert [accuracy.measured for accuracy in found if accuracy.measured][:1] == [own]
    assert found[-1] == Accuracy(SPEC, None, flipped)  # of other conditions than what is published


def test_the_usual_backend_comes_before_others_whatever_the_files_are_called() -> None:
    """``cifar-dice+openvino+int8.json`` sorts before ``cifar-dice.json``: the first one is what lists show."""
    int8 = example_result(dataset="imagenet-c", backend="openvino", precision="int8")
    usual = example_result(dataset="imagenet-c")
    assert [accuracy.measured for accuracy in accuracies(SPEC, [int8, usual])][-2:] == [usual, int8]


def test_of_other_weights_or_another_model_nothing_is_taken() -> None:
    others = [example_result(weights_sha256="0" * 64), example_result(model="densenet121.lua_in1k")]
    assert accuracies(SPEC, [*others, example_result(subset="fog/1")]) == [
        Accuracy(SPEC, each) for each in SPEC.reported
    ]
