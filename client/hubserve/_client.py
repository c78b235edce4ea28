"""The client: one model on one server."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from ._answers import read_classes, read_features
from ._errors import (
    DeadlineExceeded,
    HubserveError,
    ModelNotFound,
    ModelNotReady,
    ServerBusy,
    ServerUnavailable,
    UsageError,
)
from ._images import ImageLike, many
from ._pipeline import Call
from ._results import Classification, Features, ImageResult
from ._rpc import ModelServer
from ._servable import ModelMetadata, VersionStatus, read_metadata, read_status
from ._stream import Reader, stream
from ._tensors import put_strings
from .wire.metadata_pb2 import GetModelMetadataRequest
from .wire.model_pb2 import ModelSpec
from .wire.predict_pb2 import PredictRequest, PredictResponse
from .wire.status_pb2 import GetModelStatusRequest

if TYPE_CHECKING:
    from types import TracebackType

    from numpy.typing import ArrayLike, NDArray

    # Python 3.10 has no typing.Self.
    from typing_extensions import Self

_Result = TypeVar("_Result", bound=ImageResult)

# One batch being computed and one waiting keep a server at work; more would wait there while their own time runs out.
_REQUESTS_IN_FLIGHT = 2
_POLL_SECONDS = 0.2


class Client:
    """Asks one model on a TF Serving server for answers.

        with Client("localhost:8500", model="pnasnet") as client:
            for result in client.classify(["cat.jpg", "dog.jpg"], top_k=3):
                print(result.source, result.label, result.score)

    Any number of threads may use one client.

    Args:
        target: The server's `HOST:PORT`, or any other gRPC target.
        model: The model's name on the server.
        version: The version to ask; the newest loaded one by default.
        version_label: The label of the version to ask, in place of its number.
        timeout: Seconds that the server has for each request.
        max_batch_size: The most images in one request; the server has its own limit, which this must not exceed.
        max_batch_bytes: The most bytes of images in one request; a larger image goes alone.

    Raises:
        UsageError: An argument makes no sense.
    """

    def __init__(
        self,
        target: str,
        *,
        model: str,
        version: int | None = None,
        version_label: str | None = None,
        timeout: float = 30.0,
        max_batch_size: int = 32,
        max_batch_bytes: int = 16 * 2**20,
    ) -> None:
        if not target or target.startswith(("http://", "https://")):
            raise UsageError(f"target must be a gRPC target such as localhost:8500, not {target!r}")
        if not model:
            raise UsageError("model must be the model's name on the server, not an empty string")
        if version is not None and version_label is not None:
            raise UsageError("version and version_label both choose a version: give one of them")
        for name, value in (
            ("timeout", timeout),
            ("max_batch_size", max_batch_size),
            ("max_batch_bytes", max_batch_bytes),
        ):
            if value <= 0:
                raise UsageError(f"{name} must be more than 0, not {value}")
        self._target = target
        self._model = model
        self._version = version
        self._version_label = version_label
        self._timeout = timeout
        self._max_batch_size = max_batch_size
        self._max_batch_bytes = max_batch_bytes
        self._server = ModelServer(target, self._model_in_words())

    def classify(
        self, images: Iterable[ImageLike], *, top_k: int | None = None, ordered: bool = True
    ) -> Iterator[Classification]:
        """Classifies images: lazily, in batches, in memory that does not grow with their number.

        A few images beyond the last answer are read ahead: leave files where they are until their result is there.
        What fails an image, or the whole request it was in, is in its result (`error`, `exception`); the rest go on.

        Args:
            images: Paths, bytes, binary files, Pillow images or uint8 arrays, of any number.
            top_k: The most classes for each image; by default as many as the model gives.
            ordered: Give results in the order of the images; else each batch as soon as it is answered.

        Returns:
            One result for each image. Taking one raises `UnsuitableModel` when the model does not classify, or gives
            fewer than `top_k` classes; `ClientClosed`; or what iterating `images` raised, after the results before it.

        Raises:
            UsageError: `images` is a single image, or `top_k` is less than 1.
        """
        if top_k is not None and top_k < 1:
            raise UsageError(f"top_k must be at least 1, not {top_k}")
        return self._stream(many(images), partial(read_classes, top_k=top_k), Classification, ordered=ordered)

    def features(self, images: Iterable[ImageLike], *, ordered: bool = True) -> Iterator[Features]:
        """Computes images' feature vectors, float32 [D]; in all else like `classify`.

        Args:
            images: As for `classify`.
            ordered: As for `classify`.

        Returns:
            One result for each image; taking one raises as for `classify`.

        Raises:
            UsageError: `images` is a single image.
        """
        return self._stream(many(images), read_features, Features, ordered=ordered)

    def predict(
        self,
        inputs: Mapping[str, ArrayLike],
        *,
        signature: str = "serving_default",
        outputs: Sequence[str] | None = None,
        timeout: float | None = None,
    ) -> dict[str, NDArray[Any]]:
        """Runs any signature of any model on one batch.

        Python's own numbers go as int32 and float32, strings as UTF-8; arrays keep their type.

        Args:
            inputs: An array for each input, all with the same number of rows.
            signature: The signature's name; `metadata()` lists them.
            outputs: The outputs to fetch; all by default. The server batches requests for different ones apart.
            timeout: Seconds for this call; the client's by default.

        Returns:
            An array for each output. Strings are objects (bytes); bfloat16 comes as float32 of the same value.

        Raises:
            UsageError: An input cannot be sent, there are no rows, or `outputs` is no list.
            CallError: The server did not answer.
            MalformedAnswer: The answer makes no sense.
        """
        if isinstance(outputs, str):
            raise UsageError(f"outputs must be a list of names, not one name: write [{outputs!r}]")
        # numpy is needed only here.
        from ._arrays import to_array, to_tensor

        tensors = {name: to_tensor(name, value) for name, value in inputs.items()}
        # TF Serving with batching lets such a request wait until its deadline.
        if tensors and all(
            tensor.tensor_shape.dim and not tensor.tensor_shape.dim[0].size for tensor in tensors.values()
        ):
            raise UsageError("the inputs have no rows: a server that batches would never answer them")
        request = PredictRequest(model_spec=self._spec(signature), inputs=tensors, output_filter=outputs)
        response = self._server.predict(request, self._timeout if timeout is None else timeout).result()
        return {name: to_array(tensor) for name, tensor in sorted(response.outputs.items())}

    def metadata(self) -> ModelMetadata:
        """Asks for the model's signatures, with the types and shapes of their inputs and outputs.

        Raises:
            CallError: The server did not answer.
            MalformedAnswer: The answer makes no sense.
        """
        request = GetModelMetadataRequest(model_spec=self._spec(), metadata_field=["signature_def"])
        return read_metadata(self._server.metadata(request, self._timeout))

    def status(self) -> tuple[VersionStatus, ...]:
        """Asks which versions of the model the server knows, and how far each is; the newest first.

        With a `version`, only of that one. The server knows no answer by label: with a `version_label`, of all.

        Raises:
            CallError: The server did not answer; `ModelNotFound`: it has never heard of the model.
        """
        return self._status(self._timeout)

    def wait_until_ready(self, timeout: float) -> tuple[VersionStatus, ...]:
        """Waits until the server is there and serves the model (the client's version of it, if it has one).

        Args:
            timeout: Seconds to wait at the most.

        Returns:
            What `status()` says then.

        Raises:
            ModelNotReady: The time is over, and the model is not loaded.
            CallError: The time is over, and the server still did not answer; or no waiting would mend its answer.
        """
        end = time.monotonic() + timeout
        while True:
            left = max(end - time.monotonic(), _POLL_SECONDS)
            try:
                versions = self._status(min(left, self._timeout))
                if any(version.available for version in versions):
                    return versions
                found = ", ".join(map(str, versions)) or "it has no version of it"
                failure: HubserveError = ModelNotReady(
                    f"{self._target} does not serve {self._model_in_words()} after {timeout:g} s: {found}"
                )
            except (ServerUnavailable, ServerBusy, DeadlineExceeded, ModelNotFound) as error:
                failure = error
            if time.monotonic() + _POLL_SECONDS > end:
                raise failure
            time.sleep(_POLL_SECONDS)

    def close(self) -> None:
        """Gives up what is on its way, and closes the connection. Closing twice does no harm."""
        self._server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Client of {self._model_in_words()} at {self._target}>"

    def _stream(
        self, images: Iterable[ImageLike], read: Reader[_Result], kind: type[_Result], ordered: bool
    ) -> Iterator[_Result]:
        return stream(
            images,
            send=self._send,
            read=read,
            kind=kind,
            limit=_REQUESTS_IN_FLIGHT,
            ordered=ordered,
            max_size=self._max_batch_size,
            max_bytes=self._max_batch_bytes,
        )

    def _send(self, images: Sequence[bytes]) -> Call[PredictResponse]:
        # No output_filter: the server batches together what asks for the same outputs, so every caller asks for all.
        request = PredictRequest(model_spec=self._spec("serving_default"))
        put_strings(request.inputs["image_bytes"], images)
        return self._server.predict(request, self._timeout)

    def _status(self, timeout: float) -> tuple[VersionStatus, ...]:
        return read_status(self._server.status(GetModelStatusRequest(model_spec=self._spec()), timeout))

    def _spec(self, signature: str = "") -> ModelSpec:
        spec = ModelSpec(name=self._model, signature_name=signature)
        if self._version is not None:
            spec.version.value = self._version
        if self._version_label is not None:
            spec.version_label = self._version_label
        return spec

    def _model_in_words(self) -> str:
        if self._version is not None:
            return f"model {self._model}, version {self._version}"
        if self._version_label is not None:
            return f"model {self._model}, version label {self._version_label}"
        return f"model {self._model}"
