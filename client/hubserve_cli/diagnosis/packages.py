"""Check Python, the packages that hubserve needs, and its extras."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
import sys
import urllib.parse
from collections.abc import Iterator

from hubserve import __version__

from ..common.words import to_install
from .finding import Finding, presentable

_NEEDED = ("grpcio", "protobuf", "numpy", "click")
# Extras for the development of hubserve itself.
_OURS = frozenset({"dev", "docs"})
_REQUIREMENT = re.compile(
    r"(?P<name>[\w.-]+)(?:\[(?P<extras>[\w,\s-]+)\])?[^;]*;.*?extra == ['\"](?P<extra>[\w-]+)['\"]"
)


def findings() -> Iterator[Finding]:
    """Return the findings about the installation. No package is imported."""
    yield Finding("hubserve", "ok", f"{__version__}, {_origin()}")
    yield Finding(
        "Python",
        "ok",
        f"{platform.python_version()} ({presentable(sys.executable)}), {platform.platform()}, {_cores()} cores",
    )
    missing = [name for name in _NEEDED if _version(name) is None]
    detail = ", ".join(f"{name} {_version(name) or 'missing'}" for name in _NEEDED)
    yield Finding(
        "packages", "problem" if missing else "ok", detail, f"pip install {' '.join(missing)}" if missing else ""
    )
    yield from _extras()


def _extras() -> Iterator[Finding]:
    needs = _needs()
    for extra in needs:
        if extra in _OURS:
            continue
        names = _all(extra, needs)
        absent = [name for name in names if _version(name) is None]
        versions = ", ".join(f"{name} {_version(name)}" for name in names if _version(name) is not None)
        if absent:
            detail = f"without {', '.join(absent)}" + (f"; {versions}" if versions else "")
            yield Finding(f"extra {extra}", "absent", detail, to_install(extra))
        else:
            yield Finding(f"extra {extra}", "ok", versions)


def _needs() -> dict[str, list[tuple[str, tuple[str, ...]]]]:
    """Return the packages of each extra, with the extras that they bring."""
    needs: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
    try:
        lines = importlib.metadata.requires("hubserve") or []
    except importlib.metadata.PackageNotFoundError:
        lines = []
    for line in lines:
        if found := _REQUIREMENT.match(line):
            extras = tuple(extra.strip() for extra in (found["extras"] or "").split(",") if extra.strip())
            needs.setdefault(found["extra"], []).append((found["name"], extras))
    return needs


def _all(extra: str, needs: dict[str, list[tuple[str, tuple[str, ...]]]]) -> list[str]:
    names: list[str] = []
    for name, extras in needs.get(extra, ()):
        if name == "hubserve":
            names += [each for inner in extras for each in _all(inner, needs)]
        else:
            names.append(name)
    return list(dict.fromkeys(names))


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _origin() -> str:
    """Return where this hubserve was installed from, without a password in the address."""
    try:
        recorded = importlib.metadata.distribution("hubserve").read_text("direct_url.json")
        origin = json.loads(recorded) if recorded else None
    except (importlib.metadata.PackageNotFoundError, ValueError):
        origin = None
    if not isinstance(origin, dict) or "url" not in origin:
        return "from an index"
    parts = urllib.parse.urlsplit(str(origin["url"]))
    place = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
    kind = "a checkout" if "dir_info" in origin else "a repository" if "vcs_info" in origin else "a file"
    return f"from {kind}, {presentable(urllib.parse.unquote(place))}"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
