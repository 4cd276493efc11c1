"""The site in a real Chromium: what a visitor does, with no error, no request to another host, and nothing for axe."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium")

KINDS = ["index.html", "accuracies.html", "plot.html", "why.html", "compare.html", "models/densenet121.tv_in1k.html"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install densezoo[dev]")
    with playwright.sync_playwright() as started:
        found = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[Page]:
    """One page for all tests; it ends with nothing in the console and nothing asked of another host."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce").new_page()
    page.set_default_timeout(60_000)  # a busy machine is no failure
    complaints: list[str] = []
    page.on(
        "console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: None if request.url.startswith("file:") else complaints.append(request.url))
    yield page
    assert complaints == []


@pytest.fixture
def visit(tab: Page, folder: Path) -> Page:
    """The tab, and `visit.goto` from an empty page: only another address loads a page anew."""
    tab.goto("about:blank")
    tab.set_viewport_size({"width": 1280, "height": 900})
    tab.emulate_media(color_scheme="light")
    return tab


def address(folder: Path, page: str) -> str:
    return f"{folder.as_uri()}/{page}"


def names(page: Page) -> list[str]:
    """The models whose rows are shown, in order."""
    found: list[str] = page.eval_on_selector_all(
        "[data-sortable] tbody tr:not([hidden]) th a", "links => links.map(link => link.textContent)"
    )
    return found


def chosen(page: Page, label: str) -> Locator:
    """The list to choose from that has this label."""
    return page.get_by_role("combobox", name=label, exact=True)


def test_search_filters_and_what_finds_nothing(visit: Page, folder: Path) -> None:
    visit.goto(address(folder, "index.html"))
    everything = len(names(visit))
    assert visit.text_content("[data-status]") == f"{everything} models"
    visit.get_by_label("Search").fill("RDNet base")
    assert names(visit) == ["rdnet_base.nv_in1k"]
    assert visit.text_content("[data-status]") == f"1 of {everything} models"
    visit.get_by_label("Search").fill("no such model")
    assert names(visit) == []
    assert visit.is_visible("[data-empty]")
    visit.click("[data-clear]")
    assert len(names(visit)) == everything
    chosen(visit, "Dataset").select_option("ImageNet-1k")
    visit.get_by_label("Params to, M").fill("8")
    visit.get_by_label("Top-1 from").fill("76.4")
    assert set(names(visit)) == {"densenet121.ra_in1k", "densenetblur121d.ra_in1k", "densenet121.pcv_in1k"}
    visit.reload()  # the address keeps what was asked for
    assert len(names(visit)) == 3


def test_sorting_by_any_column_with_the_mouse_and_the_keyboard(visit: Page, folder: Path) -> None:
    visit.goto(address(folder, "index.html"))
    heading = visit.locator("th[data-name=top1]")
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    figures = [float(text) for text in visit.locator("tbody tr td:nth-child(4)").all_text_contents() if text]
    assert figures == sorted(figures, reverse=True)
    mixed = "Figures of different datasets can't be compared"
    assert mixed in (visit.text_content("[data-status]") or "")
    chosen(visit, "Dataset").select_option("ImageNet-1k")
    assert mixed not in (visit.text_content("[data-status]") or "")
    chosen(visit, "Dataset").select_option("")
    heading.get_by_role("button").press("Enter")
    assert heading.get_attribute("aria-sort") == "ascending"
    assert visit.locator("tbody tr td:nth-child(4)").first.text_content() == str(min(figures))
    assert visit.locator("tbody tr td:nth-child(4)").last.text_content() == ""  # what is empty comes last
    sorted_by = visit.locator("thead button").evaluate_all(
        "all => all.map(each => (each.click(), [...document.querySelectorAll('[aria-sort] button')].includes(each)))"
    )
    assert len(sorted_by) > 8
    assert all(sorted_by)


def test_the_plot_answers_to_mouse_and_keys_and_leads_to_a_model(visit: Page, folder: Path) -> None:
    visit.goto(address(folder, "plot.html"))
    points = visit.locator(".plot svg a")
    assert points.count() == int((visit.text_content("[data-status]") or "").split()[0]) > 50
    points.last.hover(force=True)
    assert visit.is_visible(".tip")
    assert " % published by " in (visit.text_content(".tip") or "")
    stops = visit.locator('.plot svg a[tabindex="0"]')
    assert stops.count() == 1
    stops.focus()
    first = visit.text_content(".tip")
    visit.keyboard.press("ArrowRight")
    assert visit.text_content(".tip") != first
    visit.keyboard.press("End")
    name = visit.text_content(".tip strong")
    assert name == "rdnet_large.nv_in1k_ft_in1k_384"
    visit.keyboard.press("Enter")
    visit.wait_for_url(f"**/models/{name}.html")
    visit.go_back()
    chosen(visit, "Dataset").select_option("CIFAR-10")
    chosen(visit, "Up").select_option("measured")
    chosen(visit, "Protocol").select_option("every")
    assert " measured (" in (visit.locator(".plot svg a").first.get_attribute("aria-label") or "")
    chosen(visit, "Dataset").select_option("SVHN")
    assert visit.is_visible(".plot .empty")


def test_one_photograph_under_two_protocols(visit: Page, folder: Path) -> None:
    visit.goto(f"{address(folder, 'why.html')}#left=torchvision&right=timm")
    sources = [visit.locator(f"[data-{side}]").get_attribute("src") for side in ("left", "right")]
    assert sources[0] != sources[1]
    assert visit.locator("[data-left]").evaluate("image => image.decode().then(() => image.naturalWidth)") == 224
    assert visit.locator("[data-steps] tr.differs").all_text_contents() == ["filterbilinearbicubic"]
    assert "densenet121.lua_in1k74.43474.750+0.32" in visit.locator("[data-figures] tr").all_text_contents()
    slider = visit.get_by_role("slider")
    assert slider.get_attribute("aria-valuetext") == "50 percent torchvision, the rest timm"
    slider.press("Home")
    assert visit.locator("[data-frame]").evaluate("frame => frame.style.getPropertyValue('--cut')") == "0%"
    assert slider.get_attribute("aria-valuetext") == "0 percent torchvision, the rest timm"
    chosen(visit, "Right").select_option("torchvision")
    assert visit.text_content("[data-status]") == "Choose two protocols."
    chosen(visit, "View").select_option("difference")
    assert slider.is_disabled()


def test_two_models_are_chosen_and_compared(visit: Page, folder: Path) -> None:
    visit.goto(address(folder, "index.html"))
    visit.get_by_label("compare densenet121.tv_in1k").check()
    visit.get_by_label("compare densenet121.lua_in1k").check()
    visit.get_by_role("link", name="Compare them").click()
    visit.wait_for_url("**/compare.html#a=densenet121.tv_in1k&b=densenet121.lua_in1k")
    assert "the weights of one training, densenet121.lua_in1k" in (visit.text_content("[data-status]") or "")
    assert "Publishertorchvision" in "".join(visit.locator("tr.differs").all_text_contents())
    visit.get_by_label("Second").fill("densenet121.ra_in1k")
    rows = visit.locator("[data-comparison] table").nth(1).locator("tbody tr").all_text_contents()
    assert rows[0].startswith("ImageNet-1ktimm")  # what both have comes first, with the difference
    visit.get_by_label("First").fill("<img src=x onerror=alert(1)>")
    assert "There is no model “<img" in (visit.text_content("[data-status]") or "")


def test_from_page_to_page(visit: Page, folder: Path) -> None:
    visit.goto(address(folder, "index.html"))
    for name in ("Accuracies", "Plot", "Why they differ", "Compare", "Models"):
        visit.get_by_role("navigation", name="Pages").get_by_role("link", name=name).click()
        assert visit.locator("nav [aria-current=page]").text_content() == name
    visit.get_by_role("link", name="densenet121.mxnet_in1k").click()
    assert visit.text_content("h1") == "densenet121.mxnet_in1k"
    assert visit.locator(".tree [aria-current]").text_content() == "densenet121.mxnet_in1k"
    visit.locator(".tree").get_by_role("link", name="densenet121.caffe_in1k").click()
    assert visit.text_content("h1") == "densenet121.caffe_in1k"
    visit.keyboard.press("Tab")
    assert visit.evaluate("document.activeElement.textContent") == "Skip to the content"


@pytest.mark.parametrize("page", KINDS)
def test_axe_finds_nothing_and_a_phone_shows_it_whole(page: str, visit: Page, folder: Path) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    visit.set_viewport_size({"width": 390, "height": 844})
    visit.goto(address(folder, page))
    assert visit.evaluate("document.documentElement.scrollWidth") <= 390
    if page == "index.html":  # no figure without its dataset and protocol
        below = "getComputedStyle(document.querySelector('tbody th'), '::after').content"
        assert visit.evaluate(below) == '"ImageNet-1k, torchvision"'
    visit.set_viewport_size({"width": 1280, "height": 900})
    assert visit.evaluate("document.documentElement.scrollWidth") <= 1280
    visit.evaluate(
        "document.querySelectorAll('tbody').forEach(body => [...body.rows].slice(12).forEach(r => r.remove()))"
    )
    for scheme, width in (("dark", 390), ("light", 1280)):
        visit.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        visit.set_viewport_size({"width": width, "height": 900})
        options = {"resultTypes": ["violations"], "preload": False}  # it would fetch styles
        found = axe.run(visit, options=options).response["violations"]
        assert [(each["id"], [node["target"] for node in each["nodes"][:3]]) for each in found] == []
