"""The benchmarks are programs and no package. What tests need of them is loaded by name: their folder must not be where
Python looks, because it has a client.py, and tests/client is `client` to the tests.
"""

import importlib.util
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"

# In this order: report needs row and capacity.
for name in ("machine", "options", "row", "capacity", "report", "processes", "engine_servers"):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])
