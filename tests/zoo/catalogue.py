"""All models of the zoo, in the order of the table."""

from zoo import applications, presets, tutorials
from zoo.built import Entry

FAMILIES = {
    "keras.applications": applications.entries,
    "KerasHub": presets.entries,
    "tutorials": tutorials.entries,
}


def entries() -> list[Entry]:
    """Every model that the zoo can build."""
    return [entry for family in FAMILIES.values() for entry in family()]


def find(name: str) -> Entry:
    """The model of this name."""
    return next(entry for entry in entries() if entry.name == name)
