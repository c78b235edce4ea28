"""The programs can print every text that the troubleshooting page explains."""

import re

import pytest

from support import guide
from support.messages import is_said

PAGE = (guide.ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
OURS, _, OTHERS = PAGE.partition("## From Kubernetes")
# A plain title, and the message below it; or the message alone as the title.
ENTRIES = re.findall(r"^### (?:[^`\n]+\n\n)?`(.+)`$", OURS, re.MULTILINE)
TITLES = re.findall(r"^### (.+)$", PAGE, re.MULTILINE)


def test_there_are_entries_from_each_program() -> None:
    assert len(ENTRIES) > 40
    assert OTHERS


@pytest.mark.parametrize("text", ENTRIES)
def test_the_program_says_it(text: str) -> None:
    assert is_said(text)


def test_titles_are_unique_so_that_each_has_an_address() -> None:
    assert sorted(set(TITLES)) == sorted(TITLES)
    assert len(ENTRIES) == len(re.findall(r"^### ", OURS, re.MULTILINE))


def test_a_text_that_no_code_says_is_noticed() -> None:
    assert not is_said("the server is ... on fire: call the fire brigade")


def test_every_entry_has_a_cause_and_a_remedy() -> None:
    whole = re.compile(r"\*\*Cause:\*\*.*\*\*Remedy:\*\*", re.DOTALL)
    entries = re.split(r"^### ", PAGE, flags=re.MULTILINE)[1:]
    assert [entry.splitlines()[0] for entry in entries if not whole.search(entry)] == []
