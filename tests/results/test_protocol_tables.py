from __future__ import annotations

import dataclasses

from examples import example_result

from densezoo.index.load import load_index
from densezoo.protocols import PROTOCOLS
from densezoo.results.protocol_tables import measured_pairs_table, published_pairs_table, sources_list, steps_table

SPECS = load_index()


def cells(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


def test_every_protocol_is_in_one_of_both_tables() -> None:
    names = [row[0].strip("`") for flag in (True, False) for row in cells(steps_table(resizing=flag))[2:]]
    assert sorted(names) == sorted(PROTOCOLS)
    assert all(f"- `{name}`: {protocol.source}.\n" in sources_list() for name, protocol in PROTOCOLS.items())


def test_what_a_filter_is_worth_to_the_authors_weights() -> None:
    rows = {(row[0].strip("`"), row[1].strip("`")): row[2:] for row in cells(published_pairs_table(SPECS))[2:]}
    changes = [
        timm - torchvision
        for torchvision, timm in ((74.434, 74.75), (75.6, 75.922), (76.896, 77.284), (77.138, 77.384))
    ]
    figures = [f"{change:+.2f}" for change in (sum(changes) / 4, min(changes), max(changes))]
    assert rows["torchvision", "timm"] == ["filter: bilinear → bicubic", "4", *figures]
    assert ("torchvision", "caffe") not in rows  # they differ in too much


def test_a_figure_of_several_views_or_without_top1_is_not_compared() -> None:
    spec = SPECS["densenet121.tv_in1k"]
    torchvision, timm = (next(r for r in spec.reported if r.protocol == name) for name in ("torchvision", "timm"))
    for other in (dataclasses.replace(timm, tta="ten-crop"), dataclasses.replace(timm, top1=None)):
        changed = dataclasses.replace(spec, reported=(torchvision, other), port_of=None)
        kept = dataclasses.replace(spec, name="x.y", reported=(torchvision, timm), port_of=None)
        rows = cells(published_pairs_table({changed.name: changed, kept.name: kept}))[2:]
        assert [row[3] for row in rows] == ["1"]


def test_measured_changes_are_from_the_weights_own_protocol() -> None:
    results = [
        example_result(protocol="timm", top1=74.75, backend="native", backend_difference=1e-6),
        example_result(),
        example_result(tta="flip", top1=80.0),
        example_result(protocol="caffe", backend="openvino"),
        example_result(protocol="keras", dataset_fingerprint="0" * 64),
    ]
    header, _, *rows = cells(measured_pairs_table(SPECS.values(), results))
    assert header[2:] == ["protocol", "what differs from its own", "top-1", "change"]
    assert [row[2:] for row in rows] == [
        ["`torchvision`", "", "74.43", ""],
        ["`timm`", "filter: bilinear → bicubic", "74.75", "+0.32"],
    ]
    assert measured_pairs_table(SPECS.values(), results[1:2]) == ""
