from __future__ import annotations

import dataclasses

from examples import example_result

from densezoo.results.corruptions import ALEXNET_ERRORS
from densezoo.results.summary import matrix, summary


def test_the_summary_says_it_all() -> None:
    assert summary(example_result()).splitlines() == [
        "densenet121.tv_in1k on imagenet1k, protocol torchvision",
        "  top-1  74.43 %  (95 % interval 74.05 to 74.81)  37217 of 50000 images",
        "  top-5  91.97 %  (95 % interval 91.73 to 92.21)  45986 of 50000 images",
        "  50,000 images in 1234.5 s (41 images/s), eager float32 on cpu",
    ]


def test_a_sample_is_called_one() -> None:
    sample = example_result(num_samples=100, sampled_from=50000)
    line = "  A SAMPLE: 100 of 50,000 images, evenly spaced over the classes; no result of the dataset"
    assert summary(sample).splitlines()[1] == line
    assert matrix([sample, dataclasses.replace(sample, protocol="timm")]).splitlines()[1] == line


def test_a_set_that_the_sample_leaves_whole_has_its_own_images() -> None:
    sample = example_result(num_samples=100, sampled_from=50000, subset="fog/1")
    whole = example_result(num_samples=90, subset="fog/2")
    assert matrix([sample, whole]).splitlines()[1].startswith("  A SAMPLE: 190 of 50,090 images")


def test_no_mean_over_corruptions_is_made_of_samples() -> None:
    names = [f"{name}/{severity}" for name in ALEXNET_ERRORS for severity in range(1, 6)]
    sets = [example_result(dataset="imagenet-c", subset=name) for name in names]
    assert "mean corruption error" in matrix(sets)
    samples = [dataclasses.replace(each, num_samples=100, sampled_from=50000) for each in sets]
    assert "mean corruption error" not in matrix(samples)
    assert "A SAMPLE: 7,500 of 3,750,000 images" in matrix(samples)
