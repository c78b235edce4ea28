"""The verdict of the demo: it fails if a model gives wrong classes to well-known photographs."""

from hubserve import Classification, ClassScore
from hubserve_cli import demo

SEEN = {"chelsea.png": "Egyptian cat", "coffee.png": "espresso", "camera.png": "tripod"}


def results(labels: dict[str, str]) -> list[Classification]:
    return [
        Classification(source=f"demo/{name}", index=0, status=0, classes=(ClassScore(1, label, 0.5),), seconds=0.001)
        for name, label in labels.items()
    ]


def test_the_known_photographs_are_as_they_must_be() -> None:
    assert demo.unexpected(results(SEEN | {"rocket.jpg": "anything"})) == []


def test_each_wrong_label_is_reported_with_the_right_one() -> None:
    wrong = demo.unexpected(results(SEEN | {"coffee.png": "cup"}))
    assert wrong == ["coffee.png is called 'cup', not 'espresso'"]


def test_a_photograph_without_an_answer_is_wrong_too() -> None:
    assert len(demo.unexpected(results({}))) == 3


def test_the_table_lines_up_label_score_and_milliseconds() -> None:
    lines = demo.table(results({"coffee.png": "espresso"})).splitlines()
    assert lines[0].split() == ["photograph", "label", "score", "ms"]
    assert lines[1].split() == ["coffee.png", "espresso", "0.50", "1.0"]
    assert len(lines[0]) == len(lines[1])
