"""The zoo's own code: its models, its images, the comparison, and the table."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

from support.image_cases import CASES
from zoo import applications, catalogue, compare, conventions, pictures, reference, table
from zoo.built import luminance, stretched
from zoo.row import Difference, Row


def test_every_constructor_of_keras_applications_is_in_the_zoo() -> None:
    built = {name for names in applications.CONSTRUCTORS.values() for name in names}
    assert applications.known_constructors() == built


def test_there_are_29_kinds_of_image_and_every_one_is_answered() -> None:
    cases = {case.name: case for case in CASES}
    assert len(set(pictures.KINDS)) == 29
    assert all(cases[kind].status == 0 for kind in pictures.KINDS)


def test_a_name_stands_for_one_model() -> None:
    names = [entry.name for entry in catalogue.entries()]
    assert len(set(names)) == len(names)
    assert len([name for name in names if name.startswith("keras-hub-")]) >= 15


def test_a_resized_image_is_not_rounded() -> None:
    picture = Image.effect_noise((40, 30), 90).convert("RGB")
    exact = stretched(picture, 12, 10)
    assert exact.shape == (12, 10, 3)
    whole = np.asarray(picture.resize((10, 12), Image.Resampling.BILINEAR), np.float64)
    assert 0 < np.abs(exact - whole).max() <= 1
    assert luminance(picture, 12, 10).shape == (12, 10, 1)


def test_swapped_colours_and_a_pixel_off_are_seen() -> None:
    expected = np.array([[0.0, 1.0, 4.0]], np.float32)
    asked = reference.Reference(np.zeros((1, 2, 2, 3)), np.full(3, 2 / 255), expected, expected[:, ::-1], "softmax")
    # A constant does not change what a softmax gives.
    assert compare.ranged(asked, expected, expected + 7).max() == 0
    assert compare.ranged(asked, expected, expected[:, ::-1]).max() == pytest.approx(1)
    seen = np.zeros((1, 12))
    seen[0, 5] = 2 / 255
    assert compare.levels(asked, seen).tolist() == pytest.approx([1])
    assert compare.levels(asked, np.zeros((1, 3))).tolist() == [np.inf]


def test_one_unit_is_the_difference_of_two_classes() -> None:
    unit = np.array([[3.0], [-1.0]], np.float32)
    asked = reference.Reference(np.zeros((2, 1, 1, 3)), np.ones(3), unit, -unit, "sigmoid")
    two = np.array([[-1.5, 1.5], [0.5, -0.5]])
    assert compare.ranged(asked, unit, two).max() == 0
    assert compare.ranged(asked, unit, two[:, ::-1]).max() == pytest.approx(1)


def test_the_summary_names_what_misses_a_goal() -> None:
    good, bad = (Difference(0.5, "PNG, RGB"), Difference(3, "JPEG, 12 megapixels")), (Difference(2, "GIF"),) * 2
    small = (Difference(1e-5, "PNG, RGB"),) * 2
    rows = [
        Row("one", "", True, pixels=good, logits=small, swapped=1),
        Row("two", "", True, "say how", ("labels",), pixels=bad, logits=small, swapped=0.001),
        Row("three", "", False, "no image model"),
    ]
    said = table.summary(rows)
    assert "exported: 2 of 3; not three" in said
    assert "options needed: 0.5 in the median (goal: 0), none for 1 of 2" in said
    assert "pixels within 1/255, images that are decoded whole: 1 of 2; not two" in said
    assert "pixels within 1/255, large JPEGs: 0 of 2; not one, two" in said
    assert "so that their logits show little: two" in said
    assert not table.goals_met(rows)
    assert table.goals_met(rows[:1])
    assert "not exported: no image model" in table.line(rows[2])
    assert "labels (without: say how)" in table.line(rows[1])


def test_a_model_that_draws_numbers_has_to_be_refused_by_that_name() -> None:
    name = next(iter(table.REFUSED))
    assert name in {entry.name for entry in catalogue.entries()}
    good = Row("one", "", True, pixels=(Difference(0, "a"),) * 2, logits=(Difference(0, "b"),) * 2, swapped=1)
    rightly, otherwise = (Row(name, "", False, f"the model {why}") for why in (table.REFUSED[name], "cannot be loaded"))
    assert table.goals_met([good, rightly])
    assert not table.goals_met([good, otherwise])
    assert f"as they are saved: {name}" in table.summary([good, rightly])
    assert "1 of 2 rows were found before" in table.page([good, rightly], "keras 3", older=1)


def test_a_difference_that_a_softmax_cannot_show_does_not_count() -> None:
    def asked(head: str) -> reference.Reference:
        return reference.Reference(*(np.zeros((1, 2), np.float32),) * 4, head)

    expected, clipped = np.array([[3.0, 0.0, -500.0]]), np.array([[0.0, -3.0, -87.0]])
    assert compare.ranged(asked("softmax"), expected, clipped).max() == 0
    assert compare.ranged(asked("none"), expected, clipped).max() > 0.8
    assert compare.ranged(asked("softmax"), expected, np.array([[0.0, -4.0, -87.0]])).max() > 0.01


def test_not_a_number_misses_a_goal() -> None:
    nothing = (Difference(float("nan"), "PNG, RGB"),) * 2
    assert not table.goals_met([Row("one", "", True, pixels=nothing, logits=nothing)])


def test_a_row_is_read_as_it_was_written() -> None:
    row = Row("one", "", True, options=("labels",), pixels=(Difference(1, "a"),), logits=(Difference(2, "b"),))
    assert Row.of(json.loads(json.dumps(dataclasses.asdict(row)))) == row


def test_there_are_twenty_wrong_conventions_and_no_right_one_among_them() -> None:
    assert len(conventions.WRONG) == 20
    assert len({str(claim) for claim in conventions.WRONG}) == 20
    assert not {str(claim) for claim in conventions.WRONG} & {str(claim) for claim in conventions.RIGHT}


@pytest.mark.parametrize("name", conventions.CONVENTIONS)
def test_a_convention_is_undone_by_its_matrix(name: str) -> None:
    from hubserve_export import PRESETS

    rgb = np.random.default_rng(1).uniform(0, 255, (5, 3))
    preset = PRESETS[name]
    taken = rgb[:, ::-1] if preset["channels"] == "bgr" else rgb
    taken = taken * np.array(preset["scale"]) + np.array(preset["offset"])
    matrix, offset = conventions.CONVENTIONS[name]
    assert taken @ matrix + offset == pytest.approx(rgb / 255)
