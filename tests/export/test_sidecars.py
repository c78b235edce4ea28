"""Files beside a model describe what other libraries do with an image; each is read as its library reads it."""

import json
import zipfile
from pathlib import Path

import pytest

from hubserve_export import PRESETS, Preprocessing, PreprocessingError, _sidecars
from hubserve_export._preprocessing import preset_of


def beside(folder: Path, name: str, document) -> _sidecars.Sidecar | None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(document if isinstance(document, str) else json.dumps(document))
    return _sidecars.find(folder)


def described(sidecar: _sidecars.Sidecar | None) -> tuple:
    assert sidecar is not None
    found = Preprocessing(8, 8, **sidecar.fields)
    return (
        preset_of(found),
        found.resize,
        found.interpolation,
        round(found.crop_fraction, 3),
        found.antialias,
        sidecar.size,
    )


IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225], "do_normalize": True}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (
            {"size": {"height": 224, "width": 224}, "resample": 2, "image_mean": [0.5] * 3, "image_std": [0.5] * 3},
            ("tf", "stretch", "bilinear", 1.0, True, (224, 224)),
        ),
        (
            IMAGENET
            | {"do_resize": True, "size": {"shortest_edge": 256}, "do_center_crop": True, "resample": 3}
            | {"crop_size": {"height": 224, "width": 224}},
            ("torch", "crop", "bicubic", 0.875, True, (224, 224)),
        ),
        (
            IMAGENET | {"size": {"shortest_edge": 224}, "crop_pct": 0.875, "resample": 3},
            ("torch", "crop", "bicubic", 0.875, True, (224, 224)),
        ),
        (
            IMAGENET | {"size": {"shortest_edge": 384}, "crop_pct": 1.0},
            ("torch", "stretch", "bilinear", 1.0, True, (384, 384)),
        ),
        ({"size": 192, "do_normalize": False}, ("unit", "stretch", "bilinear", 1.0, True, (192, 192))),
        ({"do_rescale": False, "do_resize": False}, ("raw", "stretch", "bilinear", 1.0, True, None)),
    ],
    ids=["vit", "resnet", "convnext", "convnext 384", "integer", "nothing"],
)
def test_transformers(tmp_path: Path, document: dict, expected: tuple) -> None:
    assert described(beside(tmp_path, "preprocessor_config.json", document)) == expected


def test_timm(tmp_path: Path) -> None:
    config = {"mean": IMAGENET["image_mean"], "std": IMAGENET["image_std"], "input_size": [3, 288, 288]}
    config |= {"interpolation": "bicubic", "crop_pct": 0.95, "crop_mode": "center"}
    sidecar = beside(tmp_path, "config.json", {"architecture": "resnet50", "pretrained_cfg": config})
    assert described(sidecar) == ("torch", "crop", "bicubic", 0.95, True, (288, 288))


CONVERTER = {"class_name": "ResNetImageConverter", "config": {"image_size": [224, 200], "scale": 1 / 255, "offset": 0}}


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("preprocessor.json", {"class_name": "Preprocessor", "config": {"image_converter": CONVERTER}}),
        ("image_converter.json", CONVERTER),
        ("task.json", {"class_name": "Task", "config": {"preprocessor": {"config": {"image_converter": CONVERTER}}}}),
    ],
)
def test_kerashub_with_its_defaults(tmp_path: Path, name: str, document: dict) -> None:
    expected = ("unit", "crop_to_aspect_ratio", "bilinear", 1.0, False, (224, 200))
    assert described(beside(tmp_path, name, document)) == expected


def test_kerashub_in_a_keras_file(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "task.keras", "w") as archive:
        document = {"class_name": "Task", "config": {"preprocessor": {"config": {"image_converter": CONVERTER}}}}
        archive.writestr("config.json", json.dumps(document))
    assert described(_sidecars.find(tmp_path / "task.keras"))[:2] == ("unit", "crop_to_aspect_ratio")


def test_teachable_machine(tmp_path: Path) -> None:
    (tmp_path / "keras_model.h5").write_bytes(b"")
    sidecar = beside(tmp_path, "labels.txt", "0 cat\n1 dog\n")
    assert described(sidecar) == ("tf", "crop_to_aspect_ratio", "lanczos3", 1.0, True, None)
    assert _sidecars.find(tmp_path / "keras_model.h5") == sidecar


def test_a_file_two_folders_up_counts_for_a_saved_model_in_a_version(tmp_path: Path) -> None:
    (tmp_path / "saved_model" / "1").mkdir(parents=True)
    assert beside(tmp_path, "preprocessor_config.json", {"size": 8, "do_normalize": False}) is not None
    assert _sidecars.find(tmp_path / "saved_model" / "1") is not None
    (tmp_path / "mine").mkdir()
    assert _sidecars.find(tmp_path / "mine") is None


def test_a_config_of_something_else_is_passed_over(tmp_path: Path) -> None:
    assert beside(tmp_path, "config.json", {"model_type": "vit"}) is None
    assert beside(tmp_path, "labels.txt", "cat\ndog\n") is None


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ("{", "cannot be read"),
        ({"size": {"shortest_edge": 256}, "do_normalize": False}, "nothing is cropped"),
        ({"size": 8, "do_normalize": True}, "KeyError: 'image_mean'"),
        ({"size": 8, "resample": 5, "do_normalize": False}, "KeyError: 5"),
    ],
)
def test_a_file_that_is_not_understood_is_never_passed_over(tmp_path: Path, document, says: str) -> None:
    with pytest.raises(PreprocessingError, match=says):
        beside(tmp_path, "preprocessor_config.json", document)


def test_the_presets_are_distinguished() -> None:
    assert [preset_of(Preprocessing(1, 1, **preset)) for preset in PRESETS.values()] == list(PRESETS)
