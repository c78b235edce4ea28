"""Class names fit the model, or the export says how they do not."""

from pathlib import Path

import pytest

from hubserve_export import LabelsError, _labels
from hubserve_export._labels import Labels


def test_imagenets_names_fit_a_model_with_and_without_background() -> None:
    with_background, without = _labels.for_model(None, 1001), _labels.for_model(None, 1000)
    assert (with_background.background, without.background) == (True, False)
    assert with_background.names == ("background", *without.names)
    assert without.names[285] == "Egyptian cat"


def test_another_number_of_classes_needs_names_of_its_own() -> None:
    with pytest.raises(LabelsError, match="37 classes, which are not ImageNet's; name them with `labels`"):
        _labels.for_model(None, 37)


@pytest.mark.parametrize("text", ["cat\ndog\n", "cat\ndog", "cat\r\ndog\r\n", "\ufeffcat\ndog\n"])
def test_a_file_gives_a_name_per_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "labels.txt"
    file.write_bytes(text.encode("utf-8"))
    assert _labels.for_model(file, 2) == Labels(("cat", "dog"), background=False)


@pytest.mark.parametrize(
    ("content", "classes", "says"),
    [
        (b"cat\ndog\n", 4, "has 2 lines, and the model has 4 classes; line i names class i"),
        (
            b"cat\ndog\n",
            3,
            "has 2 lines, and the model has 3 classes; if the model has a background class before",
        ),
        (b"cat\n\ndog\n", 3, "line 2 of the labels file .* is empty"),
        (b"caf\xe9\n", 1, "must be text in UTF-8"),
    ],
)
def test_a_file_that_does_not_fit_says_why(tmp_path: Path, content: bytes, classes: int, says: str) -> None:
    file = tmp_path / "labels.txt"
    file.write_bytes(content)
    with pytest.raises(LabelsError, match=says):
        _labels.for_model(file, classes)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabelsError, match=r"nowhere\.txt cannot be read"):
        _labels.for_model(tmp_path / "nowhere.txt", 2)


def test_a_first_line_of_background_is_the_background_class(tmp_path: Path) -> None:
    file = tmp_path / "labels.txt"
    file.write_text("Background\ncat\n")
    assert _labels.for_model(file, 2) == Labels(("Background", "cat"), background=True)
    assert _labels.for_model(file, 2, background=True).background


def test_a_background_that_the_file_leaves_out_is_put_before(tmp_path: Path) -> None:
    file = tmp_path / "labels.txt"
    file.write_text("cat\ndog\n")
    assert _labels.for_model(file, 3, background=True) == Labels(("background", "cat", "dog"), background=True)


@pytest.mark.parametrize(
    ("first", "background", "says"),
    [
        ("tench", True, "`background` was given, and class 0 of 2 is 'tench' in the labels file"),
        ("background", False, "`no_background` was given, and class 0 of 2 is 'background' in the labels file"),
    ],
)
def test_a_background_that_contradicts_the_names_shows_both(
    tmp_path: Path, first: str, background: bool, says: str
) -> None:
    file = tmp_path / "labels.txt"
    file.write_text(f"{first}\ncat\n")
    with pytest.raises(LabelsError, match=says):
        _labels.for_model(file, 2, background)


def test_imagenets_background_cannot_be_denied() -> None:
    with pytest.raises(LabelsError, match="`no_background` was given, and class 0 of 1001 is 'background' in ImageNet"):
        _labels.for_model(None, 1001, background=False)


def test_numbers_before_the_names_are_left_away(tmp_path: Path) -> None:
    file = tmp_path / "labels.txt"
    file.write_text("0 cat\n1 big dog\n")
    assert _labels.for_model(file, 2).names == ("cat", "big dog")
    file.write_text("1 cat\n2 dog\n")
    assert _labels.for_model(file, 2).names == ("1 cat", "2 dog")
