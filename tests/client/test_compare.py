"""The rules of `hubserve compare`, with answers that tests make."""

import math

import pytest

from hubserve import Classification, ClassScore, ImageError
from hubserve_cli.compare import binomial
from hubserve_cli.compare.pairs import Pair
from hubserve_cli.compare.rules import Check, Rules, latency_check
from hubserve_cli.compare.sides import Side
from hubserve_cli.compare.tally import Tally


def answer(*classes: tuple[str, float], first_id: int = 1) -> Classification:
    found = tuple(ClassScore(first_id + hash(label) % 900, label, score) for label, score in classes)
    return Classification(source="x.jpg", index=0, status=0, classes=found, model_version=1)


FAILED = Classification(source="x.jpg", index=0, exception=ImageError("x.jpg: gone"))
CAT, DOG = answer(("cat", 0.9), ("dog", 0.1)), answer(("dog", 0.9), ("cat", 0.1))


def checks(tally: Tally) -> dict[str, Check]:
    return {check.name: check for check in tally.checks()}


def tallied(*pairs: tuple[Pair, int], rules: Rules | None = None) -> dict[str, Check]:
    tally = Tally(rules or Rules())
    for pair, times in pairs:
        for _ in range(times):
            tally.add(pair)
    return checks(tally)


@pytest.mark.parametrize(
    ("count", "of", "share", "probability"),
    # By hand: 1 - 0.99^60; 0.5^5; all; and 1 - 0.99^60 - 60 * 0.01 * 0.99^59.
    [(1, 60, 0.01, 0.45284), (5, 5, 0.5, 0.03125), (0, 9, 0.5, 1.0), (2, 60, 0.01, 0.12123), (9, 9, 1.0, 1.0)],
)
def test_the_binomial_tail_is_exact(count: int, of: int, share: float, probability: float) -> None:
    assert binomial.at_least(count, of, share) == pytest.approx(probability, abs=5e-6)


def test_the_upper_limit_is_that_of_clopper_and_pearson() -> None:
    # Without a case it is 1 - (1 - confidence)^(1/n); the others are from published tables.
    assert binomial.most_share(0, 10, 0.95) == pytest.approx(1 - 0.05**0.1)
    assert binomial.most_share(0, 299, 0.95) < 0.01 < binomial.most_share(0, 298, 0.95)
    assert binomial.most_share(1, 20, 0.95) == pytest.approx(0.2161, abs=5e-5)
    assert binomial.most_share(5, 50, 0.975) == pytest.approx(0.2181, abs=5e-5)
    assert binomial.most_share(4, 4, 0.95) == 1.0
    assert binomial.images_to_show(0.01, 0.95) == 299
    assert binomial.most_share(1000, 1_000_000, 0.95) == pytest.approx(0.001054, abs=2e-6)


def test_a_flip_between_classes_that_a_held_for_as_good_is_none() -> None:
    near = answer(("cat", 0.405), ("dog", 0.40))
    assert not Pair(near, DOG).flip(0.01)
    assert Pair(near, DOG).flip(0.001)
    assert Pair(near, answer(("owl", 0.5))).flip(0.01)
    assert not Pair(CAT, CAT).flip(0.0)
    assert not Pair(CAT, FAILED).flip(0.0)
    found = tallied((Pair(near, DOG), 1), (Pair(CAT, CAT), 99))
    assert found["ties"].says.startswith("1 images")
    assert found["best class"].passed


def test_a_shift_is_that_of_the_best_class_of_a_and_a_missing_one_is_below_the_last() -> None:
    assert Pair(CAT, DOG).shift() == pytest.approx(0.8)
    assert Pair(CAT, answer(("dog", 0.7), ("owl", 0.2))).shift() == pytest.approx(0.7)
    assert Pair(CAT, answer(("cat", math.nan))).shift() == math.inf
    assert Pair(answer(("cat", math.nan)), answer(("cat", math.nan))).shift() == 0


def test_few_flips_among_many_images_are_allowed_and_many_are_not() -> None:
    assert tallied((Pair(CAT, DOG), 1), (Pair(CAT, CAT), 99))["best class"].passed
    assert tallied((Pair(CAT, DOG), 3), (Pair(CAT, CAT), 297))["best class"].passed
    found = tallied((Pair(CAT, DOG), 3), (Pair(CAT, CAT), 57))["best class"]
    assert not found.passed
    assert found.says.startswith("3 of 60 images have another best class (5.00%); 1.00% may")
    assert tallied((Pair(CAT, DOG), 3), (Pair(CAT, CAT), 57), rules=Rules(max_flips=0.05))["best class"].passed
    assert not tallied((Pair(CAT, DOG), 1), (Pair(CAT, CAT), 9999), rules=Rules(max_flips=0))["best class"].passed


def test_few_images_show_little_and_strict_says_how_many_it_takes() -> None:
    lenient = tallied((Pair(CAT, CAT), 60))["best class"]
    assert lenient.passed
    assert "up to 4.87% of all images like these is possible" in lenient.says
    strict = tallied((Pair(CAT, CAT), 60), rules=Rules(strict=True))["best class"]
    assert not strict.passed
    assert "it takes 299 images even without a case" in strict.says
    assert tallied((Pair(CAT, CAT), 299), rules=Rules(strict=True))["best class"].passed


def test_a_single_class_that_breaks_is_found_among_many() -> None:
    others = [(Pair(answer((f"class {n}", 0.9)), answer((f"class {n}", 0.9))), 10) for n in range(100)]
    found = tallied((Pair(CAT, DOG), 4), (Pair(CAT, CAT), 1), *others)
    assert found["best class"].passed
    assert not found["each class"].passed
    assert "cat (4 of 5)" in found["each class"].says


def test_failures_of_one_side_count_and_those_of_both_do_not() -> None:
    found = tallied((Pair(FAILED, FAILED), 5), (Pair(FAILED, CAT), 5), (Pair(CAT, CAT), 5))
    assert found["failures"].passed
    assert not tallied((Pair(CAT, FAILED), 1), (Pair(CAT, CAT), 5))["failures"].passed
    assert tallied((Pair(CAT, FAILED), 1), rules=Rules(max_lost=1))["failures"].passed


def test_the_same_label_with_another_class_id_differs_unless_it_is_allowed() -> None:
    moved = answer(("cat", 0.9), ("dog", 0.1), first_id=2)
    found = tallied((Pair(CAT, moved), 5))["class ids"]
    assert not found.passed
    assert "2 of 2 labels have another class id: cat is" in found.says
    assert tallied((Pair(CAT, moved), 5), rules=Rules(other_ids=True))["class ids"].passed
    # Two classes of one label, as `crane` in ImageNet: the ids tell nothing.
    assert tallied((Pair(CAT, moved), 1), (Pair(CAT, CAT), 1))["class ids"].passed


def test_label_files_without_a_label_in_common_are_told() -> None:
    found = tallied((Pair(CAT, answer(("Katze", 0.9))), 3))["class ids"]
    assert not found.passed
    assert "no label in common" in found.says


def test_scores_that_are_no_probabilities_shift_by_a_share_of_them() -> None:
    a = answer(("cat", 20.0), ("dog", 1.0))
    assert tallied((Pair(a, answer(("cat", 20.5))), 50))["scores"].passed
    assert not tallied((Pair(a, answer(("cat", 23.0))), 50))["scores"].passed


def test_latencies_are_judged_by_their_ratios_and_not_by_a_few_outliers() -> None:
    assert latency_check([(0.010, 0.011)] * 30, Rules()).passed
    assert not latency_check([(0.010, 0.020)] * 30, Rules()).passed
    assert latency_check([(0.010, 0.020)] * 30, Rules(max_slowdown=2.5)).passed
    assert latency_check([(0.010, 0.010)] * 20 + [(0.010, 0.900)] * 10, Rules()).passed
    # Twice of next to nothing.
    assert latency_check([(0.0004, 0.0008)] * 30, Rules()).passed
    few = latency_check([(0.010, 0.900)] * 4, Rules())
    assert few.passed
    assert "too few to judge" in few.says


@pytest.mark.parametrize(
    ("text", "target", "model", "version", "label"),
    [
        ("localhost:8500/lite0", "localhost:8500", "lite0", None, None),
        ("localhost:8500/lite0@3", "localhost:8500", "lite0", 3, None),
        ("localhost:8500/lite0@canary", "localhost:8500", "lite0", None, "canary"),
        ("localhost:8500@3", "localhost:8500", "given", 3, None),
        ("[::1]:8500/lite0", "[::1]:8500", "lite0", None, None),
        ("dns:///pnasnet:8500/pnasnet", "dns:///pnasnet:8500", "pnasnet", None, None),
    ],
)
def test_a_server_is_read(text: str, target: str, model: str, version: int | None, label: str | None) -> None:
    side = Side.parse(text, "given")
    assert (side.target, side.model, side.version, side.version_label) == (target, model, version, label)


def test_a_folder_is_read_and_what_is_neither_is_refused(tmp_path) -> None:
    assert Side.parse(str(tmp_path)).folder == tmp_path
    side = Side.parse(f"{tmp_path}@2")
    assert (side.folder, side.version) == (tmp_path, 2)
    for text, says in (
        (f"{tmp_path}@newest", "a version in a model directory is a number"),
        (str(tmp_path / "gone"), "neither a folder nor a server"),
        ("localhost:8500", "does not name a model"),
        ("a b", "neither"),
    ):
        with pytest.raises(ValueError, match=says):
            Side.parse(text)
