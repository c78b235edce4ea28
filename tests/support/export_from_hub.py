"""Export the default model from a stand-in for the hub with a hubserve that is installed elsewhere.

    PYTHONPATH=tests .venv/bin/python -m support.export_from_hub .../bin/hubserve

The stand-in refuses as tfhub.dev did in October 2025, so that the model comes from its twin on Kaggle. It is a small
PNASNet in the hub's form. The environment of that hubserve needs no tensorflow_hub, and no or any setuptools.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support import fake_hub


@contextmanager
def environment(folder: Path, module: Path) -> Iterator[tuple[fake_hub.FakeHub, dict[str, str]]]:
    """Run the stand-in with a module; gives it, and the environment of a command that uses it and no cache."""
    with fake_hub.running(folder, fake_hub.packed(module)) as (hub, bundle):
        yield (
            hub,
            {
                **{name: value for name, value in os.environ.items() if not name.startswith(("KAGGLE", "PYTHON"))},
                "HOME": str(folder),
                "HUBSERVE_TFHUB_URL": hub.services.tfhub,
                "HUBSERVE_KAGGLE_URL": hub.services.kaggle,
                "NO_PROXY": "localhost",
                "REQUESTS_CA_BUNDLE": str(bundle),
                "TFHUB_CACHE_DIR": str(folder / "tfhub"),
            },
        )


def export(hubserve: str, folder: Path, module: Path) -> dict[str, object]:
    """Export with the command `hubserve`, and return the manifest; end with what it says where it fails."""
    with environment(folder, module) as (hub, variables):
        hub.faults = {"tfhub": "403"}
        done = subprocess.run(
            [hubserve, "export", "--output", str(folder / "out"), "--batch-sizes", "1"],
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        sys.exit(f"{hubserve} export ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    origin = [line for line in done.stdout.splitlines() if line.startswith("From: ")]
    if not origin or "on Kaggle Models, from https://localhost" not in origin[0] or "answers 403" not in origin[0]:
        sys.exit(f"the origin is not told:\n{done.stdout}")
    manifest: dict[str, object] = json.loads(
        (folder / "out" / "1" / "assets.extra" / "export.json").read_text(encoding="utf-8")
    )
    return manifest


def main(hubserve: str) -> None:
    """Make the module, export it, and say what came."""
    from models import exported

    with tempfile.TemporaryDirectory() as folder:
        exported.miniature_saved(Path(folder) / "module")
        source = export(hubserve, Path(folder), Path(folder) / "module")["source"]
    print(f"exported from a handle: {json.dumps(source['hub'])}")  # type: ignore[index]


if __name__ == "__main__":
    main(sys.argv[1])
