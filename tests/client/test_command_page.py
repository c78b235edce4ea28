"""The demo's page: whole in one file, and safe whatever the labels say."""

import re
from html.parser import HTMLParser
from pathlib import Path

from hubserve import Classification, ClassScore
from hubserve._command import page


def shot(photograph: Path, *classes: tuple[str, float]) -> page.Shot:
    scores = tuple(ClassScore(number, label, score) for number, (label, score) in enumerate(classes))
    result = Classification(source=str(photograph), index=0, status=0, classes=scores)
    return page.Shot(photograph, result, 12.4)


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip() and self.open[-1] != "style":
            self.texts.append(data.strip())


def read(document: str) -> list[str]:
    reader = _Text()
    reader.feed(document)
    assert reader.open == []
    return reader.texts


def test_each_photograph_has_its_thumbnail_classes_scores_and_time(photograph: Path) -> None:
    document = page.render("lite0", 3, [shot(photograph, ("Egyptian cat", 0.788), ("tabby", 0.07))])
    texts = read(document)
    assert "1 photographs, as lite0 sees them" in texts
    assert "chelsea.png · 451\xa0×\xa0300 · 12\xa0ms" in texts
    assert [text for text in texts if text in ("Egyptian cat", "78.8%", "tabby", "7.0%")]
    assert texts.index("Egyptian cat") < texts.index("tabby")
    assert document.count('src="data:image/jpeg;base64,') == 1


def test_the_page_asks_for_nothing_from_outside(photograph: Path) -> None:
    document = page.render("lite0", 1, [shot(photograph, ("cat", 1.0))])
    assert not re.search(r"https?://|<link|<script|@import|url\(", document)


def test_a_label_that_is_markup_is_shown_as_it_is(photograph: Path) -> None:
    document = page.render("<b>", 1, [shot(photograph, ('"><script>alert(1)</script>', 0.5))])
    assert "<script" not in document
    assert '"><script>alert(1)</script>' in read(document)


def test_a_photograph_that_lies_on_its_side_is_shown_upright(sideways_photograph: Path) -> None:
    assert "451\xa0×\xa0300" in " ".join(read(page.render("lite0", 1, [shot(sideways_photograph, ("cat", 1.0))])))
