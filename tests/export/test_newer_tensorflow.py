"""A model of the TensorFlow that runs these tests, and servers of 2.20. scripts/test-tensorflow runs other releases."""

from pathlib import Path

import tensorflow as tf
from click.testing import CliRunner

from hubserve_cli.main import main
from hubserve_model import manifest
from hubserve_serve._engines._release import warn_of_newer_export

_IS_NEWER = tuple(map(int, tf.__version__.split(".")[:2])) > (2, 20)


def test_the_manifest_names_the_tensorflow_that_exported(miniature_dir: Path) -> None:
    assert manifest.read(miniature_dir / "1")["tensorflow"] == tf.__version__


def test_an_export_lands_on_no_older_server(miniature_dir: Path, tmp_path: Path) -> None:
    def run(output: Path, *options: str) -> tuple[int, str]:
        done = CliRunner().invoke(main, ["manifests", str(miniature_dir), "--output", str(output), *options])
        return done.exit_code, done.output

    code, output = run(tmp_path / "chosen")
    assert code == 0, output
    deployment = (tmp_path / "chosen" / "base" / "deployment.yaml").read_text(encoding="utf-8")
    assert ("tensorflow/serving:2.20.0-gpu" in deployment) == (not _IS_NEWER)
    code, output = run(tmp_path / "old", "--server-image", "tensorflow/serving:2.20.0-gpu")
    assert code == int(_IS_NEWER)
    assert ("which may not load it" in output) == _IS_NEWER


def test_serve_warns_of_an_export_that_is_newer_than_its_server(miniature_dir: Path) -> None:
    told: list[str] = []
    warn_of_newer_export(miniature_dir / "1", (2, 20, 0), "tensorflow/serving:2.20.0", told.append)
    assert len(told) == int(_IS_NEWER)
