"""Read session configs, shipped ones and files, and derive the flags that a server needs with them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from google.protobuf import text_format

from ._errors import SessionConfigError
from .session_config_pb2 import ConfigProto

_DATA = Path(__file__).with_name("data")


@dataclass(frozen=True)
class SessionConfig:
    """A ``tensorflow.ConfigProto`` for a server: ``read("bfloat16-cpu")``.

    Attributes:
        file: The file, in protobuf's text form.
        text: The content of the file.
        flags: Flags for the settings that TensorFlow Serving does not take from the file: ``server.cc`` overwrites the
            threads and the GPU memory fraction, and ``main.cc`` disables XLA.
    """

    file: Path
    text: str
    flags: tuple[str, ...]


def shipped() -> tuple[str, ...]:
    """Return the names of the session configs that come with hubserve."""
    return tuple(sorted(file.stem for file in _DATA.glob("*.pbtxt")))


def read(name_or_file: str) -> SessionConfig:
    """Read a session config: a shipped one by its name, or a file.

    Raises:
        SessionConfigError: There is no such file, it is not protobuf text, or a number in it is not finite.
    """
    file = _DATA / f"{name_or_file}.pbtxt" if name_or_file in shipped() else Path(name_or_file).absolute()
    try:
        text = file.read_text(encoding="utf-8")
        # The server checks the other fields: this process may not have TensorFlow's messages.
        message = text_format.Parse(text, ConfigProto(), allow_unknown_field=True)
    except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
        raise SessionConfigError(
            f"cannot read the session config {name_or_file} ({error}): give a file with a tensorflow.ConfigProto in "
            f"protobuf text form, or one of {', '.join(shipped())}"
        ) from error
    fraction = message.gpu_options.per_process_gpu_memory_fraction
    if not 0 <= fraction < math.inf:
        raise SessionConfigError(
            f"the session config {name_or_file} has per_process_gpu_memory_fraction {fraction}: give a finite number "
            "of at least 0, or leave it out"
        )
    return SessionConfig(file, text, tuple(_flags(message)))


def _flags(config: ConfigProto) -> list[str]:
    settings = {
        "tensorflow_intra_op_parallelism": config.intra_op_parallelism_threads,
        "tensorflow_inter_op_parallelism": config.inter_op_parallelism_threads,
        "per_process_gpu_memory_fraction": config.gpu_options.per_process_gpu_memory_fraction,
    }
    flags = [f"--{name}={value}" for name, value in settings.items() if value > 0]
    if config.graph_options.optimizer_options.global_jit_level > 0:
        flags.append("--xla_gpu_compilation_enabled=true")
    return flags
