"""`hubserve inspect`: the content of a version, without TensorFlow."""

import functools
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hubserve_export.command import inspect


def run(*arguments: object) -> Result:
    return CliRunner().invoke(inspect, [str(argument) for argument in arguments])


def test_a_person_sees_model_labels_pixels_parity_source_and_signatures(miniature_dir: Path) -> None:
    result = run(miniature_dir)
    assert result.exit_code == 0
    for line in (
        f"{miniature_dir}/1",
        "model        1001 classes, class 0 is background, the best 5 answered; 0.2 million parameters",
        "labels       background, tench, goldfish, ... toilet tissue",
        "images       to 64 x 64, stretched, bilinear, antialiased",
        "numbers      unit (pixels from 0 to 1)",
        "batches      of 1, 2; 9 warm-up records",
        "same best class on 4",
        "head         classes that exclude each other; the model gives logits (its numbers ",
        "steady       an image alone, in other batches and beside copies of itself: within ",
        "source       ",
        "saved_model.pb (",
        "TensorFlow 2.20.0",
        "signature serving_default",
        "  input   image_bytes  string   [N]",
        "  output  scores       float32  [N, 5]",
    ):
        assert line in result.stdout


def test_warnings_and_examples_are_reported_with_the_flags_of_the_command(miniature_dir: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(miniature_dir / "1", tmp_path / "m" / "1")
    file = folder / "assets.extra" / "export.json"
    manifest = json.loads(file.read_text())
    manifest["warnings"] = ["near-chance scores; say `preprocessing`"]
    manifest["examples"] = {"right": 3, "images": 4, "accuracy": 0.75, "classes": 2}
    manifest["min_accuracy"] = 0.5
    file.write_text(json.dumps(manifest))
    lines = run(tmp_path / "m").stdout.splitlines()
    assert "warning      near-chance scores; say --preprocessing" in lines
    assert "examples     3 of 4 right (75.0%), of 2 classes, at least 50.0% was asked for" in lines


def test_a_program_gets_the_manifest(miniature_dir: Path) -> None:
    manifest = json.loads(run(miniature_dir, "--json").stdout)
    assert manifest["format_version"] == 1
    assert manifest["source"]["kind"] == "directory"
    assert {"kind": "classification", "classes": 1001, "background": True, "top_k": 5}.items() <= manifest[
        "model"
    ].items()
    assert manifest["preprocessing"]["height"] == 64
    assert manifest["batch_sizes"] == [1, 2]
    assert manifest["parity"]["top1_equal"] == manifest["parity"]["images"] == 4
    assert manifest["parity"]["max_error"] <= manifest["parity"]["tolerance"]
    assert manifest["signatures"]["classify"]["inputs"] == {"inputs": {"dtype": "string", "shape": [None]}}


def test_tensorflow_is_not_imported(miniature_dir: Path) -> None:
    program = (
        "import sys; sys.modules['tensorflow'] = None\n"
        "from hubserve_export.command import inspect\n"
        f"inspect([{str(miniature_dir)!r}])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_folder_that_is_not_a_model_directory_says_what_to_give(miniature_dir: Path, tmp_path: Path) -> None:
    for folder, says in (
        (tmp_path, "holds no versions of a model; export a model into it"),
        (miniature_dir / "1", f"did you mean its parent, {miniature_dir}?"),
        (tmp_path / "nowhere", "is not a folder"),
    ):
        result = run(folder)
        assert (result.exit_code, says in result.stderr) == (1, True), result.stderr


def test_a_version_that_is_not_there_lists_those_that_are(miniature_dir: Path) -> None:
    result = run(miniature_dir, "--version", 4)
    assert (result.exit_code, "does not have version 4; it has 1" in result.stderr) == (1, True)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "only versions that hubserve exported have it"),
        ("{", "is not a manifest"),
        ("[]", "is not a manifest"),
        ('{"format_version": 1, "parity": {"max_error": NaN}}', "NaN is not a finite number"),
        ('{"format_version": Infinity}', "Infinity is not a finite number"),
        ('{"format_version": 1, "parity": {"max_error": 1e400}}', "1e400 is not a finite number"),
        ("[" * 100_000, "is nested too deeply"),
        ('{"format_version": 2}', "is of format 2, and this hubserve reads format 1"),
    ],
)
def test_a_version_with_a_strange_manifest_is_an_error(tmp_path: Path, content: str | None, says: str) -> None:
    extra = tmp_path / "1" / "assets.extra"
    extra.mkdir(parents=True)
    if content is not None:
        (extra / "export.json").write_text(content)
    result = run(tmp_path)
    assert (result.exit_code, says in result.stderr) == (1, True), result.stderr


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("parity", "max_error"), "text"),
        (("parity",), -1),
        (("signatures",), []),
        (("signatures", "serving_default"), None),
        (("labels",), True),
        (("preprocessing", "scale"), "text"),
        (("preprocessing", "scale"), [1, 2, 3, 4]),
        (("preprocessing", "crop_fraction"), {}),
        (("source",), "text"),
    ],
    ids=str,
)
def test_a_manifest_that_holds_something_else_is_an_error(
    miniature_dir: Path, tmp_path: Path, path: tuple[str, ...], value: object
) -> None:
    base = Path(shutil.copytree(miniature_dir, tmp_path / "miniature"))
    file = base / "1" / "assets.extra" / "export.json"
    manifest = json.loads(file.read_text())
    functools.reduce(dict.__getitem__, path[:-1], manifest)[path[-1]] = value
    file.write_text(json.dumps(manifest))
    result = run(base)
    assert (result.exit_code, "is not as hubserve writes it" in result.stderr) == (1, True), result.stderr
