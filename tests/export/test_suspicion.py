"""Answers to photographs that look wrong are a warning that names the likely cause."""

import numpy as np
import pytest

from hubserve_export import _suspicion
from hubserve_export._head import Head

EXCLUSIVE = Head("exclusive", "softmax", "logits", 8, "")
BINARY = Head("binary", "sigmoid", "logits", 2, "")
INDEPENDENT = Head("independent", "sigmoid", "logits", 3, "")
NAMES = [f"name {number}" for number in range(8)]


def rows(classes: int, *best: tuple[int, float]) -> np.ndarray:
    """Scores with the given best class and score, all others alike."""
    scores = np.array([[(1 - score) / (classes - 1)] * classes for _, score in best])
    for row, (number, score) in zip(scores, best, strict=True):
        row[number] = score
    return scores


@pytest.mark.parametrize(
    ("head", "scores", "says"),
    [
        (EXCLUSIVE, rows(8, (1, 0.9), (2, 0.3), (1, 0.5)), []),
        (EXCLUSIVE, rows(8, (1, 0.9), (1, 0.99), (1, 0.95)), ["all 3 photographs are in one class, 'name 1'"]),
        (EXCLUSIVE, rows(8, (1, 0.279), (2, 0.279), (3, 0.279)), ["near-chance scores on every photograph"]),
        (EXCLUSIVE, rows(8, (1, 0.13), (1, 0.13), (1, 0.13)), ["near-chance", "all 3 photographs"]),
        (EXCLUSIVE, rows(8, (1, 0.9), (1, 0.99)), []),
        (BINARY, rows(2, (0, 0.55), (1, 0.52), (1, 0.51)), ["near-chance"]),
        (BINARY, rows(2, (1, 1.0), (1, 0.9), (1, 0.99)), ["all 3 photographs are in one class, 'name 1'"]),
        (INDEPENDENT, np.array([[0.5, 0.51, 0.48]] * 3), ["each of the 3 labels has a score near 0.5"]),
        (INDEPENDENT, np.array([[0.1, 0.9, 0.0]] * 3), []),
        (Head("exclusive", "none", "scores", 8, ""), rows(8, (1, 0.9), (1, 0.9), (1, 0.9)), []),
    ],
    ids=[
        "good",
        "one class",
        "a softmax of a softmax",
        "untrained",
        "too few photographs",
        "undecided",
        "one of two classes",
        "undecided labels",
        "one label",
        "no scores",
    ],
)
def test_what_looks_wrong(head: Head, scores: np.ndarray, says: list[str]) -> None:
    found = list(_suspicion.of_scores(scores, head, NAMES))
    assert len(found) == len(says)
    for text, expected in zip(found, says, strict=True):
        assert expected in text
        assert "the likely cause is that the pixels are not what the model was trained on (`preprocessing`)" in text


@pytest.mark.parametrize(("classes", "score"), [(2, 0.6), (4, 0.3), (8, 0.2797), (1000, 0.05), (30, 0.0857)])
def test_chance_depends_on_the_number_of_classes(classes: int, score: float) -> None:
    assert _suspicion.near_chance(classes) == pytest.approx(score, abs=1e-4)
