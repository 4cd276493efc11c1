from __future__ import annotations

from densezoo.results.site.zoo import Zoo


def test_a_model_s_headline_is_the_one_that_is_listed(zoo: Zoo) -> None:
    assert zoo.headlines.keys() == zoo.specs.keys()
    headline = zoo.headlines["densenet121.ra_in1k"]
    assert (headline.dataset, headline.label, str(headline.reported and headline.reported.top1)) == (
        "imagenet1k",
        "timm-288",
        "76.486",
    )


def test_another_backend_is_no_headline(zoo: Zoo) -> None:
    """A file of int8 sorts before that of float32."""
    assert zoo.headlines["densenet_bc_100_12.dice_cifar10"].label == "cifar-dice"


def test_older_figures_are_told_from_current_ones(zoo: Zoo) -> None:
    own = zoo.accuracies["densenet121.tv_in1k"]
    old = [str(row.reported.top1) for row in own if row.reported and zoo.is_older(row)]
    assert "74.65" in old
    assert "74.434" not in old
    assert not any(zoo.is_older(row) for rows in zoo.accuracies.values() for row in rows if row.reported is None)


def test_datasets_have_titles_in_the_order_of_the_result_pages(zoo: Zoo) -> None:
    assert next(iter(zoo.datasets.items())) == ("imagenet1k", "ImageNet-1k")
    assert "cifar10" in zoo.datasets
    assert "cifar10+" not in zoo.datasets


def test_what_was_measured_is_compared_by_the_rule(zoo: Zoo) -> None:
    assert {zoo.agreement(result).agrees for result in zoo.results} <= {True, None}
