"""`hubserve manifests` writes all files or none."""

import errno
import os
import shutil
import uuid
from pathlib import Path

import pytest

from k8s.generated import files, run, written
from k8s.models import PNASNET, write_model


def test_a_failure_in_the_middle_changes_nothing(tmp_path, monkeypatch):
    model = write_model(tmp_path / "pnasnet", PNASNET)
    output = written(model, tmp_path / "out")
    before = files(output), (output / ".hubserve.json").read_bytes()
    write_model(model, PNASNET, 2)
    replace, calls = os.replace, []

    def full(old: Path, new: Path) -> None:
        calls.append(new)
        if len(calls) == 5:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(new))
        replace(old, new)

    monkeypatch.setattr(os, "replace", full)
    done = run(model, output, "--with", "gateway")
    assert done.exit_code == 1
    assert f"cannot be written (No space left on device); {output} is as it was before" in done.output
    assert (files(output), (output / ".hubserve.json").read_bytes()) == before
    assert sorted(path.name for path in output.iterdir()) == [
        ".hubserve.json", "base", "jobs", "model.Dockerfile", "overlays",
    ]  # fmt: skip
    monkeypatch.undo()
    # The same run succeeds later.
    assert "0 files new" not in run(model, output, "--with", "gateway").output


def test_a_failure_in_the_first_run_leaves_no_folder(tmp_path, monkeypatch):
    def broken(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "replace", broken)
    done = run(write_model(tmp_path / "pnasnet", PNASNET), tmp_path / "new" / "out")
    assert done.exit_code == 1
    assert not (tmp_path / "new").exists()


def test_what_a_killed_run_left_is_no_foreign_file(tmp_path):
    left = tmp_path / "out" / f".hubserve-manifests-{uuid.uuid4()}"
    left.mkdir(parents=True)
    output = written(write_model(tmp_path / "pnasnet", PNASNET), tmp_path / "out")
    assert not left.exists()
    assert (output / "base").is_dir()


@pytest.mark.parametrize("place", ["base", "base/pdb.yaml", "overlays/gpu/kustomization.yaml"])
def test_what_is_in_the_way_is_named_and_stays(tmp_path, place):
    model = write_model(tmp_path / "pnasnet", PNASNET)
    output = written(model, tmp_path / "out")
    in_the_way = output / place
    if in_the_way.is_dir():
        shutil.rmtree(in_the_way)
        in_the_way.write_text("mine")
    else:
        in_the_way.unlink()
        in_the_way.mkdir()
        (in_the_way / "notes.txt").write_text("mine")
    before = files(output)
    done = run(model, output, "--overwrite")
    assert done.exit_code == 1
    assert f"{in_the_way} is in the way of " in done.output
    assert files(output) == before
