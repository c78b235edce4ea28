"""`hubserve compare`: two real servers, a verdict, an exit code and a page."""

import io
import json
import re
import tarfile
from dataclasses import replace
from pathlib import Path

import PIL.Image
import pytest
from click.testing import CliRunner, Result

from client import bulk, compare_cases
from hubserve.testing import FakeServer, Fault
from hubserve_cli.main import main


def compare(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["compare", *map(str, arguments)])


def side(server: FakeServer, more: str = "") -> str:
    return f"{server.target}/m{more}"


def sees(cat: float, dog: float):
    return lambda image: {"cat": cat, "dog": dog} if cat >= dog else {"dog": dog, "cat": cat}


REGRESSIONS = list(compare_cases.regressions(range(1)))
EQUALS = list(compare_cases.equals(range(5)))


@pytest.mark.parametrize("case", REGRESSIONS, ids=[name for name, *_ in REGRESSIONS])
def test_each_kind_of_regression_is_found(case) -> None:
    _, a, b, images = case
    code, output = compare_cases.compared(a, b, images)
    assert code == 4, output


@pytest.mark.parametrize("case", EQUALS, ids=[name for name, *_ in EQUALS])
def test_an_equal_pair_is_let_through(case) -> None:
    _, a, b, images = case
    code, output = compare_cases.compared(a, b, images)
    assert code == 0, output


@pytest.mark.slow
def test_all_50_regressions_are_found_and_all_50_equal_pairs_are_let_through(capsys) -> None:
    assert compare_cases.main_() == 0
    printed = capsys.readouterr().out
    assert "50 of 50 regressions found" in printed
    assert "50 of 50 equal pairs let through" in printed


def test_the_report_names_both_sides_and_each_check(tmp_path: Path) -> None:
    folder = bulk.images(tmp_path / "images", 20)
    with FakeServer(sees(0.8, 0.1)) as a, FakeServer(sees(0.8, 0.1), version=7) as b:
        result = compare(side(a), side(b), folder)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == f"A  {side(a)}, model m, version 1"
    assert lines[1] == f"B  {side(b)}, model m, version 7"
    assert lines[2] == "20 images, 20 classified by both"
    assert lines[-1] == "B answers as A does: every check passed"
    names = [line.split("  ")[0].removeprefix("ok").strip() for line in lines[4:-2]]
    assert len(names) == 6


def test_json_has_the_figures_and_the_images_that_differ(tmp_path: Path) -> None:
    folder = bulk.images(tmp_path / "images", 8)
    with FakeServer(sees(0.8, 0.1)) as a, FakeServer(sees(0.2, 0.7)) as b:
        result = compare(side(a), side(b), folder, "--json")
    assert result.exit_code == 4
    document = json.loads(result.stdout)
    assert (document["verdict"], document["images"], document["flips"], document["format"]) == ("different", 8, 8, 1)
    assert document["sides"]["B"]["server"] == b.target
    assert document["differences"][0]["a"]["label"] == "cat"
    assert document["differences"][0]["b"] == {"label": "dog", "score": pytest.approx(0.7), "error": None}
    assert [check["name"] for check in document["checks"] if not check["passed"]][-1] == "scores"


def test_the_page_shows_what_differs_with_thumbnails(photograph: Path, tmp_path: Path) -> None:
    (folder := tmp_path / "images").mkdir()
    for number, colour in enumerate(("red", "green", "blue")):
        PIL.Image.new("RGB", (40 + number, 30), colour).save(folder / f"{colour}.png")
    (folder / "text.png").write_bytes(b"text")
    page = tmp_path / "compare.html"

    def b_sees(image: bytes) -> dict[str, float] | int:
        if image == b"text":
            return 1
        with PIL.Image.open(io.BytesIO(image)) as opened:
            return {"dog": 0.9, "cat": 0.1} if opened.width == 40 else {"cat": 0.7, "dog": 0.2}

    with FakeServer(sees(0.8, 0.1)) as a, FakeServer(b_sees) as b:
        result = compare(side(a), side(b), folder, "--html", page)
    assert result.exit_code == 4
    document = page.read_text(encoding="utf-8")
    assert "2 of 3 images have the same best class in A and B" in document
    assert document.count('class="card"') == 4
    assert document.count('src="data:image/') == 3
    assert re.findall(r'<option value="\d">(.*)</option>', document) == [
        "another best class (1)",
        "fails in B (1)",
        "largest shifts of the score (2)",
    ]
    assert "B: the server cannot decode it: this is text" in document
    assert "</script><" not in document.replace("</script>\n</body>", "")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="(.*?)"', document)[1]
    assert policy.startswith("default-src 'none'; img-src data:;")
    # It is a page that a later comparison may replace, and any other file is not.
    assert compare(side(a), side(b), folder, "--html", photograph).exit_code == 2


def test_hostile_names_and_labels_do_nothing_on_the_page(tmp_path: Path) -> None:
    hostile = '"><script>alert(1)<'
    folder = bulk.images(tmp_path / "images", 1)
    (folder / "0000.jpg").rename(folder / f"{hostile}.jpg".replace("/", ""))
    page = tmp_path / "compare.html"
    with FakeServer(lambda _: {hostile: 0.9}) as a, FakeServer(lambda _: {"cat": 0.9}) as b:
        compare(side(a), side(b), folder, "--html", page)
    assert "<script>alert" not in page.read_text()


def test_images_of_an_archive_go_to_both_sides(photograph: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "photos.tar", "w") as archive:
        archive.add(photograph, "cat.png")
        archive.addfile(tarfile.TarInfo("empty.png"))
    with FakeServer(sees(0.8, 0.1)) as a, FakeServer(sees(0.1, 0.8)) as b:
        result = compare(side(a), side(b), tmp_path / "photos.tar", "--html", tmp_path / "page.html")
    assert "2 images, 1 classified by both" in result.stdout
    assert [len(server.requests[0].images) for server in (a, b)] == [1, 1]
    assert a.requests[0].images == b.requests[0].images == (photograph.read_bytes(),)
    assert (tmp_path / "page.html").read_text().count('src="data:image/') == 1


def test_a_version_or_a_label_is_asked_for(tmp_path: Path) -> None:
    folder = bulk.images(tmp_path / "images", 2)
    with FakeServer() as server:
        result = compare(side(server, "@3"), side(server, "@canary"), folder)
    assert result.exit_code == 0
    assert {(request.version, request.version_label) for request in server.requests} == {(3, ""), (None, "canary")}


def test_the_same_server_twice_is_said(tmp_path: Path) -> None:
    with FakeServer() as server:
        result = compare(side(server), side(server), bulk.images(tmp_path / "images", 2))
    assert result.exit_code == 0
    assert "A and B are the same server, model and version" in result.stdout


def test_a_side_that_does_not_answer_ends_the_command_without_a_verdict(tmp_path: Path) -> None:
    folder = bulk.images(tmp_path / "images", 2)
    with FakeServer() as a, FakeServer(model="other") as b:
        result = compare(side(a), side(b), folder)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: B: ")
    with FakeServer() as a, FakeServer(features=lambda _: [1.0]) as b:
        assert compare(side(a), side(b), folder).exit_code == 1
    with FakeServer() as a, FakeServer() as b:
        a.then(Fault("PERMISSION_DENIED", "no"), times=10)
        result = compare(side(a), side(b), folder)
    assert (result.exit_code, result.stderr[:9]) == (1, "Error: A:")


def test_images_that_neither_side_classifies_give_no_verdict(tmp_path: Path) -> None:
    folder = bulk.images(tmp_path / "images", 2)
    with FakeServer(lambda _: 1) as a, FakeServer(lambda _: 1) as b:
        result = compare(side(a), side(b), folder)
    assert result.exit_code == 1
    assert "neither side classified any of the 2 images" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["a", "b:1/m", "."], "A is 'a' is neither a folder nor a server"),
        (["a:1/m", "b:1", "."], "B is 'b:1' does not name a model"),
        (["a:1/m", "b:1/m", "gone"], "gone does not exist"),
        (["a:1/m", "b:1/m", "."], "holds no images"),
        (["a:1/m", "b:1/m", ".", "--max-flips", "101%"], "is not a share"),
        (["a:1/m", "b:1/m", ".", "--max-flips", "-1"], "is not a share"),
        (["a:1/m", "b:1/m", ".", "--max-flips", "nan"], "is not a share"),
        (["a:1/m", "b:1/m", ".", "--serve-a", "--engine embedded"], "is a server that runs already"),
        (["a:1/m", "b:1/m", ".", "--max-slowdown", "0.5"], "max-slowdown"),
        (["a:1/m", "b:1/m", ".", "--confidence", "100"], "confidence"),
    ],
)
def test_wrong_usage_is_said_in_one_sentence(
    arguments: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = compare(*arguments)
    assert result.exit_code == 2
    assert says in result.stderr


def test_files_that_are_no_images_are_left_out_and_told(tmp_path: Path) -> None:
    folder = bulk.images(tmp_path / "images", 2)
    (folder / "notes.txt").write_text("notes")
    with FakeServer() as a, FakeServer() as b:
        result = compare(side(a), side(b), folder)
    assert "1 file left out: 1 " in result.stdout


def test_shrink_of_one_side_is_judged_on_its_images(tmp_path: Path) -> None:
    (folder := tmp_path / "images").mkdir()
    PIL.Image.new("RGB", (1600, 1200), "teal").save(folder / "large.jpg")
    with FakeServer(sees(0.8, 0.1), input_size=100) as a, FakeServer(sees(0.8, 0.1), input_size=100) as b:
        assert compare(side(a), side(b), folder, "--shrink", "b").exit_code == 0
    assert len(b.requests[0].images[0]) < len(a.requests[0].images[0])


@pytest.mark.slow
def test_model_directories_are_served_while_they_are_compared(miniature_dir: Path, photograph: Path) -> None:
    serve = ["--serve-a", "--engine embedded", "--serve-b", "--engine embedded --session-config bfloat16-cpu"]
    result = compare(f"{miniature_dir}@1", miniature_dir, photograph, *serve, "--json")
    assert result.exit_code in (0, 4), result.output
    document = json.loads(result.stdout)
    assert document["both"] == 1
    assert all(document["sides"][letter]["engine"].startswith("embedded engine") for letter in "AB")
    failed = compare(f"{miniature_dir}@99", miniature_dir, photograph)
    assert failed.exit_code == 1
    assert "was not served; its own message is above" in failed.stderr


def test_no_model_of_the_table_is_changed_by_what_is_broken() -> None:
    a, images = compare_cases.world(0)
    assert replace(a, noise=0.0).scores(images(5, 1)).tolist() == a.scores(images(5, 1)).tolist()
