"""Print the result of decoding for every case, beside Pillow's, as a table in Markdown; fail if one is wrong.

PYTHONPATH=tests python -m support.decode_table
"""

import sys
from dataclasses import dataclass

import numpy as np

from support.decoding import decode
from support.image_cases import CASES, Case
from support.reference import pixels


@dataclass(frozen=True)
class Finding:
    """The answer of the model to a file: the status, and if that is 0, the distance from Pillow in levels of 255."""

    status: int
    largest: float = 0
    mean: float = 0

    def within(self, case: Case) -> bool:
        """Tell whether the answer is within the limit of the case."""
        return self.status == case.status and self.largest <= case.largest and self.mean <= case.mean


def find(case: Case) -> Finding:
    """Decodes the case's file, and compares."""
    data = case.data()
    height, width = case.size
    (status,), found = decode(data, height=height, width=width)
    if status:
        return Finding(status)
    # In float32, a whole level is off by a millionth.
    shown = pixels((case.shown or case.data)(), height, width)
    difference = np.abs(found[0] - shown).round(4)
    return Finding(status, difference.max(), difference.mean())


def expected() -> str:
    """The table of what is allowed, without looking at what is found."""
    return "| file | answer |\n|---|---|\n" + "".join(f"| {case.name} | {allowed(case)} |\n" for case in CASES)


def allowed(case: Case) -> str:
    """Return the limit of a case, in words."""
    if case.status:
        return f"status {case.status}"
    if not case.largest:
        return "the same" + (", as it should be shown" if case.shown else "")
    return f"within {case.largest:g}, {case.mean:g} in the mean"


def main() -> int:
    """Prints the table: 1 where a case is outside, 0 otherwise."""
    if sys.argv[1:] == ["--expected"]:
        print(expected(), end="")
        return 0
    print("| file | status | largest difference | mean | allowed |\n|---|---|---|---|---|")
    outside = []
    for case in CASES:
        finding = find(case)
        differences = f"{finding.largest:.2f} | {finding.mean:.2f}" if not finding.status else "| "
        print(f"| {case.name} | {finding.status} | {differences} | {allowed(case)} |", flush=True)
        outside += [] if finding.within(case) else [case.name]
    print(
        f"\n{len(CASES)} files, {len(outside)} outside of what is allowed" + "".join(f"\n  {name}" for name in outside)
    )
    return 1 if outside else 0


if __name__ == "__main__":
    sys.exit(main())
