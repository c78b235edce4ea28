"""Two runs on one `--output`: the second one changes nothing in the files of the first."""

import json
import os
from pathlib import Path

import pytest

from hubserve import Classification
from hubserve_cli.bulk import output, records

FORMS = ["jsonl", "csv", "parquet"]


def prepared(file: Path, form: str, model: str, *, resume: bool = False) -> output.FileOutput:
    about = output.RunFile(format=form, model=model, version=None, version_label=None, top_k=1, shard="0/1")
    return output.prepare(file, about, records.readable(form, top_k=1), resume=resume)


def model_of(file: Path) -> str:
    return json.loads((file.parent / f"{file.name}.run.json").read_text(encoding="utf-8"))["model"]


def found(source: str) -> Classification:
    return Classification(source=source, index=0, status=0, model_version=1)


@pytest.mark.parametrize("form", FORMS)
def test_who_comes_second_to_a_new_output_leaves_the_others_run_file(tmp_path: Path, form: str) -> None:
    file = tmp_path / f"out.{form}"
    first, second = prepared(file, form, "pnasnet"), prepared(file, form, "resnet")
    first.opened()
    with pytest.raises(output.OutputError, match="another run has begun to write"):
        second.opened()
    assert model_of(file) == "pnasnet"
    first.add(found("cat.jpg"))
    first.close()
    with pytest.raises(output.OutputError, match="another run has begun to write"):
        second.opened()
    assert model_of(file) == "pnasnet"


def test_who_resumes_second_loses_none_of_the_others_records(tmp_path: Path) -> None:
    file = tmp_path / "out.jsonl"
    prepared(file, "jsonl", "pnasnet").opened().close()
    first, second = (prepared(file, "jsonl", "pnasnet", resume=True) for _ in range(2))
    first.opened()
    with pytest.raises(output.OutputError, match="another run is writing"):
        second.opened()
    first.add(found("cat.jpg"))
    first.close()
    whole = file.read_bytes()
    with pytest.raises(output.OutputError, match="another run wrote to"):
        second.opened()
    assert file.read_bytes() == whole != b""
    assert prepared(file, "jsonl", "pnasnet", resume=True).opened().before == (1, 0)


@pytest.mark.parametrize("form", FORMS)
def test_a_run_that_was_killed_before_it_wrote_anything_is_resumed(tmp_path: Path, form: str) -> None:
    file = tmp_path / f"out.{form}"
    (tmp_path / (f"{file.name}.jsonl" if form == "parquet" else file.name)).touch()
    kept = prepared(file, form, "pnasnet", resume=True).opened()
    kept.add(found("cat.jpg"))
    kept.close()
    assert model_of(file) == "pnasnet"
    assert prepared(file, form, "pnasnet", resume=True).before == (1, 0)


def test_a_run_file_that_cannot_be_written_leaves_the_output_unlocked(tmp_path: Path) -> None:
    file = tmp_path / "out.jsonl"
    (tmp_path / f".out.jsonl.run.json.{os.getpid()}.tmp").mkdir()
    with pytest.raises(output.OutputError, match=r"run\.json cannot be written"):
        prepared(file, "jsonl", "pnasnet").opened()
    (tmp_path / f".out.jsonl.run.json.{os.getpid()}.tmp").rmdir()
    prepared(file, "jsonl", "pnasnet", resume=True).opened().close()
