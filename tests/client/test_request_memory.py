"""The memory of one request is used for the next: a guard without a clock, from the counts of glibc and the system."""

import os
import platform
import subprocess
import sys

import pytest

REQUESTS = 100
# Some fifty were counted, and 1,800 without what is tested here; a request of 3.4 MB has 840 pages.
MOST_FAULTS = 400

PROGRAM = f"""
import resource
import sys
from concurrent.futures import ThreadPoolExecutor

import grpc

from hubserve import Client
from hubserve._transport import malloc
from hubserve.testing._messages import classified

if sys.argv[1:] == ["unlearned"]:
    malloc.expect = malloc._teach = lambda *_: None
    from hubserve._transport import base_server
    base_server.expect = malloc.expect

images = [bytes([number]) * 108_000 for number in range(32)]
answer = classified([b""] * 32, lambda _: {{"cat": 1.0}}).SerializeToString()
handler = grpc.unary_unary_rpc_method_handler(lambda *_: answer)
server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.max_receive_message_length", -1)])
service = "tensorflow.serving.PredictionService"
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {{"Predict": handler}}),))
port = server.add_insecure_port("127.0.0.1:0")
server.start()
with Client(f"127.0.0.1:{{port}}", model="m", concurrency=1) as client:
    for request in range(10 + {REQUESTS}):
        if request == 10:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        assert all(result.ok for result in client.classify(images))
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / {REQUESTS})
server.stop(None)
"""

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries keep memory in other ways")


def faults(*arguments: str) -> float:
    """Pages that the system clears for a request, in a process of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, env=environment, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


def test_a_request_takes_hardly_any_new_memory() -> None:
    assert faults() <= MOST_FAULTS


def test_the_guard_sees_an_allocator_that_has_not_learned() -> None:
    assert faults("unlearned") > MOST_FAULTS
