"""The fuzzer finds the one harmful input of a batch, for every kind of harm."""

import sys

import pytest

from trust.hunt import Hunter


def hunt(numbers: range) -> tuple[list[tuple[int | None, str]], int]:
    """The findings, and how many inputs were answered harmlessly."""
    harmless: list[int] = []
    command = [sys.executable, "-m", "trust.stand_in_child"]
    with Hunter(command, patience=5) as hunter:
        findings = hunter.hunt(numbers, lambda answer: harmless.extend(answer["numbers"]))
        # It goes on afterwards.
        assert hunter.hunt(range(1000, 1003), lambda answer: harmless.extend(answer["numbers"])) == []
    return [(finding.number, finding.harm) for finding in findings], len(harmless) - 3


@pytest.mark.slow
def test_a_crash_a_hang_and_a_wrong_answer_in_one_batch_are_each_traced_to_their_input() -> None:
    found, harmless = hunt(range(16, 57))
    assert [number for number, _ in found] == [17, 40, 55]
    (crash, hang, wrong) = (harm for _, harm in found)
    assert "the process ended with -6" in crash
    assert hang == "no answer in 5 s"
    assert wrong == "a good neighbour's answer changed"
    assert harmless == 0


def test_harm_that_no_input_does_alone_is_reported_for_the_batch() -> None:
    found, _ = hunt(range(64, 80))
    assert found == [(None, "the two together; inputs 64 to 79, and none alone")]


def test_harmless_inputs_are_reported() -> None:
    assert hunt(range(10)) == ([], 10)
