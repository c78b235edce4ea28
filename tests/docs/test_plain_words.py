"""The mechanical part of plain English: docstrings of functions begin with an imperative verb."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from hubserve_cli.main import main
from support import guide

PARTS = ("client", "model", "export", "serve", "benchmarks")
# Words that begin a noun phrase or a clause, and no order.
NO_VERBS = re.compile(
    "A|All|An|As|At|Both|Each|Every|For|From|Has|How|If|In|Is|It|Its|No|None|Nothing|One|So|Some|Something|That|The|"
    "There|These|They|This|Those|Two|What|When|Where|Whether|Which|Who|Why|With|Without"
)
VERBS_IN_S = {"Compress", "Express", "Guess", "Pass", "Process"}
EXEMPT = {"property", "cached_property"}


def _functions(file: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(node):
            names = {getattr(each, "id", getattr(each, "attr", "")) for each in node.decorator_list}
            if not names & EXEMPT:
                yield node


def begins_with_a_verb(docstring: str) -> bool:
    """Tell whether the first word can be an imperative."""
    word = re.match(r"[A-Za-z]+", docstring)
    if word is None or not word[0][0].isupper() or NO_VERBS.fullmatch(word[0]):
        return False
    return not word[0].endswith("s") or word[0] in VERBS_IN_S


@pytest.mark.parametrize("part", PARTS)
def test_a_docstring_of_a_function_begins_with_an_imperative_verb(part: str) -> None:
    wrong = [
        f"{file.relative_to(guide.ROOT)}:{function.lineno} {function.name}: {ast.get_docstring(function)!r:.80}"
        for file in sorted((guide.ROOT / part).rglob("*.py"))
        if not file.name.endswith("_pb2.py")
        for function in _functions(file)
        if not begins_with_a_verb(ast.get_docstring(function) or "")
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("docstring", "plain"),
    [("Return the row.", True), ("Reads it.", False), ("The row.", False), ("`row`.", False), ("Pass it on.", True)],
)
def test_the_check_tells_a_verb(docstring: str, plain: bool) -> None:
    assert begins_with_a_verb(docstring) is plain


# Words with which a help text leans on another one, or on a caption that is not there.
LEANING = re.compile(r"(After|Before|During|For|From|He|Her|His|In|It|Its|Of|On|That|Their|Them|They|This|To|With)\b")
DEFAULT = re.compile(r"  \[default: [^\]]+\]$")


def subcommands() -> list[tuple[str, click.Command]]:
    context = click.Context(main)
    return [(name, command) for name in main.list_commands(context) if (command := main.get_command(context, name))]


def stands_alone(text: str) -> bool:
    """Tell whether a help text is a sentence or more: what it is of, in its own words, and a full stop."""
    sentence = DEFAULT.sub("", text)
    return bool(re.match("[A-Z]", sentence)) and sentence.endswith(".") and not LEANING.match(sentence)


def test_the_help_of_every_option_stands_alone() -> None:
    wrong = [
        f"{name} {parameter.opts[0]}: {parameter.help}"
        for name, command in subcommands()
        for parameter in command.params
        if isinstance(parameter, click.Option) and not stands_alone(parameter.help or "")
    ]
    assert wrong == []


def test_the_help_of_every_subcommand_begins_with_a_verb_and_gives_an_example() -> None:
    for name, command in subcommands():
        assert begins_with_a_verb(command.help or ""), name
        assert f"Example:\n  hubserve {name}" in (command.help or "").replace("    ", ""), name


@pytest.mark.parametrize(
    ("text", "alone"),
    [
        ("Seconds to measure each point.", True),
        ("Seconds to measure each point.  [default: 10]", True),
        ("Of each point.  [default: 10]", False),
        ("[default: 10]", False),
        ("Its private key.", False),
        ("Seconds to measure", False),
    ],
)
def test_the_check_tells_a_help_text_that_leans_on_another(text: str, alone: bool) -> None:
    assert stands_alone(text) is alone
