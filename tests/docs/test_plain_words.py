"""The mechanical part of plain English, in docstrings, comments, messages, help texts and on pages."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from hubserve_cli.main import main
from support import guide

PARTS = ("client", "model", "export", "serve", "k8s", "benchmarks")
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


# A module, a class or a property may begin with the name of a thing ("A row."), but not with a clause about it ("What a
# row is.").
CLAUSES = re.compile(r"(How|What|When|Where|Whether|Which|Who|Whose|Why)\b")


@pytest.mark.parametrize("part", [*PARTS, "tests"])
def test_a_docstring_of_a_module_class_or_property_does_not_begin_with_a_clause(part: str) -> None:
    wrong = [
        f"{file.relative_to(guide.ROOT)} {getattr(node, 'name', '')}: {ast.get_docstring(node)!r:.80}"
        for file in sorted((guide.ROOT / part).rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and CLAUSES.match(ast.get_docstring(node) or "")
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
    """Tell whether a help text is a sentence or more: it names its subject, and ends with a full stop."""
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


# Phrases that stop a reader, and what to write.
_DONE = "been|yet|begun|come|had|met|read|run|sent|[a-z]+(?:ed|en|wn)"
PLAIN = {
    rf"\b(?:has|have|had) not\b(?! (?:{_DONE})\b)": "does not have",
    r"(?<!there )\b(?:is|are|was|were) no\b(?! (?:longer|more)\b)": "is not a",
    r"\bunder way\b|\bon (?:its|their|the) way\b": "in flight",
    r"\b(?:try|tries|tried|trying|asks?|asked|asking) again\b": "retry",
    r"\babort(?:s|ed|ing)?\b": "cancel",
    r"\bbut for\b": "except for",
    r"\b(?:whoever|whomever)\b": "a user who, a caller that",
    r"\b(?:some|no|any|every)body\b": "user, caller, no one",
    r"\bmend(?:s|ed|ing)?\b": "fix",
    r"\bpictures?\b": "image",
    r"\bas it says\b": "do what the message says",
    r"\b(?:by and large|for want of|otherwise than|to be had)\b": "common words",
}
# Not prose: code, quoted messages, tables that a program writes, addresses, and the glossary's words not to use.
NOT_PROSE = re.compile(
    r"^```.*?^```$|<!-- (?P<mark>\w+) -->\n.*?<!-- end of (?P=mark) -->|`[^`]*`|\"[^\"]*\"|https?://\S+|</?\w[^>]*>|\]\([^)]*\)"
    r"|^\| term \| meaning \| not \|\n.*?\n\n",
    re.DOTALL | re.MULTILINE,
)
PAGES = [
    *guide.pages(),
    guide.ROOT / "CONTRIBUTING.md",
    guide.ROOT / "SECURITY.md",
    guide.ROOT / "export" / "hubserve_export" / "data" / "README.md",
    *sorted((guide.ROOT / "tests").rglob("README.md")),
]


def not_plain(text: str) -> list[str]:
    """Return each phrase that a page should not have, with what to write instead."""
    prose = " ".join(NOT_PROSE.sub("", text).split())
    return [
        f"{prose[max(0, found.start() - 30) : found.end() + 20]}: write {instead}"
        for phrase, instead in PLAIN.items()
        for found in re.finditer(phrase, prose, re.IGNORECASE)
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(guide.ROOT)))
def test_a_page_has_no_phrase_that_stops_a_reader(page: Path) -> None:
    assert not_plain(page.read_text(encoding="utf-8")) == []


def test_comments_of_manifests_have_no_phrase_that_stops_a_reader() -> None:
    wrong = []
    for file in sorted((guide.ROOT / "k8s").rglob("*.yaml")):
        comments = "\n".join(re.findall(r"(?:^|\s)# (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE))
        wrong += [f"{file.relative_to(guide.ROOT)}: {phrase}" for phrase in not_plain(comments)]
    assert wrong == []


def comments(source: str) -> Iterator[str]:
    """Return the comments of a module. Lines that follow each other are one comment."""
    found: list[str] = []
    last = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            if found and token.start[0] != last + 1:
                yield " ".join(found)
                found = []
            found.append(token.string.lstrip("# "))
            last = token.start[0]
    yield " ".join(found)


def texts(source: str) -> Iterator[str]:
    """Return the strings of a module that are sentences: docstrings, messages and help texts."""
    parts: set[ast.AST] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            parts.update(node.values)
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "`...`" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in parts and " " in node.value:
            yield node.value


SOURCES = [
    file
    for part in (*PARTS, "tests")
    for file in sorted((guide.ROOT / part).rglob("*.py"))
    if not file.name.endswith("_pb2.py") and file != Path(__file__)
]


@pytest.mark.parametrize("part", sorted({file.relative_to(guide.ROOT).parts[0] for file in SOURCES}))
def test_comments_docstrings_and_messages_have_no_phrase_that_stops_a_reader(part: str) -> None:
    wrong = []
    for file in SOURCES:
        if file.is_relative_to(guide.ROOT / part):
            source = file.read_text(encoding="utf-8")
            said = [*comments(source), *texts(source)]
            wrong += [f"{file.relative_to(guide.ROOT)}: {phrase}" for text in said for phrase in not_plain(text)]
    assert wrong == []


def test_the_check_reads_comments_docstrings_and_messages() -> None:
    source = '"""A file that\nis no image."""\nx = f"{y} is " "no image"  # Nobody\n# asks.\nz = "nobody"\n'
    assert list(comments(source)) == ["Nobody asks."]
    assert [len(not_plain(text)) for text in (*comments(source), *texts(source))] == [1, 1, 1]


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("a program that the image has not", False),
        ("It has not a name.", False),
        ("The cluster has not been tried, and has not yet\nstarted.", True),
        ("a file that is no\nimage", False),
        ("There is no Ingress, and it is no longer needed.", True),
        ("answers that are on their way", False),
        ("all but for known callers", False),
        ('`is no folder` and "try again" are messages.', True),
        ("```text\nwhoever is no one\n```\n", True),
        ("<!-- cases -->\nseveral pictures\n<!-- end of cases -->", True),
    ],
)
def test_the_check_tells_a_phrase_that_stops_a_reader(text: str, plain: bool) -> None:
    assert (not_plain(text) == []) is plain
