"""A stand-in for tensorflow_model_server 2.20.0 if a test needs its answers: the embedded engine with its flags.

It reads the flags that `hubserve serve --engine binary` and `tests/conformance --binary` give, ends as main.cc does
when a model does not load, and says in its --version that it is not TensorFlow Serving.
"""

import pathlib
import sys
import threading

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from hubserve_serve import EmbeddedServer, ServeError


def main() -> int:
    if sys.argv[1:] == ["--version"]:
        print("TensorFlow ModelServer: 2.20.0 (the embedded engine stands in)\nTensorFlow Library: 2.20.0")
        return 0
    flags = dict(argument.removeprefix("--").split("=", 1) for argument in sys.argv[1:])
    config = model_server_config_pb2.ModelServerConfig()
    text_format.Parse(pathlib.Path(flags.pop("model_config_file")).read_text(), config)
    (model,) = config.model_config_list.config
    server = EmbeddedServer(
        model.base_path,
        name=model.name,
        version=tuple(model.model_version_policy.specific.versions) or None,
        version_labels=dict(model.version_labels),
        port=int(flags.pop("port")),
        session_config=flags.pop("tensorflow_session_config_file", None),
        poll_seconds=float(flags.pop("file_system_poll_wait_seconds", 1)),
        max_threads=int(flags.pop("grpc_max_threads")),
    )
    try:
        server.start()
    except ServeError as error:
        # main.cc.
        print(f"Failed to start server. Error: {error}", flush=True)
        return 255
    # Until SIGTERM, for which there is no handler.
    threading.Event().wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
