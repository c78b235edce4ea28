"""The texts that programs can say, read from their source: constants and f-strings, with gaps for what is filled in."""

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

from hubserve_export.command import in_flags
from support.guide import ROOT

_GAP = "\0"
_FIELD = re.compile(r"\{\w+\}")


def said_by(folder: Path) -> list[str]:
    """Every text in the modules below a folder; `str.format`'s fields are gaps as an f-string's are."""
    return [text for module in sorted(folder.rglob("*.py")) for text in _texts(ast.parse(module.read_bytes()))]


def _texts(tree: ast.AST) -> Iterator[str]:
    documentation = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if node in documentation:
            continue
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else _GAP for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield _FIELD.sub(_GAP, node.value)


@functools.cache
def _all() -> list[str]:
    # The stand-ins are programs of the tests that say what TensorFlow Serving's source says.
    folders = [
        ROOT / "client",
        ROOT / "model",
        ROOT / "export",
        ROOT / "serve",
        ROOT / "k8s",
        ROOT / "tests" / "serve" / "stand_ins",
    ]
    texts = [text for folder in folders for text in said_by(folder)]
    # The export's library names an option as Python does, and its command as a flag.
    return [*texts, *map(in_flags, texts)]


def is_said(quoted: str) -> bool:
    """Tell whether a program can say a text that is quoted with ... for each part that differs from case to case."""
    pattern = re.compile(".*".join(re.escape(piece.strip()) for piece in quoted.split("...")), re.DOTALL)
    return any(pattern.search(text) for text in _all())
