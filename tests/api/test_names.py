"""Names that don't exist are refused with the nearest one; what exists passes, without torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from densezoo import api
from densezoo.api.names import check_data, check_names
from densezoo.errors import ConfigError, DatasetError, DensezooError, UnknownNameError

CONFIG, CHECKPOINT = api.DEMO


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        ({"names": ["timm", "tim"]}, UnknownNameError, "there is no protocol 'tim'; did you mean 'timm'?"),
        ({"names": ["all", "tim"]}, UnknownNameError, "there is no protocol 'tim'; did you mean 'timm'?"),
        ({"dataset": "digit"}, UnknownNameError, "there is no dataset 'digit'; did you mean 'digits'?"),
        ({"tta": "flop"}, UnknownNameError, "there is no test-time augmentation 'flop'; did you mean 'flip'?"),
        ({"backend": "eagre"}, UnknownNameError, "there is no backend 'eagre'; did you mean 'eager'?"),
        ({"precision": "float23"}, UnknownNameError, "there is no precision 'float23'; did you mean 'float32'?"),
        (
            {"backend": "eager", "precision": "float23"},
            UnknownNameError,
            "there is no precision of backend eager 'float23'; did you mean 'float32'?",
        ),
        (
            {"device": "cudda:1"},
            ConfigError,
            "--device cudda:1: expected such as cpu, cuda or cuda:1; did you mean 'cuda'?",
        ),
        ({"device": "cuda:-1"}, ConfigError, "--device cuda:-1: expected such as cpu, cuda or cuda:1"),
        ({"device": "foo"}, ConfigError, "--device foo: expected such as cpu, cuda or cuda:1; known: cpu, cuda"),
        ({"device": ""}, ConfigError, "--device : expected such as cpu, cuda or cuda:1"),
        (
            {"config": CONFIG, "overrides": {"protocol": "digit"}},
            UnknownNameError,
            "there is no protocol 'digit'; did you mean 'digits'?",
        ),
        (
            {"config": CONFIG, "overrides": {"dataset": "digit"}},
            UnknownNameError,
            "there is no dataset 'digit'; did you mean 'digits'?",
        ),
        (
            {"config": CHECKPOINT, "checkpoint": CONFIG},
            ConfigError,
            f"config and checkpoint are swapped: expected {CONFIG} {CHECKPOINT}, the config first",
        ),
        (
            {"checkpoint": CHECKPOINT, "overrides": {"model.bn_eps": 0.5}},
            ConfigError,
            "--cfg-options model.bn_eps: overrides a field of a config, and none is given; give CONFIG.py CHECKPOINT",
        ),
        (
            {"checkpoint": CONFIG},
            ConfigError,
            f"{CONFIG}: is a config; a checkpoint goes after it: CONFIG.py CHECKPOINT",
        ),
    ],
)
def test_what_does_not_exist(given: dict[str, Any], kind: type[DensezooError], message: str) -> None:
    with pytest.raises(kind) as caught:
        check_names(**given)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"config": CONFIG, "checkpoint": CHECKPOINT, "names": ["all"], "tta": "ten-crop", "device": "cuda:11"},
        {"checkpoint": "no/such/file.pth", "names": ["timm", "caffe"], "dataset": "imagenet-c", "device": "mps"},
        {"config": CONFIG, "overrides": {"protocol": "digit"}, "names": ["digits"]},  # which isn't used then
        {"config": CONFIG, "overrides": {"dataset": "digit"}, "dataset": "digits"},
    ],
)
def test_what_exists_or_is_not_used_passes(given: dict[str, Any]) -> None:
    check_names(**given)


def test_it_imports_no_torch() -> None:
    program = (
        f"import sys; from densezoo.api.names import check_names; check_names({str(CONFIG)!r}, 'x.pth', names=['all'],"
        " tta='flip', device='cuda'); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_images_that_are_not_there_before_weights_are_fetched(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="imagenet1k needs --data-root"):
        check_data("densenet121.tv_in1k", None, None)
    with pytest.raises(DatasetError, match="nowhere: there is no such file or folder"):
        check_data("densenet121.tv_in1k", "imagefolder", tmp_path / "nowhere")
    check_data("densenet121.tv_in1k", None, tmp_path)
    check_data("densenet_bc_22_8.densezoo_digits", None, None)  # scikit-learn has them
    check_data("no such model", None, None)
