from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from densezoo.index import load

Tool = Callable[..., int]


@pytest.fixture(autouse=True)
def unlogged() -> Iterator[None]:
    """As if nothing had been logged before in this process."""
    load._log_once.cache_clear()
    yield
    load._log_once.cache_clear()


@pytest.mark.parametrize(
    ("typed", "model"),
    [
        ("densenet121.tv_in1k", "densenet121.tv_in1k"),
        ("tv_densenet121", "densenet121.tv_in1k"),
        ("DenseNet121", "densenet121.ra_in1k"),
        ("densnet-121", "densenet121.ra_in1k"),
        ("DenseNet-121.TV_in1k", "densenet121.tv_in1k"),
        ("densenet264", "densenet264.mindvision_untrained"),
        ("densenetblur121*", "densenetblur121d.ra_in1k"),
    ],
)
def test_the_model_that_is_meant(tool: Tool, capsys: pytest.CaptureFixture[str], typed: str, model: str) -> None:
    assert tool("show", typed) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == model
    for title in ("Architecture", "Files", "Accuracy", "How to use it"):
        assert title in lines


def test_of_an_architecture_it_says_which_model_that_is(tool: Tool, caplog: pytest.LogCaptureFixture) -> None:
    assert tool("show", "DenseNet_40_12") == 0
    (message,) = caplog.messages
    assert message.startswith("densenet_40_12 stands for densenet_40_12.lua_cifar10: the first one in the index; ")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("densenet122", "there is no model 'densenet122'; densezoo has the DenseNet family; densezoo list_models "
         "lists it"),
        ("densenet121.tv_in2k", "there is no model 'densenet121.tv_in2k'; did you mean 'densenet121.tv_in1k'?"),
        ("tv_in1k", "'tv_in1k' may be one of 4 models of densenet121, densenet161, densenet169, densenet201; densezoo "
         "list_models 'tv_in1k' lists them"),
    ],
)  # fmt: skip
def test_what_is_none_or_several(tool: Tool, capsys: pytest.CaptureFixture[str], typed: str, said: str) -> None:
    assert tool("show", typed) == 1
    assert capsys.readouterr().err == f"error: {said}\n"
