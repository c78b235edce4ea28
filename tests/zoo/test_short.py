"""The zoo's short form: cheap models of each way to take pixels, from the file to the logits."""

from pathlib import Path
from typing import Any

import pytest

from support.image_cases import CASES
from support.reference import upright
from zoo import applications, catalogue, compare, pictures, reference, table
from zoo.built import Entry

pytestmark = pytest.mark.slow

# Turned, transparent, of several frames, and larger than the models' input.
SOME = ("JPEG, EXIF orientation 6, little-endian", "PNG, RGB with alpha", "GIF, animated", "PNG, 451 x 300")

# Pillow rounds the luminance of a colour image to whole levels before it is resized; export does not.
ROUNDED_GRAY = 5e-3


@pytest.fixture(autouse=True)
def _few_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    cases = {case.name: case for case in CASES if case.name in SOME}
    monkeypatch.setattr(pictures, "KINDS", SOME)
    monkeypatch.setattr(pictures, "files", lambda: {name: cases[name].data() for name in SOME})


def _small_mobilenet() -> Entry:
    def build() -> Any:
        return applications.build("mobilenet_v2", "MobileNetV2", alpha=0.35, input_shape=(96, 96, 3), classes=20)

    return Entry("MobileNetV2", "keras.applications.MobileNetV2", build, labels=20)


@pytest.mark.parametrize(
    "entry",
    [_small_mobilenet(), catalogue.find("mnist-convnet"), catalogue.find("multi-label")],
    ids=lambda entry: entry.name,
)
def test_the_byte_path_gives_what_the_training_library_gives(entry: Entry, tmp_path: Path) -> None:
    built = entry.build()
    asked = reference.ask(built, [upright(data) for data in pictures.files().values()])
    row = compare.compare(entry, built.save(tmp_path), asked, tmp_path / "work")
    assert row.exported, row.refused
    assert set(row.options) == {"labels", *entry.said}
    assert row.pixels[0].largest <= table.PIXEL_GOAL, row
    assert row.logits[0].largest <= (ROUNDED_GRAY if entry.name == "mnist-convnet" else table.LOGIT_GOAL), row
    assert row.swapped > table.BLIND, row
