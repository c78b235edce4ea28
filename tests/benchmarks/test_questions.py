"""The page of what users ask: which rows answer, with goal, verdict and reason."""

from dataclasses import asdict

import report
from row import Figures, Row

ROWS = [
    Row("my-model, batch 8: through gRPC", [50.0, 60.0, 55.0], unit="images/s"),
    Row("my-model: start to the first answer, with warm-up against without", [1.7], at_most=1.5, reason="two graphs"),
    Row("my-model: the first PNG after warm-up against later", [1.1], at_most=1.3, reason="not shown"),
    Row("export of PNASNet-5 large", [70.0], unit="s", at_most=60, reason="slow"),
    Row("export of PNASNet-5 large, step: loading", [5.0], unit="s"),
    Row(
        "client CPU of a request of 32 JPEGs, 3.4 MB: tritonclient.grpc against hubserve", [], at_least=2, reason="gone"
    ),
]
RUN = {"figures": [asdict(Figures("some", ROWS))]}


def test_each_row_that_answers_is_shown_with_its_question() -> None:
    assert [question for question, _ in report.answers(RUN)] == [
        "Images a second of my-model on this machine, in requests of 8",
        "my-model: that start, against one without warm-up (the limit is 1 x)",
        "The first PNG to my-model after the start, against later",
        "Export of PNASNet-5 large, with its proof",
        "Client: processor time of tritonclient, against hubserve",
    ]


def test_a_goal_is_met_or_has_its_reason() -> None:
    table = report.headlines(RUN).splitlines()
    assert "| 1.7 x | at most 1.5 x | **missed**: two graphs |" in table[3]
    assert "| 1.1 x | at most 1.3 x | met |" in table[4]
    assert "|  | at least 2 x | not measured: gone |" in table[6]


def test_the_page_for_a_terminal_says_the_same() -> None:
    page = report.one_page(RUN)
    assert "55 images/s (52.5 to 57.5)" in page
    assert "goal at most 1.5 x: missed\n      two graphs" in page
