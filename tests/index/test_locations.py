from __future__ import annotations

import dataclasses

import pytest

from densezoo.index.load import load_index
from densezoo.index.locations import direct_url, file_name, locations
from densezoo.types import WeightSource


@pytest.mark.parametrize(
    ("published", "direct", "name"),
    [
        (
            "https://download.pytorch.org/models/densenet121-a639ec97.pth",
            "https://download.pytorch.org/models/densenet121-a639ec97.pth",
            "densenet121-a639ec97.pth",
        ),
        (
            "https://huggingface.co/timm/densenet121.tv_in1k",
            "https://huggingface.co/timm/densenet121.tv_in1k/resolve/main/model.safetensors",
            "model.safetensors",
        ),
        (
            "https://github.com/deeplearning-wisc/dice (checkpoints/CIFAR-10/densenet/checkpoint_100.pth.tar)",
            "https://github.com/deeplearning-wisc/dice/raw/HEAD/checkpoints/CIFAR-10/densenet/checkpoint_100.pth.tar",
            "checkpoint_100.pth.tar",
        ),
        (
            "https://drive.google.com/open?id=0B8ReS-sYUS-HWFViYlVlZk9sdHc",
            "https://drive.usercontent.google.com/download?id=0B8ReS-sYUS-HWFViYlVlZk9sdHc&export=download&confirm=t",
            "a.b.t7",
        ),
        (
            "https://drive.google.com/file/d/0By1NwtA2JPGzdVRqOEotMUZrbTA/view?usp=sharing",
            "https://drive.usercontent.google.com/download?id=0By1NwtA2JPGzdVRqOEotMUZrbTA&export=download&confirm=t",
            "a.b.t7",
        ),
        ("https://example.org/ask the author", None, "a.b.t7"),
        ("kaggle://keras/densenet/keras/densenet_121_imagenet/3", None, "a.b.t7"),
        ("http://data.lip6.fr/a/densenet121-fbdb23505.pth", "http://data.lip6.fr/a/densenet121-fbdb23505.pth", None),
    ],
)
def test_links_and_the_files_behind_them(published: str, direct: str | None, name: str | None) -> None:
    source = WeightSource("torch7", "t7", url=published)
    assert direct_url(published) == direct
    assert file_name("a.b", source) == (name or published.rpartition("/")[2])
    assert locations("a.b", source, []) == ([direct] if direct else [])


def test_every_file_of_the_index_has_a_location_of_its_own() -> None:
    for spec in load_index().values():
        downloads = [source for source in spec.weights if source.path is None]
        offered = [source for source in downloads if not source.withdrawn and not source.not_loadable]
        assert all(locations(spec.name, source, []) for source in offered), spec.name
        named = {file_name(spec.name, source) for source in downloads}
        assert len(named) == len(downloads), spec.name
        assert not any(set(name) & set("/\\ ") or name.startswith(".") for name in named), named


def test_what_is_withdrawn_is_asked_of_mirrors_alone() -> None:
    source = WeightSource("torch7", "t7", url="https://a.example/f.t7", mirrors=("https://b.example/f.t7",))
    withdrawn = dataclasses.replace(source, withdrawn="2024-01-09: links removed")
    assert locations("a.b", source, ["/m"])[1:] == ["https://a.example/f.t7", "https://b.example/f.t7"]
    assert locations("a.b", withdrawn, ["/m"]) == ["/m/a.b/f.t7", "https://b.example/f.t7"]


def test_mirrors_come_first_and_no_location_twice() -> None:
    hub = "https://huggingface.co/timm/a"
    direct = f"{hub}/resolve/main/model.safetensors"
    source = WeightSource("torch", "safetensors", url=hub, mirrors=(direct, "https://b.example/c"))
    asked = locations("a.b", source, ["https://m/", "/n"])
    assert asked == ["https://m/a.b/model.safetensors", "/n/a.b/model.safetensors", direct, "https://b.example/c"]
