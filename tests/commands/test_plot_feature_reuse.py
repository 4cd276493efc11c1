from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from digit_pictures import MODEL

CONFIG = "configs/digits/densenet_bc_22_8_digits.py"


def test_a_model_and_a_config_with_its_checkpoint(
    tool: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "f.svg"
    for given in ([MODEL], [CONFIG, CONFIG.replace(".py", ".safetensors")]):
        assert tool("plot_feature_reuse", *given, "-o", out) == 0
        assert capsys.readouterr().out == f"written: {out}\n"
        assert f"<!-- What each layer reads: {MODEL} -->" in out.read_text()
        out.unlink()
    assert tool("plot_feature_reuse", CONFIG, "-o", out) == 1
    assert "is a config; its checkpoint goes after it" in capsys.readouterr().err
    assert tool("plot_feature_reuse", "densenet112.tv_in1k", "-o", out) == 1
    assert "there is no model 'densenet112.tv_in1k'" in capsys.readouterr().err
