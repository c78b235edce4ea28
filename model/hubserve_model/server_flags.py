"""The flags of tensorflow_model_server, each with the first release that has it.

TensorFlow Serving prints `unknown argument` for a flag that it does not know, and continues without it
(`model_servers/main.cc`). So hubserve must know the flags. The list is that of release 2.20.0. The first releases were
found by reading `main.cc` at every release tag from 0.5.0 on; none of the listed flags was ever removed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

Release = tuple[int, int, int]

FIRST_RELEASE: dict[str, Release] = {
    "allow_version_labels_for_unavailable_models": (1, 15, 0),
    "batching_parameters_file": (0, 6, 0),
    "enable_batching": (0, 5, 0),
    "enable_grpc_healthcheck_service": (2, 15, 1),
    "enable_model_warmup": (1, 9, 0),
    "enable_per_model_batching_parameters": (2, 11, 0),
    "enable_profiler": (2, 5, 1),
    "enable_serialization_as_tensor_content": (2, 19, 0),
    "enable_signature_method_name_check": (2, 4, 0),
    "file_system_poll_wait_seconds": (0, 5, 0),
    "flush_filesystem_caches": (1, 6, 0),
    "grpc_channel_arguments": (1, 6, 0),
    "grpc_max_threads": (2, 5, 1),
    "grpc_socket_path": (1, 13, 0),
    "load_retry_interval_micros": (1, 11, 0),
    "max_num_load_retries": (1, 11, 0),
    "mixed_precision": (2, 15, 1),
    "model_base_path": (0, 5, 0),
    "model_config_file": (0, 5, 1),
    "model_config_file_poll_wait_seconds": (1, 15, 0),
    "model_name": (0, 5, 0),
    "monitoring_config_file": (1, 11, 0),
    "num_load_threads": (2, 5, 1),
    "num_request_iterations_for_warmup": (2, 8, 0),
    "num_tflite_interpreters_per_pool": (2, 5, 1),
    "num_tflite_pools": (2, 5, 1),
    "num_unload_threads": (2, 5, 1),
    "per_process_gpu_memory_fraction": (1, 5, 0),
    "platform_config_file": (0, 5, 0),
    "port": (0, 5, 0),
    "prefer_tflite_model": (2, 3, 0),
    "remove_unused_fields_from_bundle_metagraph": (1, 15, 0),
    "rest_api_enable_cors_support": (2, 5, 1),
    "rest_api_num_threads": (1, 8, 0),
    "rest_api_port": (1, 8, 0),
    "rest_api_timeout_in_ms": (1, 8, 0),
    "saved_model_tags": (1, 6, 0),
    "skip_initialize_tpu": (2, 15, 1),
    "ssl_config_file": (1, 10, 0),
    "tensorflow_inter_op_parallelism": (1, 13, 0),
    "tensorflow_intra_op_parallelism": (1, 13, 0),
    "tensorflow_session_config_file": (2, 8, 0),
    "tensorflow_session_parallelism": (0, 5, 0),
    "thread_pool_factory_config_file": (2, 6, 0),
    "use_alts_credentials": (2, 6, 0),
    "version": (1, 10, 0),
    "xla_cpu_compilation_enabled": (2, 5, 1),
    "xla_gpu_compilation_enabled": (2, 18, 0),
}


def flag_name(argument: str) -> str:
    """Return the flag's name: ``flag_name("--port=8500")`` is ``"port"``."""
    return argument.removeprefix("--").partition("=")[0]


def unknown_flags(arguments: Iterable[str], release: Release) -> dict[str, Release | None]:
    """Return the flags that a release of TensorFlow Serving does not know.

    Args:
        arguments: The command line, without the program.
        release: The server's release.

    Returns:
        By the flag's name, the first release that knows it; None if no release does.
    """
    first = {flag_name(argument): FIRST_RELEASE.get(flag_name(argument)) for argument in arguments}
    return {name: since for name, since in first.items() if since is None or since > release}
