"""A stand-in for tensorflow_model_server 2.20.0: its behaviour as other processes see it, from its source.

Comments name the file that says so. `settings.json` in $STAND_IN_FOLDER holds what differs from test to test; the
command line and the process id are left in `server.json` there. Calls are answered by the server at `backend`.
"""

import json
import os
import pathlib
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

FOLDER = pathlib.Path(os.environ["STAND_IN_FOLDER"])
SETTINGS = json.loads((FOLDER / "settings.json").read_text())


def main() -> int:
    flags = dict(argument.removeprefix("--").split("=", 1) for argument in sys.argv[1:] if "=" in argument)
    # main.cc: --version prints two lines.
    if sys.argv[1:] == ["--version"]:
        print(f"TensorFlow ModelServer: {SETTINGS['release']}\nTensorFlow Library: 2.20.0")
        return 0
    (FOLDER / "server.json").write_text(json.dumps({"arguments": sys.argv[1:], "pid": os.getpid()}))
    # main.cc: an unknown flag is printed with the usage, and the server goes on.
    for name in set(flags) & set(SETTINGS["unknown"]):
        print(f"unknown argument: --{name}={flags[name]}\nusage: tensorflow_model_server", flush=True)
    config = model_server_config_pb2.ModelServerConfig()
    text_format.Parse(pathlib.Path(flags["model_config_file"]).read_text(), config)
    (model,) = config.model_config_list.config
    print(f"loading {model.name}", file=sys.stderr, flush=True)
    # file_system_storage_path_source.cc: without a version the server says so every second, with no port open.
    while SETTINGS["empty"] or not [c for c in pathlib.Path(model.base_path).iterdir() if c.name.isdecimal()]:
        print(f"No versions of servable {model.name} found under base path {model.base_path}. Did you", flush=True)
        time.sleep(1)
    # main.cc: a model that does not load ends the server, with -1 for its exit code.
    if SETTINGS["load_error"]:
        print(f"Failed to start server. Error: {SETTINGS['load_error']}", flush=True)
        return 255
    while SETTINGS["gate"] and not (FOLDER / "go").exists():
        time.sleep(0.02)
    # Its log may be of any length.
    print("\n".join(["a line of its log"] * SETTINGS["talk"]), flush=True)
    (FOLDER / "talked").touch()
    # server.cc: the ports open last.
    server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.max_receive_message_length", -1)])
    with grpc.insecure_channel(SETTINGS["backend"], [("grpc.max_receive_message_length", -1)]) as backend:
        server.add_generic_rpc_handlers([PassOn(backend)])
        if flags.get("grpc_socket_path"):
            server.add_insecure_port(f"unix:{flags['grpc_socket_path']}")
        # In the stand-in of Docker, which tells the address that the port is published to.
        if flags["port"] != "0":
            server.add_insecure_port(f"{SETTINGS['address']}:{flags['port']}")
        server.start()
        while not (FOLDER / "crash").exists():
            time.sleep(0.02)
        print("out of luck", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGSEGV)
    return 0


class PassOn(grpc.GenericRpcHandler):
    def __init__(self, backend: grpc.Channel) -> None:
        self._backend = backend

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
            try:
                return self._backend.unary_unary(details.method)(request, timeout=context.time_remaining())
            except grpc.RpcError as error:
                context.abort(error.code(), error.details())

        return grpc.unary_unary_rpc_method_handler(answer)


if __name__ == "__main__":
    sys.exit(main())
