"""`hubserve demo`, as a person runs it."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    output = tmp_path_factory.mktemp("demo") / "demo"
    command = [sys.executable, "-m", "hubserve", "demo", "--output", str(output)]
    # Who sets it wants to see TensorFlow's log; a command that other tests ran in this process has set it, too.
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    return output, subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_the_photographs_are_what_anyone_can_see(demo: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    output, done = demo
    assert done.returncode == 0, done.stderr
    rows = {re.split(r"\s{2,}", line)[0]: re.split(r"\s{2,}", line)[1:] for line in done.stdout.splitlines()[:9]}
    assert rows["photograph"] == ["label", "score", "ms"]
    labels = {name: row[0] for name, row in rows.items()}
    assert labels == {
        "photograph": "label",
        "chelsea.png": "Egyptian cat",
        "coffee.png": "espresso",
        "camera.png": "tripod",
        "rocket.jpg": "drilling platform",
        "motorcycle_left.png": "moped",
        "grace_hopper.jpg": "military uniform",
        "china.jpg": "bell cote",
        "flower.jpg": "daisy",
    }
    assert float(rows["coffee.png"][1]) > 0.8
    assert float(rows["coffee.png"][2]) > 0
    assert f"The page: {output}/index.html" in done.stdout


def test_the_page_shows_every_photograph_with_its_best_five(
    demo: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    document = (demo[0] / "index.html").read_text(encoding="utf-8")
    cards = document.split('<li class="card"')[1:]
    assert len(cards) == 8
    for card in cards:
        assert card.count('src="data:image/') == 1
        assert len(re.findall(r"<li class=.*?>.*?%</span></li>", card)) == 5
        assert re.search(r"[\d.]+&nbsp;ms", card)
    assert any("grace_hopper.jpg" in card and "<h3>military uniform</h3>" in card for card in cards)
    assert "8 images, classified by" in document


def test_no_process_is_left_behind(demo: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(demo[0]) not in processes


def test_a_demo_that_is_ended_leaves_no_process_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hubserve", "demo", "--output", str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr.readline().startswith("Exporting")
        # Written by the export's own process.
        assert process.stderr.readline().startswith("[")
        process.terminate()
    assert process.returncode == 128 + signal.SIGTERM
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(tmp_path) not in processes


def test_the_model_directory_and_the_photographs_are_there_to_go_on_with(
    demo: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    assert (demo[0] / "models" / "efficientnet-lite0" / "1" / "saved_model.pb").is_file()
    assert len(list((demo[0] / "photographs").iterdir())) == 8


def test_a_terminal_sees_no_chatter_of_tensorflow(demo: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    steps = ("Exporting", "[", "Serving it", "Serving with", "loading", "warming up", "Classifying", "stopping")
    lines = demo[1].stderr.splitlines()
    assert [line for line in lines if not line.startswith(steps)] == []
    # In the order of what happens.
    places = [next(place for place, step in enumerate(steps) if line.startswith(step)) for line in lines]
    assert places == sorted(places)
    assert demo[1].stdout.splitlines()[-1].startswith("Serve it again: hubserve serve ")
