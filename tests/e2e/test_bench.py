"""`hubserve bench` against a real model in the embedded engine, each signature by its metadata."""

import json
from pathlib import Path
from typing import Any

import pytest

from support.photographs import CHINA, GRACE_HOPPER
from support.processes import hubserve, serving

pytestmark = pytest.mark.slow


def measured(target: str, *options: object) -> dict[str, Any]:
    quick = ["--warmup", "0", "--requests", "6", "--concurrency", "2"]
    done = hubserve("bench", "--server", target, "--model", "lite0", "--json", *quick, *options)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    assert [(point["due"], point["answered"]) for point in report["points"]] == [(6, 6)] * len(report["points"])
    return report


def test_every_signature_of_an_exported_model_is_measured_except_that_of_examples(lite0_dir: Path) -> None:
    with serving(lite0_dir) as target:
        report = measured(target, "--batch-size", "1,8", "--images", CHINA, "--images", GRACE_HOPPER)
        assert (report["server"]["version"], report["server"]["signature"]) == (1, "serving_default")
        assert (report["images"]["count"], report["rows"], report["remarks"]) == (2, "images", [])
        pixels = measured(target, "--signature", "images")
        assert pixels["rows"] == "rows"
        assert pixels["inputs"] == [
            {"name": "images", "dtype": "float32", "shape": [None, 224, 224, 3], "values": "random numbers from 0 to 1"}
        ]
        examples = hubserve("bench", "--server", target, "--model", "lite0", "--signature", "classify")
    assert examples.returncode == 2
    assert "signature classify takes serialized tf.Example" in examples.stderr
