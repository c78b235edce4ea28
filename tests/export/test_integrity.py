"""`hubserve inspect --verify`: whether a version's files are those that were published."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hubserve_export.command import inspect

WEIGHTS = "variables/variables.data-00000-of-00001"


def verify(base: Path, *options: str) -> Result:
    return CliRunner().invoke(inspect, [str(base), "--verify", *options])


@pytest.fixture
def base(miniature_dir: Path, tmp_path: Path) -> Path:
    """A copy that may be altered."""
    return Path(shutil.copytree(miniature_dir, tmp_path / "copy"))


def flip_a_bit(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def replace_by_a_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def rewrite_manifest(base: Path, change: Callable[[dict], object]) -> None:
    file = base / "1" / "assets.extra" / "export.json"
    manifest = json.loads(file.read_text())
    change(manifest)
    file.write_text(json.dumps(manifest))


def test_every_file_that_was_published_is_in_the_manifest_except_the_manifest(miniature_dir: Path) -> None:
    folder = miniature_dir / "1"
    manifest = json.loads((folder / "assets.extra" / "export.json").read_text())
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    del files["assets.extra/export.json"]
    assert {file["path"]: (file["bytes"], file["sha256"]) for file in manifest["files"]} == {
        name: (path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest()) for name, path in files.items()
    }


def test_a_version_as_it_was_published_is_verified_without_tensorflow(miniature_dir: Path) -> None:
    program = (
        "import sys; sys.modules['tensorflow'] = None\n"
        "from hubserve_export.command import inspect\n"
        f"inspect([{str(miniature_dir)!r}, '--verify'])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"{miniature_dir}/1: all " in done.stdout
    assert "are as they were published" in done.stdout


@pytest.mark.parametrize(
    ("path", "change", "says"),
    [
        (WEIGHTS, flip_a_bit, f"altered  {WEIGHTS}: the size is the same, the content is not"),
        (WEIGHTS, lambda file: os.truncate(file, 1000), f"altered  {WEIGHTS}: 1,000 bytes, not "),
        (WEIGHTS, Path.unlink, f"missing  {WEIGHTS}"),
        (WEIGHTS, replace_by_a_pipe, f"altered  {WEIGHTS}: it is not a file any more"),
        ("variables", shutil.rmtree, f"missing  {WEIGHTS}"),
        ("batching_params.pbtxt", flip_a_bit, "altered  batching_params.pbtxt: "),
        ("assets/more.txt", Path.touch, "extra    assets/more.txt"),
        ("elsewhere", lambda link: link.symlink_to("/"), "extra    elsewhere"),
    ],
)
def test_a_file_that_differs_is_named(base: Path, path: str, change: Callable[[Path], object], says: str) -> None:
    change(base / "1" / path)
    result = verify(base)
    assert (result.exit_code, says in result.stderr) == (1, True), result.stderr
    assert "is not as it was published; do not serve it: copy or export it again" in result.stderr


def test_all_that_differ_are_named_at_once(base: Path) -> None:
    flip_a_bit(base / "1" / "saved_model.pb")
    (base / "1" / "assets" / "labels.txt").unlink()
    (base / "1" / "saved_model.pbtxt").touch()
    said = verify(base).stderr
    assert [line.split()[:2] for line in said.splitlines()[1:]] == [
        ["missing", "assets/labels.txt"],
        ["altered", "saved_model.pb:"],
        ["extra", "saved_model.pbtxt"],
    ]


def test_who_altered_the_manifest_too_is_found_out_by_a_hash_kept_elsewhere(base: Path) -> None:
    kept = verify(base).stdout.split()[-1]
    assert verify(base, "--manifest-sha256", kept.upper()).exit_code == 0
    (base / "1" / "batching_params.pbtxt").unlink()
    rewrite_manifest(
        base,
        lambda manifest: manifest.update(
            files=[file for file in manifest["files"] if (base / "1" / file["path"]).exists()]
        ),
    )
    assert verify(base).exit_code == 0
    result = verify(base, "--manifest-sha256", kept)
    assert (result.exit_code, "altered  assets.extra/export.json: its SHA-256 is not" in result.stderr) == (1, True)


def test_a_manifest_without_hashes_says_so(base: Path) -> None:
    rewrite_manifest(base, lambda manifest: manifest.pop("files"))
    result = verify(base)
    assert (result.exit_code, "has no hashes of its files" in result.stderr) == (1, True), result.stderr
    assert "export the model again" in result.stderr


@pytest.mark.parametrize("files", [7, [1], [{}], [{"path": "x", "bytes": "many", "sha256": ""}], None])
def test_hashes_that_are_none_are_an_error(base: Path, files: object) -> None:
    rewrite_manifest(base, lambda manifest: manifest.update(files=files))
    result = verify(base)
    assert (result.exit_code, "cannot be read" in result.stderr) == (1, True), result.stderr


@pytest.mark.parametrize("options", [["--verify", "--json"], ["--manifest-sha256", "00"]])
def test_options_that_do_not_go_together_are_refused(base: Path, options: list[str]) -> None:
    assert CliRunner().invoke(inspect, [str(base), *options]).exit_code == 2
