"""A row of the zoo's table."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: Files in the folder of a model: what was built, what its training library says, and the row.
BUILT, REFERENCE, RESULT = "built.json", "reference.npz", "row.json"


@dataclass(frozen=True)
class Difference:
    """The largest difference over some images, and the image that has it."""

    largest: float
    picture: str


@dataclass(frozen=True)
class Row:
    """Hold what became of one model.

    Attributes:
        name: Of the model.
        source: Where the model comes from.
        exported: Whether it was exported at all.
        refused: What export said when it was given no option, where it refused.
        options: The options that were needed.
        found: The preprocessing that export found, and its evidence.
        warnings: What export warned of.
        pixels: The largest difference of a pixel in levels of 255: of kinds that are decoded whole, and of the others.
        logits: The largest difference of a logit as a part of their range, in the same order.
        swapped: How far logits move, in the same measure, where red and blue are swapped. Were it small, a wrong
            convention would not show.
    """

    name: str
    source: str
    exported: bool
    refused: str = ""
    options: tuple[str, ...] = ()
    found: str = ""
    warnings: tuple[str, ...] = ()
    pixels: tuple[Difference, ...] = ()
    logits: tuple[Difference, ...] = ()
    swapped: float = 0.0

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> "Row":
        """Makes a row of what `dataclasses.asdict` gave."""
        lists = {key: tuple(said[key]) for key in ("options", "warnings")}
        differences = {key: tuple(Difference(**each) for each in said[key]) for key in ("pixels", "logits")}
        return cls(**{**said, **lists, **differences})
