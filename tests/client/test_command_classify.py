"""`hubserve classify`: results on standard output, the rest on standard error, and an exit code for each end."""

import json
import tarfile
from pathlib import Path

import grpc
import numpy as np
import pytest
from click.testing import CliRunner, Result

from hubserve_cli.main import main
from support import scripted_model
from support.fake_server import FakeServer, Refusal
from support.scripted_model import BAD
from support.serving_messages import predict_pb2


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("cat", "dog", "owl"):
        (folder / f"{name}.jpg").write_bytes(name.encode())
    return folder


def classify(server: FakeServer, *arguments: object, stdin: str | None = None) -> Result:
    options = ["--server", server.target, "--model", "pnasnet"]
    return CliRunner().invoke(main, ["classify", *map(str, arguments), *options], input=stdin)


def test_without_a_terminal_each_image_is_a_json_document(server: FakeServer, images: Path) -> None:
    result = classify(server, images, "--top-k", 2)
    documents = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 0
    assert [document["source"] for document in documents] == [f"{images}/{name}.jpg" for name in ("cat", "dog", "owl")]
    assert documents[0]["classes"] == [
        {"class_id": 3, "label": "cat", "score": 0.5},
        {"class_id": 4, "label": "cat+1", "score": 0.25},
    ]
    assert documents[0]["status"] == 0
    assert documents[0]["error"] is None
    assert result.stderr.startswith("3 of 3 images classified in ")


def test_a_table_has_score_label_and_image(server: FakeServer, images: Path) -> None:
    result = classify(server, images / "cat.jpg", "--format", "table")
    assert result.stdout == f"score  {'label':28}  image\n0.500  {'cat':28}  {images}/cat.jpg\n"


def test_a_table_has_a_row_for_each_of_top_k_classes(server: FakeServer, images: Path) -> None:
    result = classify(server, images / "cat.jpg", "--format", "table", "--top-k", 3)
    rows = result.stdout.splitlines()[1:]
    assert [row.split()[:2] for row in rows] == [["0.500", "cat"], ["0.250", "cat+1"], ["0.125", "cat+2"]]
    assert [row.endswith("cat.jpg") for row in rows] == [True, False, False]


def test_min_score_leaves_classes_out_of_the_records(server: FakeServer, images: Path) -> None:
    result = classify(server, images / "cat.jpg", "--min-score", 0.25)
    (document,) = map(json.loads, result.stdout.splitlines())
    assert [found["score"] for found in document["classes"]] == [0.5, 0.25]
    none = classify(server, images / "cat.jpg", "--min-score", 0.75)
    assert (none.exit_code, json.loads(none.stdout)["classes"]) == (0, [])


def test_a_dry_run_shows_what_would_be_sent_and_what_is_left_out_without_a_server(images: Path) -> None:
    (images / "notes.txt").write_text("text")
    (images / "IMG_1.HEIC").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    result = CliRunner().invoke(main, ["classify", str(images), "--dry-run", "--batch-size", "2"])
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [f"{images}/{name}.jpg" for name in ("cat", "dog", "owl")]
    assert result.stderr.splitlines() == [
        f"left out: {images}/IMG_1.HEIC (HEIC)",
        f"left out: {images}/notes.txt (text)",
        "3 images (0.0 MB of files) would be sent, in 2 requests of at most 2",
        "2 files left out: 1 HEIC, 1 text (--convert classifies HEIC; --all sends every file)",
    ]


def test_the_page_is_opened_when_that_is_wished(
    server: FakeServer, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    result = classify(server, images, "--html", tmp_path / "run.html", "--open")
    # The stand-in opens nothing, and the user is told where the page is.
    assert f"There is no browser here. The page is {tmp_path / 'run.html'}\n" in result.stderr
    assert opened == [(tmp_path / "run.html").as_uri()]


def test_paths_come_from_standard_input(server: FakeServer, images: Path) -> None:
    result = classify(server, "-", stdin=f"{images}/owl.jpg\n\n{images}/cat.jpg\n")
    assert [json.loads(line)["classes"][0]["label"] for line in result.stdout.splitlines()] == ["owl", "cat"]


def test_an_image_that_cannot_be_classified_is_reported_and_the_rest_go_on(server: FakeServer, images: Path) -> None:
    (images / "bad.jpg").write_bytes(BAD)
    result = classify(server, images, "--format", "table")
    assert result.exit_code == 3
    rows = result.stdout.splitlines()
    assert rows[1].startswith("    -  not classified")
    assert "bad.jpg: the server cannot decode it: this is text" in rows[1]
    assert [row.split()[1] for row in rows[2:]] == ["cat", "dog", "owl"]
    assert result.stderr.startswith("3 of 4 images classified")


def test_a_path_that_vanishes_is_reported_on_its_image(server: FakeServer, images: Path) -> None:
    result = classify(server, "-", stdin=f"{images}/gone.jpg\n{images}/cat.jpg\n")
    documents = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 3
    assert "gone.jpg: No such file" in documents[0]["error"]
    assert documents[1]["error"] is None


def test_images_are_sent_in_batches_of_the_given_size(server: FakeServer, images: Path) -> None:
    classify(server, images, "--batch-size", 2)
    # Two requests are in flight, and the server may see either first.
    assert sorted(len(request.inputs["image_bytes"].string_val) for request in server.requests) == [1, 2]


@pytest.mark.parametrize(
    ("code", "details", "says"),
    [
        (grpc.StatusCode.NOT_FOUND, "Servable not found for request: Latest(pnasnet)", "does not serve model pnasnet"),
        (grpc.StatusCode.INTERNAL, "it broke", "failed while answering for model pnasnet"),
    ],
)
def test_a_run_that_reaches_no_model_fails_with_one_sentence(
    server: FakeServer, images: Path, code: grpc.StatusCode, details: str, says: str
) -> None:
    def refuse(request: object) -> None:
        raise Refusal(code, details)

    server.predict = refuse
    result = classify(server, images)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: ")
    assert says in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_first_image_that_the_server_refuses_does_not_end_the_run(server: FakeServer, images: Path) -> None:
    answer = server.predict

    def refuse(request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
        if b"cat" in request.inputs["image_bytes"].string_val:
            raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, "cannot decode")
        return answer(request)

    server.predict = refuse
    result = classify(server, images)
    documents = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 3
    assert "cannot decode" in documents[0]["error"]
    assert [document["classes"][0]["label"] for document in documents[1:]] == ["dog", "owl"]


def test_a_server_that_is_not_there_is_named_with_the_remedy(images: Path) -> None:
    nobody = FakeServer(port=9)
    result = classify(nobody, images)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no answer from 127.0.0.1:9: check that a model server runs there" in result.stderr


def test_more_classes_than_the_model_gives_is_an_error(server: FakeServer, images: Path) -> None:
    result = classify(server, images, "--top-k", 6)
    assert result.exit_code == 1
    assert "5 classes" in result.stderr


def test_a_source_that_names_no_image_is_one_sentence(server: FakeServer, tmp_path: Path) -> None:
    result = classify(server, tmp_path)
    assert result.exit_code == 2
    assert result.stderr == f"Error: {tmp_path} holds no images: it is empty\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere.jpg"], "nowhere.jpg does not exist"),
        ([], "Missing argument"),
        (["--top-k", "0", "."], "x>=1"),
        (["--concurrency", "0", "."], "'0' is neither auto nor a number of at least 1."),
        (["--output", "labels.txt", "."], "--output labels.txt: its suffix is none of .jsonl, .ndjson, .csv, .parquet"),
        (["--open", "."], "--open opens the page of a run"),
        (["--min-score", "2", "."], "0<=x<=1"),
        (["--version", "1", "--version-label", "stable", "."], "version and version_label both choose a version"),
    ],
)
def test_wrong_usage_ends_with_2(server: FakeServer, arguments: list[str], says: str) -> None:
    result = classify(server, *arguments)
    assert (result.exit_code, says in result.stderr) == (2, True)
    assert server.requests == []


def test_a_page_is_written_beside_the_results_with_images_out_of_archives(
    server: FakeServer, photograph: Path, tmp_path: Path
) -> None:
    server.predict = lambda request: scripted_model.respond(
        request, status=np.zeros(2, "i4"), class_ids=[[1], [1]], labels=[[b"cat"], [b"cat"]], scores=[[0.5], [0.5]]
    )
    with tarfile.open(tmp_path / "pets.tar", "w") as archive:
        archive.add(photograph, "one.png")
    page = tmp_path / "run.html"
    result = classify(server, tmp_path / "pets.tar", photograph, "--html", page)
    assert result.exit_code == 0, result.output
    assert len(result.stdout.splitlines()) == 2
    text = page.read_text(encoding="utf-8")
    assert text.count("data:image/") >= 2
    assert "one.png" in text


def test_files_left_out_are_reported_on_standard_error_and_in_the_page(
    server: FakeServer, images: Path, tmp_path: Path
) -> None:
    (images / "scan").write_bytes(b"%PDF-1.7")
    for number in range(2):
        (images / f"IMG_{number}.HEIC").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    line = "3 files left out: 2 HEIC, 1 PDF (--convert classifies HEIC; --all sends every file)"

    result = classify(server, images, "--html", tmp_path / "run.html")
    assert result.exit_code == 0
    assert line in result.stderr.splitlines()
    assert line in (tmp_path / "run.html").read_text(encoding="utf-8")
    everything = classify(server, images, "--all")
    assert "left out" not in everything.stderr
    assert len(everything.stdout.splitlines()) == len(result.stdout.splitlines()) + 3
