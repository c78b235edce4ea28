"""The default model of `hubserve export`, from a hub of which one service refuses, through to a published version."""

import hashlib
import sys
from pathlib import Path
from typing import Any

import pytest

from support import export_from_hub

pytestmark = pytest.mark.slow


def test_the_default_model_comes_from_the_twin_and_the_manifest_keeps_that(
    miniature_saved: Path, tmp_path: Path
) -> None:
    hubserve = str(Path(sys.executable).with_name("hubserve"))
    manifest: Any = export_from_hub.export(hubserve, tmp_path, miniature_saved)

    source = manifest["source"]
    assert source["handle"] == "https://tfhub.dev/google/imagenet/pnasnet_large/classification/4"
    assert source["kind"] == "hub"
    assert source["hub"]["name"] == "google/pnasnet/tensorFlow2/large-classification/1 on Kaggle Models"
    assert source["hub"]["version"] == 1
    assert source["hub"]["url"].endswith("/kagglesdsdata/models/1/2/a.tar.gz")
    assert len(source["hub"]["sha256"]) == len(hashlib.sha256().hexdigest())
    assert {file["path"] for file in source["files"]} >= {"saved_model.pb", "variables/variables.index"}
