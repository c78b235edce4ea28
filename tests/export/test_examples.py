"""A published model is measured on images whose class is known, through its byte signature."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hubserve_export import AccuracyError, ExamplesError, _examples
from hubserve_export._examples import Accuracy, Confusion
from hubserve_export._head import Head

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
LABELS = tuple(COLOURS)


def picture(colour: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (4, 4), COLOURS[colour]).save(file, "PNG")
    return file.getvalue()


def put(folder: Path, files: Mapping[str, Sequence[bytes]]) -> Path:
    for name, contents in files.items():
        (folder / name).mkdir(parents=True)
        for number, data in enumerate(contents):
            (folder / name / f"{number}.png").write_bytes(data)
    return folder


def by_colour(signature: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """A version that knows the three colours, and gives the two best."""
    assert signature == "serving_default"
    answer: dict[str, Any] = {"status": [], "class_ids": [], "scores": [], "labels": []}
    for data in inputs["image_bytes"]:
        known = [number for number, colour in enumerate(COLOURS) if picture(colour) == data]
        best = [*known, 1] if known else [-1, -1]
        answer["status"].append(0 if known else 1)
        answer["class_ids"].append(best)
        answer["scores"].append([0.75, 0.25])
        answer["labels"].append([LABELS[number].encode() if known else b"" for number in best])
    return {name: np.array(value, object if name == "labels" else None) for name, value in answer.items()}


def measured(folder: Path, kind: str = "exclusive", threshold: float | None = None) -> Accuracy:
    head = Head(kind, "", "", 3, "", threshold)
    return _examples.measure(by_colour, _examples.find(folder, LABELS), LABELS, 2, head=head)


def test_accuracy_and_the_worst_pairs(tmp_path: Path) -> None:
    red, green, blue = (picture(colour) for colour in COLOURS)
    put(tmp_path, {"red": [red, red, blue, blue], "green": [green, red], "blue": [blue, b"not an image"]})
    accuracy = measured(tmp_path)
    assert accuracy == Accuracy(
        images=7,
        right=4,
        accuracy=4 / 7,
        classes=3,
        unreadable=1,
        confusions=(Confusion("red", "blue", 2), Confusion("green", "red", 1)),
    )
    assert accuracy.described() == (
        "4 of 7 examples right (57.1%), of 3 classes; most often wrong: red taken for blue (2), green taken for red (1)"
        "; left out 1 file that cannot be decoded"
    )


def test_an_independent_label_is_right_where_it_reaches_the_threshold(tmp_path: Path) -> None:
    red, green, _ = (picture(colour) for colour in COLOURS)
    put(tmp_path, {"red": [red], "green": [green, red]})
    assert measured(tmp_path, "independent").right == 2
    assert measured(tmp_path, "independent", 0.25).right == 3
    assert measured(tmp_path, "independent", 0.9).right == 0


def test_too_low_an_accuracy_is_an_error_with_the_worst_pairs(tmp_path: Path) -> None:
    accuracy = measured(put(tmp_path, {"red": [picture("red"), picture("blue")]}))
    _examples.require(accuracy, None)
    _examples.require(accuracy, 0.5)
    with pytest.raises(AccuracyError, match=r"1 of 2 .*red taken for blue \(1\): less than `min_accuracy` 0\.6"):
        _examples.require(accuracy, 0.6)


def test_guessing_is_suspicious() -> None:
    def accuracy(right: int) -> Accuracy:
        return Accuracy(40, right, right / 40, 2, 0, ())

    assert "no better than guessing" in str(_examples.suspicion(accuracy(20)))
    assert _examples.suspicion(accuracy(30)) is None


@pytest.mark.parametrize("name", ["Egyptian cat", "egyptian_cat", "Egyptian-Cat", "EGYPTIANCAT"])
def test_a_folder_is_named_as_its_label_but_for_capitals_and_separators(tmp_path: Path, name: str) -> None:
    examples = _examples.find(put(tmp_path, {name: [b"1"]}), ("tabby", "Egyptian cat"))
    assert list(examples.files) == [1]


def test_an_exact_name_goes_before_a_similar_one(tmp_path: Path) -> None:
    assert list(_examples.find(put(tmp_path, {"cat": [b"1"], "CAT": [b"1"]}), ("CAT", "cat")).files) == [0, 1]


def test_accents_that_a_file_system_took_apart_are_the_same(tmp_path: Path) -> None:
    assert list(_examples.find(put(tmp_path, {"cafe\u0301": [b"1"]}), ("tea", "caf\u00e9")).files) == [1]


@pytest.mark.parametrize(
    ("folders", "labels", "says"),
    [
        (["cta", "dog"], ("cat", "dog"), r"folders 'cta' have names that are not labels .*did you mean 'cat'\?"),
        (["x", "y", "z", "w"], ("cat", "dog"), r"'w', 'x', 'y' and 1 more .*\(the labels are 'cat', 'dog'\)"),
        (["Cat"], ("cat", "CAT"), r"may be of 2 classes, 0, 1, whose labels are 'cat', 'CAT'"),
        (["crane"], ("crane", "bird", "crane"), r"may be of 2 classes, 0, 2"),
        (["big_cat", "big-cat"], ("big cat", "dog"), "big-cat and big_cat are both of the label 'big cat'"),
        ([], ("cat", "dog"), "does not hold folders"),
    ],
    ids=["a slip", "many", "two fit", "one label of two classes", "twice", "nothing"],
)
def test_folders_that_are_not_labels_are_named(
    tmp_path: Path, folders: list[str], labels: tuple[str, ...], says: str
) -> None:
    put(tmp_path, {folder: [b"1"] for folder in folders})
    with pytest.raises(ExamplesError, match=says):
        _examples.find(tmp_path, labels)


def test_a_folder_without_images_is_named(tmp_path: Path) -> None:
    put(tmp_path, {"cat": [b"1"], "dog": []})
    (tmp_path / "dog" / ".DS_Store").write_bytes(b"")
    with pytest.raises(ExamplesError, match=r"dog does not hold files; put images of 'dog' there"):
        _examples.find(tmp_path, ("cat", "dog"))


def test_a_class_of_which_nothing_can_be_decoded_is_named(tmp_path: Path) -> None:
    put(tmp_path, {"red": [picture("red")], "green": [b"text", b""]})
    with pytest.raises(ExamplesError, match="none of the 2 files of the examples of 'green' is an image"):
        measured(tmp_path)


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ExamplesError, match=r"nowhere cannot be read \(No such file or directory\)"):
        _examples.find(tmp_path / "nowhere", LABELS)


def test_some_are_taken_evenly_from_the_classes(tmp_path: Path) -> None:
    put(tmp_path, {"red": [b"1"] * 9, "green": [b"1"] * 2, "blue": [b"1"] * 9})
    examples = _examples.find(tmp_path, LABELS)
    assert len(examples.pairs()) == 20
    taken = [(file.stem, number) for file, number in examples.pairs(9)]
    assert taken == [("0", 0), ("3", 0), ("6", 0), ("0", 1), ("1", 1), ("0", 2), ("3", 2), ("6", 2)]
    assert [number for _, number in examples.pairs(2)] == [0, 1]


def test_files_in_folders_further_down_count(tmp_path: Path) -> None:
    put(tmp_path / "red", {"north": [b"1"], "south": [b"1"]})
    assert len(_examples.find(tmp_path, LABELS).files[0]) == 2


@pytest.mark.parametrize(
    ("folder", "least", "says"),
    [
        (None, 0.9, "`min_accuracy` needs examples; give a folder of them with `examples`"),
        (".", 90, "`min_accuracy` is 90; give a share of the examples, 0 to 1"),
        ("nowhere", None, "the examples' folder nowhere does not exist"),
    ],
)
def test_what_cannot_be_measured_is_said_before_a_model_is_loaded(
    folder: str | None, least: float | None, says: str
) -> None:
    with pytest.raises(ExamplesError, match=says):
        _examples.check(None if folder is None else Path(folder), least)
