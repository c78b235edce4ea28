"""Files of other formats through the client and a real model: the same class as the same pixels sent as PNG."""

import json
from pathlib import Path

import pytest

from hubserve import Client
from support.foreign_files import corpus, phone_photographs
from support.photographs import COFFEE, encoded, image
from support.processes import hubserve, serving

pytestmark = pytest.mark.slow

CLASSES = {"chelsea": "Egyptian cat", "coffee": "espresso", "camera": "tripod", "grace_hopper": "military uniform"}


def test_every_converted_file_has_the_class_of_its_pixels(lite0_dir: Path) -> None:
    names, files, pictures, _ = zip(*corpus(image(COFFEE).resize((300, 200))), strict=True)
    with serving(lite0_dir) as target, Client(target, model="lite0", convert=True, timeout=120) as client:
        answers = list(client.classify(files))
        references = list(client.classify([encoded(picture, "PNG") for picture in pictures]))

    assert [answer.error for answer in answers] == [None] * len(files)
    # A conversion may round a pixel. If two classes are nearly equal, either may then come first.
    differing = [
        (name, answer.label, answer.score, other.classes[:2])
        for name, answer, other in zip(names, answers, references, strict=True)
        if answer.label not in {found.label for found in other.classes if found.score > other.score - 0.02}
    ]
    assert differing == []


def test_a_folder_of_phone_photographs_is_classified_with_one_command(lite0_dir: Path, tmp_path: Path) -> None:
    """The 500 files of `make photographs`."""
    shown = phone_photographs(tmp_path / "DCIM", 40)
    with serving(lite0_dir) as target:
        done = hubserve("classify", tmp_path / "DCIM", "--convert", "--server", target, "--model", "lite0")

    assert done.returncode == 0, done.stderr
    assert "40 of 40 images classified" in done.stderr
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(Path(record["source"]).name, record["classes"][0]["label"]) for record in records] == [
        (name, CLASSES[subject]) for name, subject in sorted(shown.items())
    ]
