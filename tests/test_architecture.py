"""The allowed imports between the parts, as CONTRIBUTING.md lists them."""

import ast
import importlib
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = {
    "hubserve": "client",
    "hubserve_cli": "client",
    "hubserve_bench": "client",
    "hubserve_model": "model",
    "hubserve_export": "export",
    "hubserve_serve": "serve",
    "hubserve_k8s": "k8s",
}
# What each part may import of the others.
PARTS: dict[str, set[str]] = {
    "hubserve": set(),
    "hubserve_cli": {"hubserve"},
    "hubserve_bench": {"hubserve", "hubserve_cli"},
    "hubserve_model": set(),
    "hubserve_export": {"hubserve_model"},
    "hubserve_serve": {"hubserve_model"},
    "hubserve_k8s": {"hubserve_model"},
}
# The modules that may break the rule of their part: `python -m hubserve` runs the command, and the subcommands of other
# parts share options, signals and the terminal with it.
EXCEPTIONS = {
    "hubserve.__main__": {"hubserve_cli"},
    "hubserve_export.command": {"hubserve_cli"},
    "hubserve_export._command_options": {"hubserve_cli"},
    "hubserve_export._terminal_progress": {"hubserve_cli"},
    "hubserve_serve.command": {"hubserve_cli"},
}
PACKAGES = {
    "hubserve": {
        *(
            "PIL",
            "fsspec",
            "google",
            "grpc",
            "numpy",
            "opentelemetry",
            "pandas",
            "pillow_heif",
            "pytest",
            "typing_extensions",
        ),
        *("apache_beam", "pandas", "pyarrow", "pyspark", "ray"),
    },
    "hubserve_cli": {"PIL", "click", "fsspec", "numpy", "pyarrow", "typing_extensions"},
    "hubserve_bench": {"click", "numpy", "typing_extensions"},
    # TensorFlow is imported to read warm-up records and to silence its log, and for nothing else.
    "hubserve_model": {"google", "tensorflow"},
    "hubserve_export": {
        *("click", "h5py", "numpy", "requests", "tensorflow", "tensorflow_serving", "urllib3"),
        # Those of a Keras model, where it needs them.
        *("keras", "keras_hub", "tf_keras"),
    },
    "hubserve_serve": {"click", "google", "grpc", "grpc_health", "numpy", "tensorflow", "tensorflow_serving"},
    "hubserve_k8s": {"click"},
}
# Each engine is known by its adapter, and tables by the adapters and what these share. Spark starts a module of ours.
ADAPTERS = {
    "pyspark": {"hubserve.spark", "hubserve.spark_daemon"},
    "ray": {"hubserve.ray"},
    "apache_beam": {"hubserve.beam"},
}
TABLES = {"fsspec", "pandas", "pyarrow"}
# Time, threads and the network are for those who call these.
PURE = "hubserve._schedule"
IMPURE = {"asyncio", "concurrent", "grpc", "selectors", "signal", "socket", "threading", "time"}
# One name, one meaning: these have the same one everywhere.
SHARED_NAMES = {"__init__", "__main__", "_errors", "command"}


def modules() -> dict[str, Path]:
    found = {}
    for package, folder in FOLDERS.items():
        for path in sorted((ROOT / folder / package).rglob("*.py")):
            names = path.relative_to(ROOT / folder).with_suffix("").parts
            found[".".join(names).removesuffix(".__init__")] = path
    return found


MODULES = modules()


def imports(module: str) -> Iterator[str]:
    """The full name of everything that a module imports, wherever in it."""
    path = MODULES[module]
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def of_package(package: str) -> list[str]:
    return [module for module in MODULES if module == package or module.startswith(f"{package}.")]


def breaches(package: str) -> list[str]:
    return [
        f"{module} imports {name}"
        for module in of_package(package)
        for name in imports(module)
        if (part := name.split(".")[0]) in FOLDERS
        and part != package
        and part not in PARTS[package] | EXCEPTIONS.get(module, set())
    ]


@pytest.mark.parametrize("package", PARTS)
def test_a_part_imports_only_the_parts_that_it_may(package: str) -> None:
    assert not breaches(package)


def test_a_breach_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PARTS, "hubserve_bench", {"hubserve"})
    monkeypatch.setattr(sys.modules[__name__], "EXCEPTIONS", {})

    assert "hubserve_bench.subject imports hubserve_cli.bulk.sources.Image" in breaches("hubserve_bench")
    assert breaches("hubserve") == ["hubserve.__main__ imports hubserve_cli.main.main"]


@pytest.mark.parametrize("package", PACKAGES)
def test_a_part_needs_few_packages(package: str) -> None:
    allowed = PACKAGES[package] | set(sys.stdlib_module_names) | set(FOLDERS)

    assert not {
        f"{module} imports {name}"
        for module in of_package(package)
        for name in imports(module)
        if name.split(".")[0] not in allowed
    }


def test_tensorflow_is_imported_only_to_read_warmup_records_and_to_silence_its_log() -> None:
    assert {module for module in of_package("hubserve_model") if "tensorflow" in imports(module)} == {
        "hubserve_model.tensorflow_log",
        "hubserve_model.warmup",
    }


def test_only_the_transport_and_the_errors_know_grpc() -> None:
    knows = {
        module for module in of_package("hubserve") if any(name.split(".")[0] == "grpc" for name in imports(module))
    }

    assert {module for module in knows if not module.startswith(("hubserve._transport.", "hubserve.testing."))} == {
        "hubserve._errors",
        "hubserve._quiet_grpc",
    }


def test_only_its_adapter_knows_an_engine_and_nothing_else_imports_an_adapter() -> None:
    known = {module: {name.split(".")[0] for name in imports(module)} for module in of_package("hubserve")}
    shared = {"hubserve._tables.ahead", "hubserve._tables.arrow", "hubserve._pandas_frame"}

    assert {module for module, names in known.items() if names & TABLES} <= set().union(shared, *ADAPTERS.values())
    for engine, adapters in ADAPTERS.items():
        assert {module for module, names in known.items() if engine in names} == adapters
        assert not [module for module in MODULES if module not in adapters and adapters & set(imports(module))]


def test_the_schedule_has_no_grpc_no_threads_and_no_clock() -> None:
    assert not {
        f"{module} imports {name}"
        for module in of_package(PURE)
        for name in imports(module)
        if name.split(".")[0] in IMPURE or name.startswith("hubserve._transport.")
    }


def test_no_two_modules_have_one_name() -> None:
    by_name = defaultdict(list)
    for module in MODULES:
        by_name[module.rpartition(".")[2]].append(module)

    assert not {name: found for name, found in by_name.items() if len(found) > 1 and name not in SHARED_NAMES}


def test_no_part_imports_a_private_module_of_another() -> None:
    assert not {
        f"{module} imports {name}"
        for module in MODULES
        for name in imports(module)
        if name.split(".")[0] in FOLDERS
        and name.split(".")[0] != module.split(".")[0]
        and any(part.startswith("_") and not part.startswith("__") for part in name.split("."))
    }


def test_only_the_command_and_the_load_generator_use_the_librarys_internals() -> None:
    users = {module for module in MODULES if any(name.startswith("hubserve.internals.") for name in imports(module))}

    assert {module.split(".")[0] for module in users} == {"hubserve_cli", "hubserve_bench"}


@pytest.mark.parametrize("package", ["hubserve", "hubserve_export", "hubserve_model", "hubserve_serve"])
def test_tests_and_benchmarks_take_public_names_from_where_they_are_public(package: str) -> None:
    public = set(importlib.import_module(package).__all__)
    files = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]

    assert not {
        f"{file.relative_to(ROOT)} imports {node.module}.{alias.name}"
        for file in files
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{package}._")
        for alias in node.names
        if alias.name in public
    }
