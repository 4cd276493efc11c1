"""timm's evaluation: the defaults are those of its script, and the logits those of its network."""

from __future__ import annotations

import gc
import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from densezoo.benchmarks import timm_validation


def test_the_defaults_are_those_of_validate_py() -> None:
    args = timm_validation.make_parser().parse_args(["data", "--model", "densenet121", "--checkpoint", "a.pth"])
    assert (args.batch_size, args.workers, args.channels_last, args.amp_dtype) == (256, 4, False, "float32")


@pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)  # timm's files
def test_each_image_s_first_class_is_the_network_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The real steps by a small network of timm's, with real files."""

    class Small(torch.nn.Module):
        pretrained_cfg = {"input_size": (3, 16, 16), "mean": (0.5,) * 3, "std": (0.5,) * 3}  # noqa: RUF012

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            brightness = images.mean((1, 2, 3))  # -1 to 1
            return torch.stack([-brightness, brightness], 1)

    for name, colour in (("a/dark", 20), ("a/bright", 240), ("b/white", 255)):
        (tmp_path / "val" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 30), (colour,) * 3).save(tmp_path / "val" / f"{name}.png")
    monkeypatch.setattr(timm_validation, "create_model", lambda name: Small())
    monkeypatch.setattr(timm_validation, "load_checkpoint", lambda model, path: None)
    accuracy = vars(timm_validation)["accuracy"]
    monkeypatch.setattr(timm_validation, "accuracy", lambda output, target, topk: accuracy(output, target, (1, 2)))
    kept = tmp_path / "predictions.json"
    options = ["--img-size", "16", "--crop-pct", "0.875", "-b", "2", "-j", "0", "--predictions", str(kept)]
    timm_validation.main([str(tmp_path), "--model", "x", "--checkpoint", "y", *options])
    assert {Path(name).name: first for name, first in json.loads(kept.read_text()).items()} == {
        "dark.png": 0, "bright.png": 1, "white.png": 1,
    }  # fmt: skip
    assert capsys.readouterr().out.startswith(" * Acc@1 66.667 Acc@5 100.000 Loss ")
    gc.collect()  # here, where the warnings are ignored
