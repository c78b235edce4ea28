"""Make the command line of tensorflow_model_server from a server description, and the files that it names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf import text_encoding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._description import ServerDescription

MODELS_CONFIG = "models.config"
SESSION_CONFIG = "session.pbtxt"


def model_server_flags(
    description: ServerDescription, *, listen: Sequence[str], model_dir: str, config_dir: str
) -> list[str]:
    """Return the arguments of tensorflow_model_server.

    Args:
        description: What to serve.
        listen: The flags for the address, which differ by engine.
        model_dir: The model's base folder, as the server sees it.
        config_dir: The folder with the files of `config_files`, as the server sees it.
    """
    flags = [
        *listen,
        f"--model_config_file={config_dir}/{MODELS_CONFIG}",
        # A model without batching parameters is still not batched.
        "--enable_batching=true",
        "--enable_per_model_batching_parameters=true",
        # The health service shows when the model is loaded: the server opens its port only then.
        "--enable_grpc_healthcheck_service=true",
        # The profiler is open to every caller, and is on by default.
        "--enable_profiler=false",
        # By default the server retries a failed load five times, a minute apart, before it reports the error.
        "--max_num_load_retries=0",
        f"--grpc_max_threads={description.max_threads}",
    ]
    if description.labels:
        # Without this flag, a label must not name a version that is not yet loaded, and at the start none is.
        flags.append("--allow_version_labels_for_unavailable_models=true")
    if description.batching_file is not None:
        # The server takes only the thread pool from this file, and everything except the thread pool from a model's own
        # parameters (`bundle_factory_util.h`). It needs both flags to use the whole file.
        inside = description.batching_file.relative_to(description.model_dir).as_posix()
        flags.append(f"--batching_parameters_file={model_dir}/{inside}")
    if description.session_config is not None:
        flags.append(f"--tensorflow_session_config_file={config_dir}/{SESSION_CONFIG}")
        flags.extend(description.session_config.flags)
    return flags


def config_files(description: ServerDescription, *, model_dir: str) -> dict[str, str]:
    """Return the text of each file in the command line's config folder, by the file's name.

    Args:
        description: What to serve.
        model_dir: The model's base folder, as the server sees it.
    """
    files = {MODELS_CONFIG: _models_config(description, model_dir)}
    if description.session_config is not None:
        files[SESSION_CONFIG] = description.session_config.text
    return files


def _models_config(description: ServerDescription, model_dir: str) -> str:
    """Write a tensorflow.serving.ModelServerConfig: flags cannot choose versions or define labels."""
    lines = [f'name: "{_escaped(description.name)}"', f'base_path: "{_escaped(model_dir)}"']
    lines.append('model_platform: "tensorflow"')
    if description.pinned:
        versions = " ".join(f"versions: {version.version}" for version in description.versions)
        lines.append(f"model_version_policy {{ specific {{ {versions} }} }}")
    for label, version in description.labels.items():
        lines.append(f'version_labels {{ key: "{_escaped(label)}" value: {version} }}')
    inside = "\n".join(f"    {line}" for line in lines)
    return f"model_config_list {{\n  config {{\n{inside}\n  }}\n}}\n"


def _escaped(text: str) -> str:
    return text_encoding.CEscape(text.encode(), as_utf8=False)
