"""The pages as files; tests/results/site/test_in_browser.py opens them."""

from __future__ import annotations

import dataclasses
import json
import posixpath
import re
from collections.abc import Mapping
from html.parser import HTMLParser

import pytest

from densezoo.results.site import pages, photographs
from densezoo.results.site.pages import PAGES, model_path, site_files
from densezoo.results.site.zoo import Zoo
from densezoo.types import ReportedResult, WeightSource

#: {tag: the attribute by which it loads something}; an <a> loads nothing until somebody follows it.
LOADS = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src", "object": "data"}
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&"


class Page(HTMLParser):
    """What a page loads, links to, has for anchors and shows as text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.texts: list[str] = []
        self.tags: list[str] = []
        self.handlers: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        self.tags.append(tag)
        self.handlers += [name for name in given if name.startswith("on")]
        if value := given.get(LOADS.get(tag, "")):
            self.loads.append(value)
        if tag == "a":
            self.links.append(given["href"] or "")
        if value := given.get("id"):
            self.ids.append(value)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.fixture(scope="session")
def parsed(files: Mapping[str, bytes]) -> Mapping[str, Page]:
    return {path: Page(content.decode()) for path, content in files.items() if path.endswith(".html")}


def test_a_page_for_every_model_and_the_others(zoo: Zoo, parsed: Mapping[str, Page]) -> None:
    assert set(parsed) == {*PAGES, *(model_path(spec) for spec in zoo.specs.values())}


def test_everything_that_is_loaded_or_linked_is_there(files: Mapping[str, bytes], parsed: Mapping[str, Page]) -> None:
    for path, page in parsed.items():
        assert len(page.ids) == len(set(page.ids)), path
        for target in page.loads:
            assert posixpath.normpath(posixpath.join(posixpath.dirname(path), target)) in files, (path, target)
        for target in page.links:
            if not target.startswith(("https://", "http://")):
                file, _, anchor = target.partition("#")
                whole = posixpath.normpath(posixpath.join(posixpath.dirname(path), file)) if file else path
                assert whole in files, (path, target)
                assert file or anchor in parsed[path].ids, (path, target)


def test_it_is_small(files: Mapping[str, bytes]) -> None:
    assert sum(map(len, files.values())) < 3_000_000


def test_every_figure_of_a_model_is_on_its_page(zoo: Zoo, parsed: Mapping[str, Page]) -> None:
    for name in ("densenet121.ra_in1k", "densenet_bc_100_12.dice_cifar10", "densenet121.tv_in1k"):
        spec = zoo.specs[name]
        text = " ".join("".join(parsed[model_path(spec)].texts).split())
        for result in spec.reported:
            assert result.top1 is None or str(result.top1) in text
            assert result.where in text
        for accuracy in zoo.accuracies[name]:
            if accuracy.measured:
                assert f"{accuracy.measured.top1:.2f}" in text
                assert zoo.agreement(accuracy.measured).briefly() in text
        for source in spec.weights:
            assert all(stated.digits in text for stated in source.stated_hashes)
        assert f'create_model("{name}"' in text
        assert f"{spec.num_params / 1e6:.2f} M" in text


def test_what_metafiles_say_is_text(zoo: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    """A metafile is untrusted: neither its words nor its addresses become markup or script."""
    monkeypatch.setattr(photographs, "shots", lambda protocols: ([], {}))  # drawn by another test
    result = ReportedResult("imagenet1k", "timm", 80.0, None, HOSTILE, HOSTILE, note=HOSTILE, not_evaluable=HOSTILE)
    source = WeightSource(HOSTILE, HOSTILE, url=f"javascript:{HOSTILE}", mirrors=("javascript:alert(3)",), note=HOSTILE)
    spec = dataclasses.replace(
        zoo.specs["densenet121.tv_in1k"],
        publisher=HOSTILE,
        license=HOSTILE,
        paper="javascript:alert(4)",
        code=f"https://example.org/{HOSTILE}",
        aliases=(HOSTILE,),
        named_by={HOSTILE: HOSTILE},
        recipe={HOSTILE: HOSTILE, "techniques": (HOSTILE, HOSTILE)},
        weights=(source,),
        reported=(result,),
        port_of=None,
        not_evaluable=HOSTILE,
    )
    files = site_files(dataclasses.replace(zoo, specs={spec.name: spec}, results=[], classes=lambda _: [HOSTILE]))
    for path, content in files.items():
        if path.endswith(".html"):
            page = Page(content.decode())
            assert page.handlers == []
            assert "".join(page.tags).count("img") == {"why.html": 2, model_path(spec): 1}.get(path, 0)
            assert not any(link.lower().startswith(("javascript:", "https://example.org")) for link in page.links)
            assert all(target.startswith(("assets/", "../assets/", "densenet121.svg")) for target in page.loads)
    own = "".join(Page(files[model_path(spec)].decode()).texts)
    assert own.count(HOSTILE) >= 12
    assert HOSTILE in "".join(Page(files["index.html"].decode()).texts)
    data = files["assets/zoo.js"].decode()
    assert "<" not in data
    assert json.loads(data.removeprefix("const zoo = ").removesuffix(";\n"))["models"][0]["publisher"] == HOSTILE


def test_a_model_s_name_is_a_file_s(zoo: Zoo) -> None:
    assert all(re.fullmatch(r"[a-z0-9_]+\.[a-z0-9_]+", name) for name in zoo.specs)


def test_a_zoo_without_results_has_its_empty_states(zoo: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photographs, "shots", lambda protocols: ([], {}))
    spec = zoo.specs["densenet264d.untrained"]
    files = site_files(dataclasses.replace(zoo, specs={spec.name: spec}, results=[], benchmarks=[]))
    text = files[model_path(spec)].decode()
    assert "Nothing is published, and nothing was measured." in text
    assert "No file is published." in text
    assert set(PAGES) < set(files)
    assert pages.PAGES["index.html"] == "Models"
