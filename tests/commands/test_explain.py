from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from digit_pictures import MODEL, digit_pictures
from PIL import Image

Tool = Callable[..., int]
CONFIG = "configs/digits/densenet_bc_22_8_digits.py"


def test_a_heat_map_is_written_and_the_answer_printed(
    tool: Tool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (digit,) = digit_pictures(tmp_path, 1)
    picture, out = tmp_path / "0.png", tmp_path / "cam.png"
    assert tool("explain", MODEL, picture, "-o", out, "--theme", "dark") == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{picture}: {digit} (class {digit}), ")
    assert second == f"written: {out}"
    with Image.open(out) as drawn:
        assert (drawn.format, drawn.width) == ("PNG", 1660)
    other = tmp_path / "b.svg"
    checkpoint = CONFIG.replace(".py", ".safetensors")
    assert tool("explain", CONFIG, checkpoint, picture, "-o", other, "--class", 7, "--layer", "features.conv0") == 0
    assert "7 (class 7)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([MODEL, "0.png", "1.png"], "expected one picture to explain, found 2: 0.png 1.png"),
        ([MODEL, "none.png"], "none.png: there is no such image, folder or tar"),
        ([MODEL, "0.png", "--class", "eleven"], "there is no class 'eleven'; they are 0, 1, 2, 3, 4, ... (10 in all)"),
        ([MODEL, "0.png", "--class", "11"], "there is no class 11; expected 0 to 9, or a name"),
        (
            [MODEL, "0.png", "--layer", "features.norm4"],
            "there is no layer 'features.norm4'; did you mean 'features.no",
        ),
        ([MODEL, "0.png", "--layer", "classifier"], "layer classifier gives (1, 10); expected maps (1, C, h, w), as "),
        ([MODEL, "0.png", "-o", "x.jpg"], "x.jpg: the extension says what is written: expected, for a plot file, .png"),
        ([MODEL, "0.png", "-o", "nowhere/x.png"], "nowhere/x.png: the diagram can't be written (No such file"),
    ],
)
def test_mistakes(
    tool: Tool,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    digit_pictures(tmp_path, 2)
    monkeypatch.chdir(tmp_path)
    assert tool("explain", *arguments) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(f"error: {message}")
    assert shown.err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.png", "1.png"]
