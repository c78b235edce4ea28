"""The zoo's table in Markdown, and its summary against the goals."""

import statistics
from collections.abc import Sequence

from zoo.row import Difference, Row

#: The goals: a pixel may differ by one level of 255, and a logit by this part of their range.
PIXEL_GOAL, LOGIT_GOAL = 1.0, 1e-3
#: Where swapped colours move logits by less than this part of their range, the weights tell nothing.
BLIND = 0.05

#: Models that draw random numbers as they are saved, with what export has to say to them.
REFUSED = {
    "flowers-saved-model": "it draws random numbers",
    "cats-and-dogs-saved-model": "it draws random numbers",
}

HEAD = (
    "| model | found | options needed | largest pixel difference, levels of 255 "
    "| largest logit difference, of the range | the same, red and blue swapped |\n|---|---|---|---|---|---|"
)


def line(row: Row) -> str:
    """A row of the table."""
    if not row.exported:
        said = "refused, as it has to be" if _rightly_refused(row) else "not exported"
        return f"| {row.name} | {said}: {_cell(row.refused)} | | | | |"
    options = ", ".join(row.options) or "none"
    if row.options:
        options += f" (without: {_cell(row.refused)})"
    found = _cell(row.found) + "".join(f" Warning: {_cell(warning)}" for warning in row.warnings)
    pixels, logits = (_both(each, form) for each, form in ((row.pixels, ".2f"), (row.logits, ".1e")))
    return f"| {row.name} | {found} | {options} | {pixels} | {logits} | {row.swapped:.2f} |"


def summary(rows: Sequence[Row]) -> str:
    """Return how many models meet each goal, and which do not."""
    exported = [row for row in rows if row.exported]
    refused = [row for row in rows if _rightly_refused(row)]
    lines = [
        _goal("exported", rows, [row for row in rows if not row.exported]),
        f"of those, refused because they draw random numbers as they are saved: {_names(refused) or 'none'}",
        f"options needed: {statistics.median(len(row.options) for row in exported) if exported else '-'} in the "
        f"median (goal: 0), none for {sum(not row.options for row in exported)} of {len(exported)}",
        _goal("pixels within 1/255, images that are decoded whole", exported, _outside(exported, 0, "pixels")),
        _goal("pixels within 1/255, large JPEGs", exported, _outside(exported, 1, "pixels")),
        _goal("logits within 1e-3 of their range, decoded whole", exported, _outside(exported, 0, "logits")),
        _goal("logits within 1e-3 of their range, large JPEGs", exported, _outside(exported, 1, "logits")),
    ]
    if blind := [row for row in exported if row.swapped < BLIND]:
        lines.append(f"weights that do not tell red from blue, so that their logits show little: {_names(blind)}")
    return "\n".join(lines)


def page(rows: Sequence[Row], versions: str, older: int) -> str:
    """Return the table and its summary as a page.

    Args:
        rows: The table's.
        versions: Of the libraries that were measured.
        older: How many rows were found with other sources than today's.
    """
    said = f" {older} of {len(rows)} rows were found before the last change of the sources." if older else ""
    goals = "\n".join(f"- {goal}" for goal in summary(rows).splitlines())
    table = f"{HEAD}\n" + "\n".join(line(row) for row in rows)
    return f"# The zoo's table\n\nPrinted by `make zoo`, with {versions}.{said}\n\n{goals}\n\n{table}\n"


def goals_met(rows: Sequence[Row]) -> bool:
    """Tell whether all models meet all goals, large JPEGs left aside."""
    exported = [row for row in rows if row.exported]
    return (
        bool(rows)
        and all(row.exported or _rightly_refused(row) for row in rows)
        and statistics.median(len(row.options) for row in exported) == 0
        and not _outside(exported, 0, "pixels")
        and not _outside(exported, 0, "logits")
    )


def _rightly_refused(row: Row) -> bool:
    return not row.exported and row.name in REFUSED and REFUSED[row.name] in row.refused


def _outside(rows: Sequence[Row], which: int, what: str) -> list[Row]:
    goal = PIXEL_GOAL if what == "pixels" else LOGIT_GOAL
    # Not "larger than": NaN is not within any goal either.
    return [row for row in rows if not getattr(row, what)[which].largest <= goal * (1 + 1e-6)]


def _goal(what: str, rows: Sequence[Row], outside: Sequence[Row]) -> str:
    missed = f"; not {_names(outside)}" if outside else ""
    return f"{what}: {len(rows) - len(outside)} of {len(rows)}{missed}"


def _names(rows: Sequence[Row]) -> str:
    return ", ".join(row.name for row in rows)


def _both(each: Sequence[Difference], form: str) -> str:
    whole, large = each
    return f"{whole.largest:{form}} ({whole.picture}); large JPEG {large.largest:{form}}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
