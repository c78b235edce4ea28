"""Columns, cuts and bars on a terminal."""

import io

import pytest

from hubserve import Classification, ClassScore, ImageError
from hubserve_cli.bulk.rows import Table
from hubserve_cli.common.terminal import bar, fitted, width_of


@pytest.mark.parametrize(("text", "columns"), [("cat", 3), ("猫", 2), ("e\u0301", 1), ("", 0)])
def test_a_text_has_the_width_that_a_terminal_gives_it(text: str, columns: int) -> None:
    assert width_of(text) == columns


@pytest.mark.parametrize(
    ("text", "width", "keep_end", "cut"),
    [
        ("cat", 5, False, "cat  "),
        ("a long label", 6, False, "a lon…"),
        ("photographs/cat.jpg", 8, True, "…cat.jpg"),
        ("猫猫猫", 4, False, "猫… "),
    ],
)
def test_a_text_fits_its_column(text: str, width: int, keep_end: bool, cut: str) -> None:
    assert fitted(text, width, keep_end=keep_end) == cut
    assert width_of(cut) == width


@pytest.mark.parametrize("width", [40, 80, 120])
def test_no_row_of_a_table_is_wider_than_the_terminal(width: int) -> None:
    table = Table(colour=False, top_k=3, width=width)
    label = "猫 a label that is much longer than its column has room for"
    classes = tuple(ClassScore(number, label, 0.5) for number in range(3))
    source = "photographs/" * 9 + "cat.jpg"
    good = Classification(source=source, index=0, status=0, classes=classes)
    bad = Classification(source=source, index=1, exception=ImageError(f"{source}: " + "a long reason " * 20))
    text = (table.header + table.record(good) + table.record(bad)).decode()
    rows = text.splitlines()
    assert max(map(width_of, rows)) <= width
    # The file's name is there, and the whole reason.
    assert rows[1].endswith("cat.jpg")
    assert text.replace("\n", " ").count("reason") == 20


def test_a_bar_is_full_when_all_is_done() -> None:
    plain = io.TextIOWrapper(io.BytesIO(), "ascii")
    assert bar(0.25, plain) == "[#####---------------]  25 %"
    assert bar(2.0, plain) == "[####################] 100 %"
    assert bar(0.5, io.TextIOWrapper(io.BytesIO(), "utf-8")) == "[██████████░░░░░░░░░░]  50 %"
