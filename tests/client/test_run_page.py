"""The page of a run: complete in one file, bounded, and safe with any names, labels and images."""

import base64
import hashlib
import io
import os
import pathlib
import re
import stat
import struct
import sys
import warnings
import zlib
from html.parser import HTMLParser
from pathlib import Path

import click
import PIL.Image
import pytest

from hubserve import Classification, ClassScore, ImageError
from hubserve_cli import report as run_page
from hubserve_cli.common.words import to_install
from hubserve_cli.report import RunPage, measures, thumbnails
from support.foreign_files import heic, turned

VOID = ("meta", "img", "input", "br")


class Clock:
    """A clock that moves by a quarter of a second whenever it is read."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 0.25
        return self.now


def classified(source: object, *classes: tuple[str, float], seconds: float | None = 0.0124) -> Classification:
    scores = tuple(ClassScore(number, label, score) for number, (label, score) in enumerate(classes))
    return Classification(source=str(source), index=0, status=0, classes=scores, model_version=3, seconds=seconds)


def written(file: Path, *results: Classification, model: str = "lite0", **options: object) -> str:
    with RunPage(file, model=model, clock=Clock(), **options) as page:
        for result in results:
            page.add(result)
    return file.read_text(encoding="utf-8")


class _Reader(HTMLParser):
    """Elements are closed in the order in which they were opened; they have their attributes and texts."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip() and self.open[-1] not in ("style", "script"):
            self.texts.append(data.strip())


def read(document: str) -> _Reader:
    reader = _Reader()
    reader.feed(document)
    assert reader.open == []
    return reader


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "run.html"


def test_each_image_has_its_thumbnail_classes_scores_margin_and_the_latency_of_its_request(
    file: Path, photograph: Path
) -> None:
    page = read(written(file, classified(photograph, ("Egyptian cat", 0.5), ("tabby", 0.25)), server="localhost:8500"))
    texts = " ".join(page.texts)
    assert page.texts[page.texts.index("1 image, classified by") + 1] == "lite0"
    assert "451\xa0×\xa0300 · request\xa012\xa0ms" in page.texts
    assert "· margin\xa025.0%" in page.texts
    assert "An image has the latency of its request: it shares it with all images of that request." in texts
    assert "Egyptian cat 50.0% tabby 25.0%" in texts
    assert "50% within 12.4 ms, 99% within 12.4 ms." in texts
    assert "localhost:8500" in page.texts
    assert sum(attributes.get("src", "").startswith("data:image/webp") for tag, attributes in page.elements) == 1


def test_the_page_asks_for_nothing_from_outside_and_runs_only_its_own_script_and_style(file: Path) -> None:
    document = written(file, classified("cat.jpg", ("cat", 1.0)))
    assert not re.search(r"https?://|<link|@import|url\(|style=|\son\w+=", document)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="(.*?)"', document)[1]
    assert policy.startswith("default-src 'none'; img-src data:;")
    for element in ("style", "script"):
        text = re.search(rf"<{element}>(.*?)</{element}>", document, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in policy


HOSTILE = '"></script><img src=x onerror=alert(1)>&lt;'


def test_names_labels_and_errors_that_are_markup_are_shown_as_they_are(file: Path) -> None:
    page = read(
        written(
            file,
            classified(HOSTILE, (HOSTILE, 0.5)),
            Classification(source=HOSTILE, index=1, exception=ImageError(HOSTILE)),
            model=HOSTILE,
            server=HOSTILE,
        )
    )
    assert [tag for tag, _ in page.elements].count("script") == 1
    assert not [attributes for tag, attributes in page.elements if "onerror" in attributes]
    # In title, heading, server, both images' names, label, filter and reason.
    assert " ".join(page.texts).count("onerror=alert(1)>&lt;") == 8


def test_names_without_a_form_of_their_own_are_shown_by_escapes(file: Path) -> None:
    names = os.fsdecode(b"caf\xe9.jpg"), "two\nlines\x00.jpg", "\u202egpj.exe", "\ud800", "日本\u3000語.jpg"
    texts = read(written(file, *(classified(name, ("cat", 0.5)) for name in names))).texts
    for shown in (r"caf\xe9.jpg", r"two\nlines\x00.jpg", r"\u202egpj.exe", r"\ud800", "日本\u3000語.jpg"):
        assert shown in texts


def test_endless_names_and_labels_and_hundreds_of_classes_are_cut(file: Path) -> None:
    many = [(f"{'label' * 1000}{number}", 0.001) for number in range(500)]
    document = written(file, classified("a" * 4000 + "/" + "b" * 4000, *many))
    assert len(document) < 50_000
    assert "(7,601 more characters)" in document
    assert "and 490 more" in document


def test_failures_stand_in_their_own_section_by_reason(file: Path) -> None:
    document = written(
        file,
        classified("cat.jpg", ("cat", 0.9)),
        Classification(source="a.jpg", index=1, status=1, model_version=3, seconds=0.1),
        Classification(source="b.jpg", index=2, status=1, model_version=3, seconds=0.1),
        Classification(source="c.jpg", index=3, exception=ImageError("c.jpg: No such file: check that it can be read")),
    )
    failures = re.search(r'<section id="failures".*?</section>', document, re.DOTALL)[0]
    assert "<b>2 images:</b> the server cannot decode it as an image" in failures
    assert "<b>1 image:</b> No such file: check that it can be read</summary>" in failures
    assert [name for name in ("a.jpg", "b.jpg", "c.jpg", "cat.jpg") if name in failures] == ["a.jpg", "b.jpg", "c.jpg"]
    assert '<a href="#failures">3</a>' in document


def test_reasons_beyond_a_hundred_are_reported_with_their_images(file: Path) -> None:
    results = [Classification(source="x", index=n, exception=ImageError(f"reason {n}.")) for n in range(103)]
    document = written(file, *results)
    assert "<b>3 images:</b> other reasons" in document
    assert "<br>reason 102." in document


def test_scores_that_are_not_probabilities_are_shown_as_they_are(file: Path) -> None:
    document = written(file, classified("cat.jpg", ("cat", 12.5), ("dog", -3.25)))
    card = re.search(r'<li class="card".*', document)[0]
    assert ">12.5</span>" in card
    assert ">-3.25</span>" in card
    assert "margin&nbsp;15.75" in card
    assert 'data-margin="15.75"' in card


def test_scores_of_independent_labels_are_not_shown_as_shares_of_one(file: Path) -> None:
    several = classified("both.jpg", ("cat", 0.9), ("dog", 0.8))
    # By itself, this one could be shares.
    none = classified('none data-margin="1" <span class="margin">.jpg', ("cat", 0.2), ("dog", 0.1))
    alone = written(file, none)
    assert "margin&nbsp;10.0%</span>" in alone
    assert "smallest margin first" in alone
    assert "independent of each other" not in alone
    document = written(file, none, several, none)
    assert not re.search(' data-margin="|margin&nbsp;|smallest margin|<dt>Margin', document)
    assert document.count("data-margin=&quot;1&quot; &lt;span class=&quot;margin&quot;&gt;.jpg") == 2
    assert "<dt>Labels</dt><dd>independent of each other</dd>" in document
    assert "<dt>Independent labels</dt>" in document
    assert "they are not shares of 100" in document
    texts = " ".join(read(document).texts)
    assert "cat 90.0% dog 80.0%" in texts
    assert "cat 20.0% dog 10.0%" in texts
    assert document.count('<li class="w90">') == document.count('<li class="w80">') == 1


def test_a_page_holds_a_bounded_number_of_images_and_counts_all(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_page, "_MOST_CARDS", 2)
    monkeypatch.setattr(run_page, "_MOST_FAILURES", 1)
    results = [classified(f"{n}.jpg", ("cat", 0.5)) for n in range(5)]
    results += [Classification(source=f"{n}.bad", index=n, status=1) for n in range(4)]
    document = written(file, *results)
    assert "here are 2 of 5 images that were classified, and 1 of 4 failures" in document
    assert document.count('class="card"') == 2
    assert "<p>and 3 more</p>" in document
    assert "9 images, classified by" in document


def test_a_page_holds_a_bounded_number_of_bytes(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_page, "_MOST_BYTES", 1000)
    document = written(file, *(classified(f"{n}.jpg", ("cat", 0.5)) for n in range(50)))
    assert 1 <= document.count('class="card"') <= 3


def test_a_run_that_is_cut_short_leaves_a_page_that_says_so(file: Path) -> None:
    def run() -> None:
        with RunPage(file, model="lite0") as page:
            page.add(classified("cat.jpg", ("cat", 0.5)))
            assert not file.exists()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    assert "ended before its time" in file.read_text()
    assert os.listdir(file.parent) == ["run.html"]


def test_a_run_without_a_result_leaves_the_page_of_an_earlier_one(file: Path) -> None:
    written(file, classified("cat.jpg", ("cat", 0.5)))
    with pytest.raises(KeyboardInterrupt), RunPage(file, model="lite0"):
        raise KeyboardInterrupt
    assert "cat.jpg" in file.read_text()


def test_a_page_that_cannot_be_written_leaves_what_was_there(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = written(file, classified("cat.jpg", ("cat", 0.5)))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pathlib.Path, "replace", full)
    with pytest.raises(click.ClickException, match="No space left on device"):
        written(file, classified("dog.jpg", ("dog", 0.5)))
    assert file.read_text() == before
    assert os.listdir(file.parent) == ["run.html"]


def test_a_page_is_as_readable_as_any_other_file(file: Path) -> None:
    written(file, classified("cat.jpg", ("cat", 0.5)))
    (other := file.parent / "other").touch()
    assert stat.S_IMODE(file.stat().st_mode) == stat.S_IMODE(other.stat().st_mode)


def test_a_page_changes_nothing_of_the_process(file: Path, photograph: Path) -> None:
    """Warnings filters and the umask belong to the program: another thread may be making a file."""
    filters, before = list(warnings.filters), os.umask(0o027)
    seen = []
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "umask", seen.append)
            written(file, classified(os.fspath(photograph), ("cat", 0.5)))
    finally:
        os.umask(before)
    assert (seen, stat.S_IMODE(file.stat().st_mode)) == ([], 0o640)
    assert warnings.filters == filters
    assert "data:image/" in file.read_text()


def test_an_image_that_pillow_would_warn_of_gets_no_thumbnail_and_no_word(tmp_path: Path) -> None:
    huge = io.BytesIO()
    PIL.Image.new("1", (10_000, 10_000)).save(huge, "PNG")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert thumbnails.of_bytes(huge.getvalue(), 100) is None


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "BMP", "WEBP"])
def test_every_format_that_models_decode_gets_a_thumbnail(form: str) -> None:
    file = io.BytesIO()
    PIL.Image.new("RGB", (40, 20), "red").save(file, form)
    assert thumbnails.of_bytes(file.getvalue(), 10)[1] == (40, 20)


def test_other_formats_of_pillow_get_no_thumbnail() -> None:
    for form in ("TIFF", "PPM", "TGA"):
        file = io.BytesIO()
        PIL.Image.new("RGB", (40, 20), "red").save(file, form)
        assert thumbnails.of_bytes(file.getvalue(), 10) is None


def test_an_unusable_output_is_reported_before_the_run(tmp_path: Path) -> None:
    (photo := tmp_path / "photo.jpg").write_bytes(b"precious")
    for place, says in (
        (photo, "not a page that hubserve wrote"),
        (tmp_path, "is a folder"),
        (photo / "x", "cannot be"),
    ):
        with pytest.raises(click.ClickException, match=says):
            RunPage(place, model="lite0")
    assert photo.read_bytes() == b"precious"


def test_without_pillow_the_extra_is_named(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(click.ClickException, match=re.escape(to_install("html"))):
        RunPage(file, model="lite0")


def test_images_from_elsewhere_are_shown_from_their_bytes(file: Path, photograph: Path) -> None:
    with RunPage(file, model="lite0") as page:
        page.add(classified("photos.tar/cat.png", ("cat", 0.5)), photograph.read_bytes())
        page.add(classified("photos.tar/dog.png", ("dog", 0.5)))
    assert file.read_text().count("data:image/") == 1
    assert file.read_text().count(">no thumbnail<") == 1


def encoded(image: PIL.Image.Image, form: str, **options: object) -> bytes:
    image.save(data := io.BytesIO(), form, **options)
    return data.getvalue()


def announcing(png: bytes, side: int) -> bytes:
    """A PNG whose header claims that many rows and columns."""
    header = b"IHDR" + struct.pack(">II", side, side) + png[24:29]
    return png[:12] + header + struct.pack(">I", zlib.crc32(header)) + png[33:]


def thumbnail(data: bytes) -> tuple[PIL.Image.Image, tuple[int, int]]:
    url, size = thumbnails.of_bytes(data, 40)
    return PIL.Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))), size


def test_a_photograph_that_lies_on_its_side_is_shown_upright(sideways_photograph: Path) -> None:
    image, size = thumbnail(sideways_photograph.read_bytes())
    assert size == (451, 300)
    assert image.size == (40, 27)


def test_transparent_palette_and_deep_images_look_as_the_model_sees_them() -> None:
    clear = PIL.Image.new("RGBA", (60, 60), (0, 0, 0, 0))
    assert thumbnail(encoded(clear, "png"))[0].getpixel((20, 20)) == (255, 255, 255)
    palette = PIL.Image.new("RGB", (60, 60), (200, 30, 30)).quantize(4)
    assert thumbnail(encoded(palette, "gif"))[0].getpixel((20, 20))[0] > 180
    deep = PIL.Image.new("I;16", (60, 60), 0x8000)
    assert 118 <= thumbnail(encoded(deep, "png"))[0].getpixel((20, 20))[0] <= 138


def test_images_that_cost_too_much_or_are_none_get_no_thumbnail(photograph: Path, tmp_path: Path) -> None:
    small = encoded(PIL.Image.new("1", (8, 8)), "png")
    # Pillow itself refuses the first, and would warn of the second.
    huge, large = (announcing(small, side) for side in (20_000, 10_000))
    for data in (
        huge,
        large,
        photograph.read_bytes()[:3000],
        b"",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    ):
        assert thumbnails.of_bytes(data, 40) is None
    os.mkfifo(pipe := tmp_path / "pipe")
    for path in (str(pipe), str(tmp_path), str(tmp_path / "gone"), "nul\0"):
        assert thumbnails.of_file(path, 40) is None


@pytest.mark.parametrize(("limit", "exact"), [("_MAX_PIXELS", 451 * 300), ("_MAX_SCANS", 10), ("_MAX_BYTES", None)])
def test_pixels_scans_and_bytes_are_limited(
    limit: str, exact: int | None, photograph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with PIL.Image.open(photograph) as image:
        data = encoded(image, "jpeg", progressive=True)
    (path := tmp_path / "cat.jpg").write_bytes(data)
    enough = exact or len(data)
    for most, made in ((enough, True), (enough - 1, False)):
        monkeypatch.setattr(thumbnails, limit, most)
        assert (thumbnails.of_bytes(data, 40) is not None) is made
        assert (thumbnails.of_file(str(path), 40) is not None) is made


def uncertain_first(document: str, figure: str) -> list[str]:
    """The images in the order of a figure, as the page's script sorts them."""
    cards = re.findall(r'<li class="card"(.*?)</li>\n', document, re.DOTALL)
    found = [(float(re.search(f'data-{figure}="(.*?)"', card)[1]), re.search(r"(\w+\.jpg)", card)[1]) for card in cards]
    return [name for _, name in sorted(found)]


def test_the_least_certain_images_come_first_whatever_the_classes_left_out_hold(file: Path) -> None:
    """In the first answer, 95 % is in classes beyond the five: counted as one class, it would look nearly certain."""
    lost = classified("lost.jpg", *((f"class {n}", 0.009) for n in range(5)))
    torn = classified("torn.jpg", ("cat", 0.49), ("dog", 0.48), ("owl", 0.01), ("hen", 0.01), ("fox", 0.01))
    sure = classified("sure.jpg", ("cat", 0.688), ("dog", 0.1), ("owl", 0.1), ("hen", 0.05), ("fox", 0.05))
    document = written(file, sure, torn, lost)
    assert uncertain_first(document, "score") == ["lost.jpg", "torn.jpg", "sure.jpg"]
    assert uncertain_first(document, "margin") == ["lost.jpg", "torn.jpg", "sure.jpg"]
    assert "entropy" not in document.lower()
    assert measures.margin([0.5, 0.125]) == 0.375
    assert measures.margin([0.5]) is None


def test_a_timeline_keeps_every_image_in_few_bins() -> None:
    timeline = measures.Timeline()
    for second in range(100_000):
        timeline.add(second, ok=second % 10 != 0)
    assert len(timeline.bins) <= 60
    assert [sum(counts) for counts in zip(*timeline.bins, strict=True)] == [90_000, 10_000]
    assert timeline.width * len(timeline.bins) >= 99_999


def test_a_photograph_that_the_client_converts_has_a_thumbnail_and_its_own_size(photograph: Path) -> None:
    with PIL.Image.open(photograph) as picture:
        pixels, exif = turned(picture.convert("RGB"), 6)
    url, size = thumbnails.of_bytes(heic(pixels, exif=exif.tobytes()), 40, convert=True)
    assert url.startswith("data:image/")
    assert size == (451, 300)
