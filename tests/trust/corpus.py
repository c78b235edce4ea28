"""Print the table of hostile files for README.md: `PYTHONPATH=tests python -m trust.corpus`."""

from support.hostile_files import HOSTILE


def table() -> str:
    """In Markdown: the file, what it attacks, the status it is answered with."""
    rows = "".join(f"| {name} | {file.attacks} | {file.status} |\n" for name, file in HOSTILE.items())
    return "| file | attacks | status |\n|---|---|---|\n" + rows


if __name__ == "__main__":
    print(table(), end="")
