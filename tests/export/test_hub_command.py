"""`hubserve models` lists and searches the table of the hub."""

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from hubserve_export.hub.command import models


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(models, list(arguments))
    return result.exit_code, result.output


def test_all_modules_are_listed() -> None:
    code, output = run()
    assert code == 0
    assert len(output.splitlines()) == 560


def test_a_word_finds_what_has_it_in_a_name() -> None:
    code, output = run("pnasnet")
    assert code == 0
    assert [line.split() for line in output.splitlines()] == [
        ["handle", "kind", "size", "pixels", "classes", "Kaggle", "Models"],
        [
            "google/imagenet/pnasnet_large/classification/5",
            "classification",
            "331",
            "unit",
            "1001",
            "google/pnasnet/tensorFlow2/large-classification/2?",
        ],
        [
            "google/imagenet/pnasnet_large/feature_vector/5",
            "feature_vector",
            "331",
            "unit",
            "google/pnasnet/tensorFlow2/large-feature-vector/2",
        ],
    ]


@pytest.mark.parametrize("words", [("PNASNET", "feature-vector"), ("feature_vector", "pnasnet-large")])
def test_all_words_count_in_any_order_and_spelling(words: tuple[str, ...]) -> None:
    assert len(run(*words)[1].splitlines()) == 2


def test_a_kind_can_be_chosen() -> None:
    assert len(run("pnasnet", "--kind", "feature_vector")[1].splitlines()) == 2


def test_json_has_all_that_is_known() -> None:
    code, output = run("pnasnet", "--kind", "classification", "--json")
    assert code == 0
    assert json.loads(output) == [
        {
            "handle": "google/imagenet/pnasnet_large/classification/5",
            "kaggle": "google/pnasnet/tensorFlow2/large-classification/2",
            "kaggle_name_from": "rule",
            "kind": "classification",
            "versions": [1, 2, 3, 4, 5],
            "tensorflow_1_versions": [1, 2, 3],
            "image_size": 331,
            "preprocessing": "unit",
            "classes": 1001,
            "background": True,
        }
    ]


def test_nothing_found_is_an_error_in_text_and_an_empty_list_in_json() -> None:
    code, output = run("nothing-like-it")
    assert code == 1
    assert "no module has nothing-like-it in its names; give fewer or shorter words" in output
    assert run("nothing-like-it", "--json") == (0, "[]\n")


def test_a_slip_is_reported() -> None:
    code, output = run("google/imagenet/pnasnet_large/clasification")
    assert code == 1
    assert "did you mean google/imagenet/pnasnet_large/classification/5" in output


def test_neither_the_list_nor_a_download_needs_tensorflow_or_its_hub() -> None:
    program = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(['tensorflow', 'tensorflow_hub', 'kagglehub', 'pkg_resources']))\n"
        "import hubserve_export.hub.command, hubserve_export.hub.fetching\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
