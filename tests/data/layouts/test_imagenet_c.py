"""ImageNet-C's sets by the names of folders and tars, written small; and what is said of a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_imagenet import (
    IMAGES,
    NAMES,
    facts,
    image,
    tarred,
    write,
)

from densezoo.data.datasets import find_subsets, open_dataset
from densezoo.errors import DatasetError


def corrupted(root: Path, *subsets: str) -> Path:
    for subset in subsets:
        write(root / subset / "n01443537" / NAMES[0], image(len(subset)))
    return root


SETS = ["gaussian_noise/1", "gaussian_noise/3", "fog/1", "gaussian_blur/5"]  # in the paper's order, the extra one last


@pytest.mark.parametrize(
    ("folder", "found"),
    [("", SETS), ("gaussian_noise", SETS[:2]), ("gaussian_noise/3", SETS[1:2]), ("fog/../fog/1", SETS[2:3])],
)
def test_imagenet_c_s_sets_are_known_by_their_folders(tmp_path: Path, folder: str, found: list[str]) -> None:
    corrupted(tmp_path / "c", *SETS[::-1])
    assert list(find_subsets("imagenet-c", tmp_path / "c" / folder)) == found
    for subset in found:
        images = open_dataset("imagenet-c", tmp_path / "c" / folder, subset=subset)
        alone = open_dataset("imagenet-c", tmp_path / "c" / subset)
        assert (images.subset, facts(images)) == (subset, facts(alone))
        assert facts(images) == [(f"n01443537/{NAMES[0]}", 1, image(len(subset)))]
        assert images.fingerprint() == alone.fingerprint()


def test_imagenet_c_as_its_authors_pack_it(tmp_path: Path) -> None:
    """Groups of corruptions, unpacked or not: noise.tar holds gaussian_noise/1/..., gaussian_noise/2/..., ..."""
    corrupted(tmp_path / "unpacked" / "noise", "gaussian_noise/3", "shot_noise/3")
    corrupted(tmp_path / "unpacked" / "weather", "fog/3")
    members = {f"./{name}/3/n01443537/{NAMES[0]}": image(len(f"{name}/3")) for name in ("gaussian_noise", "shot_noise")}
    tarred(tmp_path / "packed" / "noise.tar", {**members, "./README": b"no image"})
    tarred(tmp_path / "packed" / "weather.tar", {f"fog/3/n01443537/{NAMES[0]}": image(len("fog/3"))})
    tarred(tmp_path / "single" / "fog" / "3.tar", {f"n01443537/{NAMES[0]}": image(len("fog/3"))})
    sets = ("gaussian_noise/3", "shot_noise/3", "fog/3")
    expected = {subset: open_dataset("imagenet-c", tmp_path / "unpacked", subset=subset) for subset in sets}
    for root in ("unpacked", "packed", "packed/noise.tar", "single/fog/3.tar"):
        for subset in find_subsets("imagenet-c", tmp_path / root):
            assert subset is not None
            images = open_dataset("imagenet-c", tmp_path / root, subset=subset)
            assert (images.subset, facts(images)) == (subset, facts(expected[subset]))
            assert images.fingerprint() == expected[subset].fingerprint()
    assert find_subsets("imagenet-c", tmp_path / "packed") == sets


def test_no_mixture_and_no_unknown_set_of_imagenet_c_opens(tmp_path: Path) -> None:
    corrupted(tmp_path / "c", *SETS)
    (tmp_path / "link").symlink_to(tmp_path / "c" / "fog" / "1")
    assert open_dataset("imagenet-c", tmp_path / "link").subset == "fog/1"
    with pytest.raises(DatasetError, match=r"expected one set, found 4: gaussian_noise/1, .* choose by --subset"):
        open_dataset("imagenet-c", tmp_path / "c")
    with pytest.raises(DatasetError, match="expected fog/2, found 1: fog/1"):
        open_dataset("imagenet-c", tmp_path / "c" / "fog", subset="fog/2")
    with pytest.raises(DatasetError, match="imagenet1k is one set, found --subset fog/1; leave out --subset"):
        open_dataset("imagenet1k", tmp_path / "c" / "fog" / "1", subset="fog/1")
    with pytest.raises(DatasetError, match="found no corruption's name; .* Name the folders so, or evaluate other im"):
        open_dataset("imagenet-c", corrupted(tmp_path / "mine", "", "deep/er"))
    with pytest.raises(DatasetError, match=r"foog/3: expected .*, found the corruption 'foog'; did you mean 'fog'\?"):
        open_dataset("imagenet-c", corrupted(tmp_path / "slip", "fog/2", "foog/3"), subset="fog/2")
    with pytest.raises(DatasetError, match="fog/6: expected .*, found the severity '6'; known: 1, 2, 3, 4, 5"):
        open_dataset("imagenet-c", corrupted(tmp_path / "more", "fog/2", "fog/6"), subset="fog/2")
    tar = tarred(tmp_path / "plain.tar", {f"n01443537/{NAMES[0]}": IMAGES[0]})
    with pytest.raises(DatasetError, match=r"plain.tar: n01443537/\S+: expected .*, found the corruption"):
        open_dataset("imagenet-c", tar)
