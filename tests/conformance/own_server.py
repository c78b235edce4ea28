"""A server for one test: the embedded engine, or with `--binary PATH` a tensorflow_model_server that PATH names."""

import contextlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from hubserve_serve import EmbeddedServer, LoadError, ServerEndedError
from hubserve_serve._address import address_of, hold
from hubserve_serve._engines._command_line import config_files, model_server_flags
from hubserve_serve._engines._description import describe
from hubserve_serve._engines._process import ModelServerProcess


class OwnServer(Protocol):
    """A running server, as tests need it."""

    name: str
    target: str

    def start(self) -> None:
        """Raises LoadError: The model does not load."""

    def stop(self) -> None: ...

    def __enter__(self) -> "OwnServer": ...

    def __exit__(self, *_: Any) -> None: ...


# Makes a server for a base folder; the options are those of EmbeddedServer.
Own = Callable[..., OwnServer]


class BinaryServer:
    """A program that is TensorFlow Serving, with the flags that `hubserve serve --engine binary` gives it.

    Args:
        program: The program.
        base: The model's base folder.
        options: As for `EmbeddedServer`; those that only it has are passed over.
    """

    def __init__(self, program: str, base: Path, **options: Any) -> None:
        version = options.get("version")
        versions = () if version is None else (version,) if isinstance(version, int) else tuple(version)
        self._program = program
        self._description = describe(
            Path(base),
            name=options.get("name"),
            versions=versions,
            labels=options.get("version_labels"),
            max_threads=options.get("max_threads", 1024),
        )
        self._port = options.get("port", 0)
        self._stack = contextlib.ExitStack()
        self.name = self._description.name
        self.target = ""

    def start(self) -> None:
        """Starts it, and waits until it serves.

        Raises:
            LoadError: It ended, or said that it never will; with its words.
        """
        if not self._port:
            with hold("127.0.0.1", 0) as held:
                self._port = address_of(held)[1]
        self.target = f"127.0.0.1:{self._port}"
        folder = self._stack.enter_context(tempfile.TemporaryDirectory())
        model_dir = str(self._description.model_dir)
        for name, text in config_files(self._description, model_dir=model_dir).items():
            Path(folder, name).write_text(text, encoding="utf-8")
        flags = model_server_flags(
            self._description, listen=[f"--port={self._port}"], model_dir=model_dir, config_dir=folder
        )
        command = [self._program, *flags, "--file_system_poll_wait_seconds=1"]
        try:
            process = self._stack.enter_context(ModelServerProcess(command, self._program, lambda _: None))
            process.wait_until_serving(self.target)
        except ServerEndedError as error:
            self._stack.close()
            raise LoadError(str(error)) from error

    def stop(self) -> None:
        self._stack.close()

    def __enter__(self) -> "BinaryServer":
        self.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.stop()


def maker(program: str | None) -> Own:
    """Make servers of the program; without one, of the embedded engine."""
    if program is None:
        return EmbeddedServer
    return lambda base, **options: BinaryServer(program, base, **options)
