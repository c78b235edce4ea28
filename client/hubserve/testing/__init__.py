"""A model server for tests: real gRPC on a real socket, without TensorFlow, with the answers and faults of the test.

    from hubserve.testing import FakeServer, Fault

    with FakeServer(lambda image: {"cat": 0.9, "dog": 0.1}) as server:
        server.then(Fault("UNAVAILABLE", "gone for a moment"))
        with Client(server.target, model="m") as client:
            (result,) = client.classify([b"..."])
            assert result.label == "cat"

As a separate process: `python -m hubserve.testing --port 8500`. For pytest, `hubserve.testing.fixture` has a fixture.
"""

from ._fake_server import FakeServer
from ._script import DROP, Fault, Request

__all__ = ["DROP", "FakeServer", "Fault", "Request"]
