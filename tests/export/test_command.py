"""`hubserve export`: its output, and its exit codes."""

import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hubserve_cli.main import main
from hubserve_export.command import export


def run(*arguments: object) -> Result:
    return CliRunner().invoke(export, [str(argument) for argument in arguments])


@pytest.mark.slow
def test_an_archive_is_exported_with_given_labels_and_says_so(light_saved: Path, tmp_path: Path) -> None:
    packed = tmp_path / "m.tar.gz"
    with tarfile.open(packed, "w:gz") as tar:
        tar.add(light_saved, ".")
    labels = tmp_path / "labels.txt"
    labels.write_text("".join(f"thing {i}\n" for i in range(1001)))
    base = tmp_path / "models" / "m"
    result = run(packed, "--output", base, "--version", 7, "--labels", labels, "--top-k", 3, "--batch-sizes", "1")
    assert result.exit_code == 0, result.output
    assert f"{base}/7: 1001 classes; the same best class as {packed} on 4 of 4 images" in result.stdout
    assert f"Serve it: hubserve serve {base}" in result.stdout
    assert sorted(path.name for path in (base / "7").iterdir()) == [
        "assets",
        "assets.extra",
        "batching_params.pbtxt",
        "fingerprint.pb",
        "saved_model.pb",
        "variables",
    ]
    assert (base / "7" / "assets" / "labels.txt").read_text() == labels.read_text()


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (["nowhere"], 1, "nowhere does not exist; give a hub URL or handle"),
        (["efficientnet-lite0", "--labels", "short.txt"], 1, "has 2 lines, and the model has 1000 classes"),
        (["efficientnet-lite0", "--labels", "none.txt"], 1, "labels file none.txt cannot be read"),
        (["efficientnet-lite0", "--top-k", "1001"], 1, "--top-k is 1001, and the model has 1000 classes"),
        (["efficientnet-lite0", "--image-size", "331"], 1, "takes images of 224 x 224 pixels only"),
        (["efficientnet-lite0", "--warmup-images", "empty"], 1, "empty does not hold files"),
        (["efficientnet-lite0", "--warmup-images", "nowhere"], 1, "warm-up images in nowhere cannot be read"),
        (["efficientnet-lite0", "--background"], 1, "--background was given, and class 0 of 1000 is 'tench'"),
        (["efficientnet-lite0", "--pixel-range", "255"], 2, "'255' must be two numbers with a comma"),
        (["efficientnet-lite0", "--pixel-range", "1,-1"], 2, "'1,-1' must ascend"),
        (["efficientnet-lite0", "--batch-sizes", "4,2"], 2, "'4,2' must be positive and ascending"),
        (["efficientnet-lite0", "--batch-sizes", "one"], 2, "'one' must be integers with commas"),
        (["efficientnet-lite0", "--crop-fraction", "0"], 2, "0<x<=1"),
        (["efficientnet-lite0", "--crop-fraction", "nan"], 2, "nan is not a finite number"),
        (["efficientnet-lite0", "--crop-fraction", "inf"], 2, "inf is not a finite number"),
        (["efficientnet-lite0", "--pixel-range", "nan,1"], 2, "'nan,1' must be finite numbers"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], code: int, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("short.txt").write_text("cat\ndog\n")
    before = sorted(tmp_path.rglob("*"))
    result = run(*options, "--output", "models/m")
    assert result.exit_code == code
    assert says in result.stderr
    assert result.stdout == ""
    assert result.stderr.splitlines()[-1].startswith("Error: ")
    assert sorted(tmp_path.rglob("*")) == before


def test_json_is_one_document_about_what_was_published(light_saved: Path, tmp_path: Path) -> None:
    said = ("--preprocessing", "unit", "--batch-sizes", "1")
    result = run(light_saved, "--output", tmp_path / "m", *said, "--json")
    document = json.loads(result.stdout)
    parity, head, warnings, preprocessing = (
        document.pop(name) for name in ("parity", "head", "warnings", "preprocessing")
    )
    assert document.pop("preprocessing_evidence")
    assert document == {
        "model": str(light_saved),
        "folder": str(tmp_path / "m" / "1"),
        "version": 1,
        "kind": "classification",
        "outputs": 1001,
        "examples": None,
        "origin": None,
        "notes": [],
    }
    assert (preprocessing["height"], preprocessing["channels"]) == (64, "rgb")
    assert [f"Warning: {text}" for text in warnings] == [
        line for line in result.stderr.splitlines() if line.startswith("Warning: ")
    ]
    assert (head["head"], head["activation"], head["source_gives"]) == ("exclusive", "softmax", "logits")
    assert (parity["images"], parity["top1_equal"], parity["max_error"] <= parity["tolerance"]) == (4, 4, True)


def test_a_version_that_is_there_is_refused_before_anything_is_loaded(light_dir: Path) -> None:
    result = run("nowhere", "--output", light_dir, "--version", 1)
    assert result.exit_code == 1
    assert "1 exists already, and versions are never overwritten" in result.stderr


def test_without_tensorflow_it_says_what_to_install(tmp_path: Path) -> None:
    # A path entry that shadows TensorFlow with nothing is a machine without it, as far as an import can tell.
    program = (
        "import sys; sys.modules['tensorflow'] = None\n"
        "from hubserve_export.command import export\n"
        f"export(['efficientnet-lite0', '--output', {str(tmp_path / 'm')!r}])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "Error: export needs tensorflow: pip install 'hubserve[export]'\n"


@pytest.mark.parametrize(("made", "said"), [(None, "nothing was published"), ("1", "version 1 is published")])
def test_ctrl_c_says_whether_anything_was_published(
    made: str | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        if made is not None:
            (tmp_path / "m" / made).mkdir(parents=True)
        raise KeyboardInterrupt

    monkeypatch.setattr("hubserve_export._export.export", interrupted)
    result = CliRunner().invoke(main, ["export", "model", "--output", str(tmp_path / "m")])
    assert result.exit_code == 130
    assert f"Stopped: {said} in {tmp_path / 'm'}\n" in result.stderr
