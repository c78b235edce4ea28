"""The run's page in Chromium: used by mouse, by keyboard, and with a screen reader."""

import io
import itertools
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import PIL.Image
import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from hubserve import Classification, ClassScore, ImageError
from hubserve_cli.report import RunPage

CHROMIUM = shutil.which("chromium")
AXE = Path(sys.prefix) / "axe.min.js"
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
PATIENCE_MS = 120_000
MANY = 5_000
HOSTILE = "</script><img src=x onerror=\"document.title='taken over'\">"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium: scripts/install-chromium brings it"),
]
Visit = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium with a profile of its own, which is removed with it."""
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split(), timeout=PATIENCE_MS)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Open a page; at the end, its console must be empty, and nothing must have been loaded from elsewhere."""
    contexts, troubles = [], []

    def visit(file: Path, **options: object) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("dialog", lambda dialog: troubles.append(dialog.message))
        page.on("request", lambda asked: asked.url.startswith(("data:", "file:")) or troubles.append(asked.url))
        page.goto(file.as_uri())
        return page

    yield visit
    for context in contexts:
        context.close()
    assert troubles == []


def image(name: str, *classes: tuple[str, float]) -> Classification:
    scores = tuple(ClassScore(number, label, score) for number, (label, score) in enumerate(classes))
    return Classification(source=name, index=0, status=0, classes=scores, model_version=3, seconds=0.02)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five images, of which one has a hostile name and label, and two failures."""
    file = tmp_path_factory.mktemp("small") / "run.html"
    PIL.Image.new("RGB", (90, 60), "teal").save(picture := io.BytesIO(), "png")
    with RunPage(file, model="lite0", server="localhost:8500") as page:
        # Sure; between two; spread over three.
        page.add(image("zoo/tabby.jpg", ("cat", 0.98), ("dog", 0.01), ("owl", 0.01)), picture.getvalue())
        page.add(image("zoo/wolf.jpg", ("dog", 0.50), ("cat", 0.49), ("owl", 0.01)), picture.getvalue())
        page.add(image("park/rex.jpg", ("dog", 0.40), ("cat", 0.30), ("owl", 0.30)), picture.getvalue())
        page.add(image("park/hedwig.jpg", ("owl", 0.90), ("cat", 0.05), ("dog", 0.05)), picture.getvalue())
        page.add(image(HOSTILE, (HOSTILE, 0.7), ("hen", 0.1)))
        page.add(Classification(source="notes.jpg", index=5, status=1, seconds=0.02), b"notes")
        page.add(Classification(source=HOSTILE, index=6, exception=ImageError(f"{HOSTILE}: {HOSTILE}")))
    return file


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("big") / "run.html"
    PIL.Image.new("RGB", (24, 18), "teal").save(picture := io.BytesIO(), "bmp")
    with RunPage(file, model="lite0") as page:
        for number in range(MANY):
            score = 0.5 + number * 7919 % MANY / MANY / 2
            classes = [(f"label {number % 100}", score), *((f"other {rank}", 0.1 / rank) for rank in range(2, 6))]
            page.add(image(f"photos/{number:05}.jpg", *classes), picture.getvalue())
    assert file.stat().st_size < 12 * 2**20
    return file


def names(page: Page) -> list[str]:
    """The names of the visible images, in their order."""
    # Not inner texts, which are empty before an element is drawn: a card that has just moved is drawn a frame later.
    return page.locator(".card:not([hidden]) .name").all_text_contents()


def status(page: Page) -> Locator:
    return page.get_by_role("status")


def test_search_label_and_sort_narrow_and_order_what_is_seen(visit: Visit, small: Path) -> None:
    page = visit(small)
    expect(status(page)).to_have_text("5 images")
    page.get_by_role("searchbox", name="Search").fill("ZOO")
    expect(status(page)).to_have_text("2 of 5 images")
    assert names(page) == ["zoo/tabby.jpg", "zoo/wolf.jpg"]
    page.get_by_role("combobox", name="Label").select_option(label="dog (2)")
    expect(status(page)).to_have_text("1 of 5 images")
    assert names(page) == ["zoo/wolf.jpg"]
    page.get_by_role("searchbox").fill("hen")
    expect(status(page)).to_have_text("None of 5 images matches")
    page.get_by_role("button", name="Show all").click()
    expect(status(page)).to_have_text("5 images")
    for order, first in {
        "Score, highest first": "zoo/tabby.jpg",
        "Uncertainty: lowest best score first": "park/rex.jpg",
        "Uncertainty: smallest margin first": "zoo/wolf.jpg",
        "Order of the run": "zoo/tabby.jpg",
    }.items():
        page.get_by_role("combobox", name="Sort by").select_option(label=order)
        assert names(page)[0] == first
    assert len(names(page)) == 5


def test_hostile_names_and_labels_are_read_and_do_nothing(visit: Visit, small: Path) -> None:
    page = visit(small)
    assert page.title() == "lite0: 7 images"
    expect(page.get_by_role("heading", name=HOSTILE, exact=True)).to_be_visible()
    failures = page.get_by_role("region", name="Failures")
    expect(failures.get_by_text("notes.jpg")).to_be_visible()
    expect(failures.get_by_text("the server cannot decode it as an image")).to_be_visible()
    expect(failures.locator("summary", has_text=HOSTILE)).to_be_visible()


def test_everything_is_reached_and_left_by_keyboard(visit: Visit, small: Path) -> None:
    page = visit(small)
    keys = page.keyboard
    keys.press("Tab")
    expect(page.get_by_role("link", name="Skip to the images")).to_be_focused()
    expect(page.get_by_role("link", name="Skip to the images")).to_be_in_viewport()
    keys.press("Enter")
    expect(page.locator("#images")).to_be_focused()
    keys.press("Tab")
    expect(page.get_by_role("searchbox")).to_be_focused()
    outline = page.get_by_role("searchbox").evaluate("node => getComputedStyle(node).outlineStyle")
    assert outline == "solid"
    keys.type("owl")
    expect(status(page)).to_have_text("4 of 5 images")
    keys.press("Tab")
    keys.type("owl")
    expect(status(page)).to_have_text("1 of 5 images")
    keys.press("Tab")
    keys.type("Uncertainty: l")
    expect(page.get_by_role("combobox", name="Sort by")).to_have_value("score+")
    keys.press("Tab")
    expect(page.get_by_role("button", name="Show all")).to_be_focused()
    keys.press("Enter")
    expect(status(page)).to_have_text("5 images")
    expect(page.get_by_role("searchbox")).to_be_focused()
    # Out of the page in a few steps: no trap, and not a stop at each image.
    for _ in range(4):
        keys.press("Tab")
    assert page.evaluate("document.activeElement === document.body")


def test_an_image_is_enlarged_by_mouse_and_by_keyboard(visit: Visit, small: Path) -> None:
    page = visit(small)
    keys, large = page.keyboard, page.get_by_role("dialog")
    page.get_by_role("button", name="Enlarge zoo/wolf.jpg").click()
    expect(large).to_be_visible()
    expect(large).to_contain_text("zoo/wolf.jpg")
    expect(large).to_contain_text("cat 49.0%")
    assert large.locator("img").evaluate("node => node.decode().then(() => node.naturalWidth)") == 90
    keys.press("ArrowRight")
    expect(large).to_contain_text("park/rex.jpg")
    large.get_by_role("button", name="Next").click()
    expect(large).to_contain_text("park/hedwig.jpg")
    # The last one with an image.
    expect(large.get_by_role("button", name="Next")).to_be_disabled()
    keys.press("ArrowLeft")
    keys.press("Escape")
    expect(large).to_be_hidden()
    expect(page.get_by_role("button", name="Enlarge park/rex.jpg")).to_be_focused()
    keys.press("ArrowLeft")
    expect(page.get_by_role("button", name="Enlarge zoo/wolf.jpg")).to_be_focused()
    keys.press("Enter")
    expect(large).to_contain_text("zoo/wolf.jpg")
    large.get_by_role("button", name="Close").click()
    page.get_by_role("searchbox").fill("park")
    expect(status(page)).to_have_text("2 of 5 images")
    page.get_by_role("combobox", name="Sort by").focus()
    keys.press("Tab")
    keys.press("Tab")
    expect(page.get_by_role("button", name="Enlarge park/rex.jpg")).to_be_focused()
    keys.press("ArrowLeft")
    expect(page.get_by_role("button", name="Enlarge park/rex.jpg")).to_be_focused()


def test_failures_open_and_close_by_keyboard(visit: Visit, small: Path) -> None:
    page = visit(small)
    summary = page.locator("summary").first
    summary.focus()
    page.keyboard.press("Enter")
    expect(page.locator("details").first).not_to_have_attribute("open", "")
    page.keyboard.press("Enter")
    expect(page.locator("details").first).to_have_attribute("open", "")


def test_a_screen_reader_gets_landmarks_headings_names_and_counts(visit: Visit, small: Path) -> None:
    page = visit(small)
    for landmark in ("banner", "main", "contentinfo", "search"):
        expect(page.get_by_role(landmark)).to_have_count(1)
    expect(page.get_by_role("heading", level=1)).to_have_text("7 images, classified by lite0")
    for name in ("The run in charts", "Failures", "Images", "What the figures mean"):
        expect(page.get_by_role("region", name=name, exact=True)).to_be_visible()
    for chart in ("Images by the latency", "Images per second", "Images by the score"):
        expect(page.get_by_role("img", name=chart)).to_be_visible()
    expect(page.locator("#cards").get_by_role("heading", level=3)).to_have_count(5)
    assert page.locator("html").get_attribute("lang") == "en"
    levels = page.locator("h1, h2, h3").evaluate_all("nodes => nodes.map(node => Number(node.tagName[1]))")
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_to_object_to(visit: Visit, small: Path, scheme: str) -> None:
    if not AXE.exists():
        pytest.skip(f"there is no {AXE}: scripts/install-axe {sys.prefix} brings it")
    page = visit(small, color_scheme=scheme)
    page.evaluate(AXE.read_text(encoding="utf-8"))
    for enlarged in (False, True):
        if enlarged:
            page.get_by_role("button", name="Enlarge zoo/wolf.jpg").click()
        found = page.evaluate("axe.run()")
        assert [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found["violations"]] == []
        assert len(found["passes"]) > 20


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_light_and_dark(visit: Visit, small: Path, scheme: str) -> None:
    page = visit(small, color_scheme=scheme)
    paper = luminance(page, "body", "backgroundColor")
    card = luminance(page, ".card", "backgroundColor")
    assert (paper > 0.8) if scheme == "light" else (paper < 0.05)
    for selector in ("h1", "h2", ".card h3", ".card .about", "dt", "footer", ".facts .bad a", "summary b"):
        ink = luminance(page, selector, "color")
        assert min(contrast(ink, paper), contrast(ink, card)) >= 4.5, selector


def luminance(page: Page, selector: str, kind: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    colour = page.locator(selector).first.evaluate(f"node => getComputedStyle(node).{kind}")
    parts = [int(part) / 255 for part in colour.removeprefix("rgb(").removesuffix(")").split(", ")]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: float, other: float) -> float:
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


def test_a_telephone_shows_it_without_scrolling_sideways(visit: Visit, small: Path) -> None:
    page = visit(small, viewport={"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    for control in (page.get_by_role("searchbox"), page.get_by_role("combobox", name="Sort by")):
        assert control.bounding_box()["width"] > 300


def test_it_is_read_without_javascript(visit: Visit, small: Path) -> None:
    page = visit(small, java_script_enabled=False)
    expect(page.locator(".card")).to_have_count(5)
    expect(page.get_by_role("heading", name="owl")).to_be_visible()
    expect(page.get_by_role("searchbox")).to_be_hidden()


def test_nothing_moves_for_those_who_do_not_want_it(visit: Visit, small: Path) -> None:
    behaviour = "getComputedStyle(document.documentElement).scrollBehavior"
    assert visit(small, reduced_motion="reduce").evaluate(behaviour) == "auto"
    assert visit(small, reduced_motion="no-preference").evaluate(behaviour) == "smooth"


def test_five_thousand_images_are_searched_sorted_and_drawn_only_where_one_looks(visit: Visit, big: Path) -> None:
    page = visit(big, reduced_motion="reduce")
    expect(status(page)).to_have_text("5,000 images")
    last = page.locator(".card").last
    drawn = "node => node.querySelector('h3').checkVisibility({contentVisibilityAuto: true})"
    assert page.locator(".card").first.evaluate(drawn)
    assert not last.evaluate(drawn)
    page.keyboard.press("End")
    expect(last).to_be_in_viewport()
    assert last.evaluate(drawn)
    assert last.locator("img").evaluate("node => node.decode().then(() => node.naturalWidth)") == 24
    page.get_by_role("combobox", name="Sort by").select_option("score-")
    scores = page.locator(".card").evaluate_all("nodes => nodes.map(node => Number(node.dataset.score))")
    assert len(scores) == MANY
    assert scores == sorted(scores, reverse=True)
    page.get_by_role("combobox", name="Label").select_option(label="label 42 (50)")
    expect(status(page)).to_have_text("50 of 5,000 images")
    page.get_by_role("searchbox").fill("photos/01")
    expect(status(page)).to_have_text("10 of 5,000 images")
    assert len(names(page)) == 10
