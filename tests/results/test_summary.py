from __future__ import annotations

from examples import example_result

from densezoo.results.summary import summary


def test_the_summary_says_it_all() -> None:
    assert summary(example_result()).splitlines() == [
        "densenet121.tv_in1k on imagenet1k, protocol torchvision",
        "  top-1  74.43 %  (95 % interval 74.05 to 74.81)  37217 of 50000 images",
        "  top-5  91.97 %  (95 % interval 91.73 to 92.21)  45986 of 50000 images",
        "  50,000 images in 1234.5 s (41 images/s), eager float32 on cpu",
    ]
