"""A short form of `make fuzz`: hostile images, calls and answers do no harm, and the fuzzer reaches its targets."""

from pathlib import Path

import pytest

from trust.fuzz import BATCH, TARGETS, Tally, batches, fuzz
from trust.images import COSTLY_EVERY, STRATEGIES, hostile_image, is_constructed
from trust.requests import hostile_call
from trust.responses import hostile_response
from trust.verb_answers import VERBS

pytestmark = pytest.mark.slow


def tried(target: str, inputs: int, tmp_path: Path) -> Tally:
    tally = fuzz(target, inputs=inputs, seed=0, saved=tmp_path / "findings", folder=tmp_path)
    assert tally.findings == []
    assert tally.inputs == sum(tally.outcomes.values()) == inputs
    return tally


def test_hostile_images_harm_no_other_caller(tmp_path: Path) -> None:
    tally = tried("images", 3000, tmp_path)
    assert {strategy for strategy, _ in tally.outcomes} == {*STRATEGIES, "costly"}
    # Each is weighed, and what costs much has come up.
    assert sum(worst.files for worst in tally.constructed.values()) == tally.inputs // COSTLY_EVERY
    assert sum(worst.files for worst in (*tally.worst.values(), *tally.constructed.values())) == tally.inputs
    assert max(worst.memory for worst in tally.constructed.values()) > 100
    # It would be of no use if all were refused at the door.
    for outcome in ("answered", "no image", "too large"):
        assert tally.outcome(outcome) > 60


def test_hostile_calls_harm_no_other_caller(tmp_path: Path) -> None:
    tally = tried("requests", 700, tmp_path)
    for outcome in ("answered", "invalid_argument", "not_found", "sent"):
        assert tally.outcome(outcome) > 10


def test_hostile_answers_are_read_as_tensorflow_reads_them_or_called_malformed(tmp_path: Path) -> None:
    tally = tried("responses", 1500, tmp_path)
    for outcome in ("answered", "malformed", "unsuitable"):
        assert tally.outcome(outcome) > 30


def test_hostile_answers_to_any_verb_are_read_as_tensorflow_reads_them_or_called_malformed(tmp_path: Path) -> None:
    tally = tried("verbs", 600, tmp_path)
    assert {strategy for strategy, _ in tally.outcomes} == {
        f"{verb}, {shell}" for verb in VERBS for shell in ("threads", "asyncio")
    }
    for verb in VERBS:
        ends = {outcome for strategy, outcome in tally.outcomes if strategy.startswith(f"{verb},")}
        assert {"answered", "malformed"} <= ends, verb


@pytest.mark.parametrize("target", TARGETS)
def test_an_input_can_be_made_again_from_its_seed_and_number(target: str) -> None:
    first = [TARGETS[target].data(7, number) for number in range(40)]
    assert first == [TARGETS[target].data(7, number) for number in range(40)]
    assert len(set(first)) > 30
    assert first != [TARGETS[target].data(8, number) for number in range(40)]


def test_every_kind_of_call_and_of_answer_comes_up() -> None:
    assert {hostile_call(0, number).strategy for number in range(200)} == {"bytes", "fields", "noise", "HTTP/2", "slow"}
    assert {hostile_response(0, number)[0] for number in range(200)} == {"bytes", "fields", "noise", "untouched"}


def test_constructed_files_come_at_a_fixed_rate_and_alone() -> None:
    strategies = [hostile_image(0, number)[0] for number in range(2 * COSTLY_EVERY)]
    constructed = [COSTLY_EVERY - 1, 2 * COSTLY_EVERY - 1]
    assert [place for place, name in enumerate(strategies) if name == "costly"] == constructed
    made = list(batches(range(2 * COSTLY_EVERY + 5), is_constructed))
    assert [batch for batch in made if set(batch) & set(constructed)] == [[number] for number in constructed]
    assert sorted(number for batch in made for number in batch) == list(range(2 * COSTLY_EVERY + 5))
    assert max(map(len, made)) == BATCH


def test_an_input_above_its_bound_is_harm() -> None:
    tally = Tally()
    cheap = {"sizes": [("PNG", 100), ("GIF", 3000)], "cpu": 0.1, "taken": 2**20}
    assert tally.weigh(cheap) is None
    assert "6.0 CPU s and 1 MiB, above the bound of PNG" in str(tally.weigh(cheap | {"cpu": 6.0}))
    assert "301 MiB" in str(tally.weigh(cheap | {"taken": 301 * 2**20}))
    assert tally.worst["GIF"].seconds_of_a_kilobyte == pytest.approx(6 / (3000 / 1024))
    assert "PNG           3    6.00      6.00      5     301     301    300" in str(tally)
    assert "above the bound of GIF" in str(tally.weigh({"sizes": [("GIF", 9)], "cpu": 9, "taken": 0}, constructed=True))
    assert tally.constructed["GIF"].seconds == 9
