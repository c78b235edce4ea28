"""README.md lists every hostile file and every strategy of the fuzzer."""

from pathlib import Path

from trust.corpus import table
from trust.images import STRATEGIES

README = (Path(__file__).parent / "README.md").read_text(encoding="utf-8")


def test_the_table_of_files_is_the_one_that_the_tests_go_by() -> None:
    there = README.partition("<!-- files -->\n")[2].partition("<!-- end of files -->")[0]
    assert there == table(), "put in what `PYTHONPATH=tests python -m trust.corpus` prints"


def test_every_strategy_of_the_fuzzer_is_listed() -> None:
    assert [strategy for strategy in STRATEGIES if f"\n| {strategy} |" not in README] == []
