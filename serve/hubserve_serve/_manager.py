"""Keep the versions of a model from loading to unloading, and choose the one that answers a request."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc
import tensorflow as tf
from tensorflow_serving.apis import get_model_status_pb2

from ._errors import LoadError, RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tensorflow_serving.apis import model_pb2

    from ._servable import Servable

State = get_model_status_pb2.ModelVersionStatus


@dataclass
class _Version:
    """The state of a version for GetModelStatus, and its servable once it is loaded."""

    state: int = State.LOADING
    error: LoadError | None = None
    servable: Servable | None = None
    calls: int = 0


class Manager:
    """The versions of one model.

    ``manager.load(1, make, warm_up)``, then ``with manager.use(request.model_spec) as servable:``, and at last
    ``manager.close()``.

    Args:
        name: The model's name.
        labels: Labels that callers may ask for, with their versions.
    """

    def __init__(self, name: str, labels: Mapping[str, int] | None = None) -> None:
        self.name = name
        self._labels = dict(labels or {})
        self._versions: dict[int, _Version] = {}
        self._changed = threading.Condition()
        self._closed = False

    def load(self, version: int, make: Callable[[], Servable], warm_up: Callable[[Servable], None]) -> None:
        """Make a version's servable, warm it up, and let it answer.

        Raises:
            LoadError: Loading or warm-up failed. The version's status keeps the error, as for any other exception.
        """
        entry = _Version()
        with self._changed:
            self._versions[version] = entry
        try:
            servable = make()
            with self._changed:
                entry.servable = servable
            if self._closed:
                raise LoadError(f"version {version} of {self.name} is not served: the server is stopping")
            warm_up(servable)
        except LoadError as error:
            self._end(entry, error)
            raise
        except BaseException as error:
            unforeseen = LoadError(f"version {version} of {self.name} cannot be loaded ({error!r})")
            self._end(entry, unforeseen)
            raise
        with self._changed:
            entry.state = State.AVAILABLE

    def unload(self, version: int) -> None:
        """Send no more calls to a version, wait until those in flight are answered, and release it."""
        entry = self._versions[version]
        with self._changed:
            entry.state = State.UNLOADING
            self._changed.wait_for(lambda: entry.calls == 0)
        self._end(entry)

    def close(self) -> None:
        """Release all versions, and cancel what they still run, such as calls and warm-ups."""
        with self._changed:
            self._closed = True
        for entry in list(self._versions.values()):
            self._end(entry, entry.error)

    def available(self) -> set[int]:
        """Return the versions that answer."""
        with self._changed:
            return {version for version, entry in self._versions.items() if entry.state == State.AVAILABLE}

    def largest_batch(self) -> int:
        """Return how many rows of different callers may run at once; 0 if no version batches."""
        with self._changed:
            servables = [entry.servable for entry in self._versions.values() if entry.servable]
        return max((servable.batching.max_batch_size for servable in servables if servable.batching), default=0)

    @contextlib.contextmanager
    def use(self, spec: model_pb2.ModelSpec) -> Iterator[Servable]:
        """Provide the servable that a request asks for, and keep it loaded meanwhile.

        Raises:
            RequestError: There is no such servable.
        """
        if not spec.name:
            raise RequestError(grpc.StatusCode.INVALID_ARGUMENT, "ModelSpec has no name specified.")
        wanted = self._wanted(spec)
        with self._changed:
            version = max(self.available(), default=None) if wanted is None else wanted
            entry = self._versions.get(version) if version is not None and spec.name == self.name else None
            servable = entry.servable if entry is not None and entry.state == State.AVAILABLE else None
            if entry is None or servable is None:
                meant = f"Latest({spec.name})" if wanted is None else f"Specific({spec.name}, {wanted})"
                raise RequestError(
                    grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {meant}{self._beside(spec.name)}"
                )
            entry.calls += 1
        try:
            yield servable
        finally:
            with self._changed:
                entry.calls -= 1
                self._changed.notify_all()

    def status(self, spec: model_pb2.ModelSpec) -> get_model_status_pb2.GetModelStatusResponse:
        """Return the state of the requested version, or of all versions of the model that were ever loaded.

        Raises:
            RequestError: There is no such version.
        """
        response = get_model_status_pb2.GetModelStatusResponse()
        with self._changed:
            versions = self._versions if spec.name == self.name else {}
            # TF Serving uses the number only and ignores a label (get_model_status_impl.cc). It lists the highest
            # version first, and keeps all versions (servable_state_monitor.h).
            for version in sorted(versions, reverse=True):
                if not spec.HasField("version") or version == spec.version.value:
                    entry = versions[version]
                    status = response.model_version_status.add(version=version, state=entry.state).status
                    status.SetInParent()
                    if entry.error is not None:
                        status.error_code, status.error_message = _code(entry.error), str(entry.error)
        if not response.model_version_status:
            what = f"version {spec.version.value} of" if spec.HasField("version") else "any versions of"
            raise RequestError(
                grpc.StatusCode.NOT_FOUND, f"Could not find {what} model {spec.name}{self._beside(spec.name)}"
            )
        return response

    def _beside(self, name: str) -> str:
        """Return the end of a refusal, which helps to find a mistyped name; TF Serving does not have it."""
        return "" if name == self.name else f"; this server has {self.name}"

    def _wanted(self, spec: model_pb2.ModelSpec) -> int | None:
        """Return the number of the version in a spec; None for a spec without a version, which means the latest."""
        choice = spec.WhichOneof("version_choice")
        if choice == "version_label":
            labels = self._labels if spec.name == self.name else {}
            if spec.version_label not in labels:
                words = f"Unrecognized servable version label: {spec.version_label}"
                raise RequestError(grpc.StatusCode.INVALID_ARGUMENT, words)
            return labels[spec.version_label]
        return int(spec.version.value) if choice == "version" else None

    def _end(self, entry: _Version, error: LoadError | None = None) -> None:
        with self._changed:
            servable, entry.servable = entry.servable, None
            entry.state, entry.error = State.END, error
        if servable is not None:
            servable.session.close()


def _code(error: LoadError) -> int:
    """Return the code of the error that made a load fail."""
    cause = error.__cause__
    if isinstance(cause, tf.errors.OpError):
        return int(cause.error_code)
    return int(cause.code.value[0]) if isinstance(cause, RequestError) else int(tf.errors.UNKNOWN)
