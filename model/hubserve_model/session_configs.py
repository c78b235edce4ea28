"""Read session configs: those that come with hubserve, and files; and the flags that a server needs beside them."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

from ._errors import SessionConfigError

_DATA = Path(__file__).with_name("data")


@dataclass(frozen=True)
class SessionConfig:
    """A ``tensorflow.ConfigProto`` for a server: ``read("bfloat16-cpu")``.

    Attributes:
        file: Where it is, in protobuf's text form.
        text: What is in it.
        flags: What else TensorFlow Serving must be told, because it does not take it from the file: ``server.cc``
            overwrites the threads and the GPU memory fraction, and ``main.cc`` disables XLA.
    """

    file: Path
    text: str
    flags: tuple[str, ...]


def shipped() -> tuple[str, ...]:
    """Give the names of the session configs that come with hubserve."""
    return tuple(sorted(file.stem for file in _DATA.glob("*.pbtxt")))


def read(name_or_file: str) -> SessionConfig:
    """Read a session config by the name of a shipped one, or else from a file.

    Raises:
        SessionConfigError: There is none such, it is not protobuf text, or a number in it is not finite.
    """
    file = _DATA / f"{name_or_file}.pbtxt" if name_or_file in shipped() else Path(name_or_file).absolute()
    try:
        text = file.read_text(encoding="utf-8")
        # The server checks the rest: this process need not have TensorFlow's messages.
        message: Any = text_format.Parse(text, _message_class()(), allow_unknown_field=True)
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


def _flags(config: Any) -> list[str]:
    settings = {
        "tensorflow_intra_op_parallelism": config.intra_op_parallelism_threads,
        "tensorflow_inter_op_parallelism": config.inter_op_parallelism_threads,
        "per_process_gpu_memory_fraction": config.gpu_options.per_process_gpu_memory_fraction,
    }
    flags = [f"--{name}={value}" for name, value in settings.items() if value > 0]
    if config.graph_options.optimizer_options.global_jit_level > 0:
        flags.append("--xla_gpu_compilation_enabled=true")
    return flags


@functools.cache
def _message_class() -> type[Any]:
    """Make a message of the few fields of tensorflow.ConfigProto that matter here, with its names and types."""
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="hubserve/session_config.proto", package="hubserve.serve", syntax="proto3"
    )
    jit = file.enum_type.add(name="GlobalJitLevel")
    for name, number in (("DEFAULT", 0), ("OFF", -1), ("ON_1", 1), ("ON_2", 2)):
        jit.value.add(name=name, number=number)

    def message(name: str, **fields: Any) -> None:
        added = file.message_type.add(name=name)
        for number, (label, kind) in enumerate(fields.items(), 1):
            entry = added.field.add(name=label, number=number, label=field.LABEL_OPTIONAL)
            if isinstance(kind, str):
                entry.type = field.TYPE_ENUM if kind == jit.name else field.TYPE_MESSAGE
                entry.type_name = f".{file.package}.{kind}"
            else:
                entry.type = kind

    message("GPUOptions", per_process_gpu_memory_fraction=field.TYPE_DOUBLE)
    message("OptimizerOptions", global_jit_level=jit.name)
    message("GraphOptions", optimizer_options="OptimizerOptions")
    message(
        "ConfigProto",
        intra_op_parallelism_threads=field.TYPE_INT32,
        inter_op_parallelism_threads=field.TYPE_INT32,
        gpu_options="GPUOptions",
        graph_options="GraphOptions",
    )
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{file.package}.ConfigProto"))
