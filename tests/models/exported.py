"""The models of many tests: how each is made in a folder. TensorFlow is imported here."""

import dataclasses
from pathlib import Path

from hubserve_export import Options, export
from models import pnasnet


def lite0(base: Path) -> None:
    export(Options("efficientnet-lite0", base, batch_sizes=(1, 8)))


def miniature_saved(folder: Path) -> None:
    pnasnet.Pnasnet(pnasnet.MINIATURE).save(folder)


def features_saved(folder: Path) -> None:
    pnasnet.Pnasnet(dataclasses.replace(pnasnet.MINIATURE, classes=None)).save(folder)


def of(saved: Path, base: Path) -> None:
    """Exports one of the above."""
    export(Options(str(saved), base, batch_sizes=(1, 2)))
