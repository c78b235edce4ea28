"""Twelve forms of a name, ten faults: all work, or say the right next step."""

import pytest

from trust import hub


@pytest.mark.slow
def test_every_form_works_or_says_the_right_next_step_at_every_fault() -> None:
    cells = hub.cells()
    assert len(cells) == 120
    assert hub.lines(cells)[-1] == "120 of 120 work, or say the right next step", "\n".join(hub.lines(cells))


def test_a_wrong_next_step_is_noticed() -> None:
    form = hub.FORMS[0]
    right = "the public index has it, and the hub does not any more: look at https://www.kaggle.com/models/x"
    assert hub.Cell(form, "404", "works", "check the network").wrong
    assert hub.Cell(form, "404", "it broke", right).wrong
    assert hub.Cell(form, "404", "works", "works").wrong
    assert not hub.Cell(form, "404", "works", right).wrong
