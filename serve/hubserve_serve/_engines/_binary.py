"""The engine `binary`: the program tensorflow_model_server on the PATH."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from hubserve_model.scratch import PREFIX, private_folder

from .._address import address_of, hold, join
from .._errors import EngineError
from ._command_line import config_files, model_server_flags
from ._engine import Missing, RunningServer
from ._process import CUT_OFF, ModelServerProcess
from ._relay import Relay
from ._release import ask_release, in_words, require_known, warn_of_newer_export

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ._description import ServerDescription

PROGRAM = "tensorflow_model_server"
_SOCKET = "grpc.sock"
# The address that TensorFlow Serving listens on if it has a port (`server.cc`).
_EVERY_INTERFACE = "0.0.0.0"  # noqa: S104 - only if the user asks for it
# The longest path of a UNIX socket (unix(7)).
_LONGEST_PATH = 107


class BinaryEngine:
    """Run TensorFlow Serving as a program of this machine."""

    in_process = False

    def missing(self) -> Missing | None:
        """Tell whether the program is on the PATH."""
        if shutil.which(PROGRAM):
            return None
        return Missing(
            f"{PROGRAM} is not on the PATH",
            "install it as described at https://www.tensorflow.org/tfx/serving/setup, or choose another --engine",
        )

    @contextlib.contextmanager
    def serving(self, description: ServerDescription, report: Callable[[str], None]) -> Iterator[RunningServer]:
        """Run a server; see `Engine.serving`."""
        if missing := self.missing():
            raise EngineError(": ".join(missing))
        release = ask_release([PROGRAM, "--version"], PROGRAM)
        with (
            private_folder(_temporary()) as folder,
            hold(description.host, description.port, for_grpc=description.host == _EVERY_INTERFACE) as held,
        ):
            path, model_dir = Path(folder, _SOCKET), str(description.model_dir)
            port = address_of(held)[1]
            if description.host == _EVERY_INTERFACE:
                # The server listens there itself, so that no relay is needed.
                listen, own = [f"--port={port}"], join("127.0.0.1", port)
                relay: contextlib.AbstractContextManager[object] = contextlib.nullcontext()
            else:
                listen, own = ["--port=0", f"--grpc_socket_path={path}"], f"unix:{path}"
                relay = Relay(held, path)
            flags = model_server_flags(description, listen=listen, model_dir=model_dir, config_dir=str(folder))
            require_known(flags, release, PROGRAM)
            warn_of_newer_export(description.newest.path, release, PROGRAM, report)
            for name, text in config_files(description, model_dir=model_dir).items():
                Path(folder, name).write_text(text, encoding="utf-8")
            report(f"loading {description.newest.path}")
            with ModelServerProcess([PROGRAM, *flags], PROGRAM, report) as process:
                process.wait_until_serving(own)
                with relay:
                    yield RunningServer(
                        join(description.host, port),
                        engine=f"binary engine, TensorFlow Serving {in_words(release)}",
                        stopping=CUT_OFF,
                        wait=process.wait,
                    )


def _temporary() -> str | None:
    """Return the parent for the folder; None: the system's, unless that makes the path of the socket too long."""
    longest = f"{tempfile.gettempdir()}/{PREFIX}{uuid.uuid4()}/{_SOCKET}"
    return None if len(longest) <= _LONGEST_PATH else "/tmp"  # noqa: S108 - only this user can read the folder in it
