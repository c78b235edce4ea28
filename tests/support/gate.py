"""A gate that holds a scripted server's answers until a test opens it, so that no test has to guess times."""

import threading
from collections import defaultdict
from collections.abc import Callable

from support import scripted_model
from support.fake_server import FakeServer
from support.serving_messages import predict_pb2

_PATIENCE = 20


class Gate:
    """Stands before a server whose requests hold one image each: `gate.hold(b"a")`, later `gate.release(b"a")`."""

    def __init__(self, server: FakeServer) -> None:
        self.arrived: set[bytes] = set()
        self._script: Callable[[predict_pb2.PredictRequest], predict_pb2.PredictResponse] = server.predict
        self._open: defaultdict[bytes, threading.Event] = defaultdict(threading.Event)
        self._held: set[bytes] = set()
        self._release_on: dict[bytes, tuple[bytes, ...]] = {}
        self._lock = threading.Lock()
        server.predict = self._answer

    def hold(self, *images: bytes) -> None:
        """Lets requests for these images arrive, and wait."""
        for image in images:
            self._open[image].clear()
        self._held.update(images)

    def release(self, *images: bytes) -> None:
        """Lets them be answered."""
        for image in images:
            self._open[image].set()

    def _answer(self, request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
        (image,) = scripted_model.images_in(request)
        with self._lock:
            self.arrived.add(image)
            waits = image in self._held
            for released in self._release_on.pop(image, ()):
                self._open[released].set()
        if waits and not self._open[image].wait(_PATIENCE):
            raise AssertionError(f"{image!r} was not released")
        return self._script(request)

    def release_when_arrived(self, arriving: bytes, *released: bytes) -> None:
        """Lets these be answered as soon as a request for `arriving` is there."""
        self._release_on[arriving] = released
