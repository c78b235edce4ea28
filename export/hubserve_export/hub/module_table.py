"""Look up the image modules that the hub's public index lists, and their twins on Kaggle Models.

`scripts/hub-table` writes the table from the pages of publishers. Some of these modules may no longer be on the hub: by
March 2024 publishers had to move their modules to Kaggle.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

from .._errors import SourceError
from .handles import KaggleName, Name, PageError, TfhubName, is_name, parse

_SHOWN = 6


@dataclass(frozen=True)
class Module:
    """Describe a module of the hub.

    Attributes:
        path: Its path on tfhub.dev, without the version.
        kind: "classification" or "feature_vector".
        tf1: Its versions in the format of TensorFlow 1.
        tf2: Its versions as SavedModels of TensorFlow 2.
        size: Height and width of the input in pixels; None where the page does not name them.
        pixels: The preset of its input's numbers ("unit" is 0 to 1); None where the page does not name it.
        classes: The number of classes of a classifier; None where the page does not name it.
        background: Whether class 0 is background; None where this is not known.
        kaggle: Owner, model and variation on Kaggle; None where no name there is known.
        twin: "seen" where a public list has that name, "rule" where it follows from the names of its family.
    """

    path: str
    kind: str
    tf1: tuple[int, ...]
    tf2: tuple[int, ...]
    size: int | None
    pixels: str | None
    classes: int | None
    background: bool | None
    kaggle: str | None
    twin: str | None

    @property
    def versions(self) -> tuple[int, ...]:
        """All its versions on tfhub.dev, ascending."""
        return tuple(sorted((*self.tf1, *self.tf2)))

    @property
    def newest(self) -> TfhubName:
        """Its newest version on tfhub.dev."""
        return TfhubName(self.path, self.versions[-1])

    def on_kaggle(self, version: int | None) -> KaggleName | None:
        """Return the twin of a version: Kaggle counts the versions of each framework from 1."""
        if self.kaggle is None:
            return None
        owner, model, variation = self.kaggle.split("/")
        for framework, versions in (("tensorFlow2", self.tf2), ("tensorFlow1", self.tf1)):
            if version in versions:
                return KaggleName(owner, model, framework, variation, versions.index(version) + 1)
        return None

    def on_tfhub(self, name: KaggleName) -> TfhubName | None:
        """Return the twin of a version on Kaggle, or of the newest one there."""
        versions = self.tf2 if name.framework == "tensorFlow2" else self.tf1
        if name.version is None:
            return TfhubName(self.path, versions[-1]) if versions else None
        return TfhubName(self.path, versions[name.version - 1]) if 1 <= name.version <= len(versions) else None

    def names(self) -> Iterator[str]:
        """Give its newest name on both services."""
        yield str(self.newest)
        if (twin := self.on_kaggle(self.newest.version)) is not None:
            yield str(twin)


@cache
def modules() -> tuple[Module, ...]:
    """Return the whole table, by path."""
    text = (resources.files("hubserve_export.hub") / "data" / "modules.tsv").read_text(encoding="utf-8")
    return tuple(_module(line.split("\t")) for line in text.splitlines()[2:])


def _module(fields: list[str]) -> Module:
    path, kind, tf1, tf2, size, pixels, classes, background, kaggle, twin = fields
    return Module(
        path,
        kind,
        tuple(map(int, tf1.split(","))) if tf1 else (),
        tuple(map(int, tf2.split(","))) if tf2 else (),
        int(size) if size else None,
        pixels or None,
        int(classes) if classes else None,
        background == "yes" if background else None,
        kaggle or None,
        twin or None,
    )


def of_name(name: Name) -> Module | None:
    """Return the module with a name of either service; None where the table does not have it."""
    by_path, by_kaggle = _indexes()
    if isinstance(name, TfhubName):
        return by_path.get(name.path)
    if isinstance(name, KaggleName):
        return by_kaggle.get((f"{name.owner}/{name.model}/{name.variation}".lower(), name.framework))
    return None


def find(handle: str) -> Module | None:
    """Return the module that `handle` names in any form; None for a path, another address, or an unknown module."""
    if not is_name(handle):
        return None
    try:
        return of_name(parse(handle))
    except SourceError:
        return None


@cache
def _indexes() -> tuple[dict[str, Module], dict[tuple[str, str], Module]]:
    # efficientnet/b0-feature-vector is one module in tensorFlow1 and another in tensorFlow2, of other owners.
    kaggle = {
        (module.kaggle, framework): module
        for module in modules()
        if module.kaggle is not None
        for framework, versions in (("tensorFlow1", module.tf1), ("tensorFlow2", module.tf2))
        if versions
    }
    return {module.path: module for module in modules()}, kaggle


def resolve(text: str) -> tuple[Name, Name | None]:
    """Read a name, and find the other service's name of the same model.

    Returns:
        The name, complete, and its twin; None where none is known.

    Raises:
        SourceError: The name is not complete; the message lists what it may be.
    """
    try:
        name = parse(text)
    except PageError as error:
        raise SourceError(f"{error}; {_choices(error.page)}") from error
    module = of_name(name)
    if isinstance(name, TfhubName):
        if name.version is None:
            parent, _, last = name.path.rpartition("/")
            if module is None and (module := _indexes()[0].get(parent)) is not None:
                raise SourceError(f"{text} has {last} where the hub has a version; {_versions(module, parent)}")
            raise SourceError(f"{text} names no version; {_versions(module, name.path)}")
        return name, None if module is None else module.on_kaggle(name.version)
    if isinstance(name, KaggleName) and module is not None and module.kaggle is not None:
        # Kaggle's names are in lower case.
        owner, model, variation = module.kaggle.split("/")
        name = replace(name, owner=owner, model=model, variation=variation)
        return name, module.on_tfhub(name)
    return name, None


def similar(text: str) -> tuple[str, ...]:
    """Return up to three names of modules that are like `text`, in the form that `text` has."""
    try:
        wanted = str(parse(text))
    except SourceError:
        wanted = text
    service = (
        KaggleName
        if any(f"/{framework}/" in wanted.lower() for framework in ("tensorflow1", "tensorflow2"))
        else TfhubName
    )
    known: dict[str, str] = {}
    for module in modules():
        name = module.newest if service is TfhubName else module.on_kaggle(module.newest.version)
        if name is not None:
            known[_compared(str(name))] = str(name)
    close = difflib.get_close_matches(_compared(wanted), known, n=3, cutoff=0.8)
    return tuple(found for match in close if (found := known[match]) != wanted)


def did_you_mean(text: str) -> str:
    """Return "did you mean A, B or C?", or nothing where no name is near."""
    names = similar(text)
    if not names:
        return ""
    return f"did you mean {', '.join(names[:-1])}{' or ' if names[1:] else ''}{names[-1]}?"


def advice(text: str) -> str:
    """Return what to give instead of an incomplete name, with "; " after it; empty where no module is like it."""
    owner_and_model = [module.kaggle.split("/")[:2] for module in modules() if module.kaggle is not None]
    if text.split("/")[:2] in owner_and_model and text.count("/") < 3:
        return f"as a page of Kaggle Models it has several variations: {_choices(text)}; else "
    paths = _indexes()[0]
    for path in (text, text.rpartition("/")[0]):
        if (module := paths.get(path)) is not None:
            return f"as a module of TensorFlow Hub it needs a version: {_versions(module, path)}; else "
    suggested = did_you_mean(text) if text.count("/") > 1 else ""
    return f"{suggested} Else " if suggested else ""


def _compared(name: str) -> str:
    """Return a name in the form for comparisons: lower case, hyphens, and no version."""
    bare = name.rpartition("/")[0] if name.rpartition("/")[2].isdecimal() else name
    return bare.lower().replace("_", "-")


def _versions(module: Module | None, path: str) -> str:
    if module is None:
        return did_you_mean(path) or f"add one, such as {path}/1"
    listed = ", ".join(f"{path}/{version}" for version in reversed(module.versions))
    return f"give one of {listed}" if module.versions[1:] else f"give {listed}"


def _choices(page: str) -> str:
    """Return the advice to choose one of a page's variations, by their names where the table has them."""
    if (module := _indexes()[0].get(page)) is not None:
        return f"its SavedModel is {module.newest}"
    owner, model, *framework = page.split("/")
    found = [
        str(name)
        for module in modules()
        if (name := module.on_kaggle(module.newest.version)) is not None
        and (name.owner, name.model) == (owner.lower(), model.lower())
        and framework in ([], [name.framework], ["tfLite"], ["tfJs"])
    ]
    if not found:
        return "choose a variation on that page, and give owner/model/framework/variation"
    return f"choose one: {_some(found)}"


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - _SHOWN} more (hubserve models lists them)" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + more
