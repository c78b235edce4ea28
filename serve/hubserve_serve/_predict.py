"""Answer Predict: tensors in, tensors out, with TF Serving's checks in TF Serving's order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
from tensorflow_serving.apis import predict_pb2

from ._errors import RequestError, invalid
from ._tensors import from_proto, to_proto

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from tensorflow.core.protobuf import meta_graph_pb2

    from ._servable import Servable

DEFAULT_SIGNATURE = "serving_default"


def predict(
    servable: Servable, request: predict_pb2.PredictRequest, timeout: float | None = None
) -> predict_pb2.PredictResponse:
    """Run one signature on the request's tensors.

    Args:
        servable: The loaded version.
        request: The request; an empty signature name means the default one, an empty output filter all outputs.
        timeout: Seconds that the run may take; None: no limit.

    Raises:
        RequestError: The request does not fit the signature, or the run failed.
    """
    signature_name = request.model_spec.signature_name or DEFAULT_SIGNATURE
    signature = servable.signatures.get(signature_name)
    if signature is None:
        raise RequestError(grpc.StatusCode.FAILED_PRECONDITION, f'Serving signature key "{signature_name}" not found.')
    feeds = _feeds(signature, request)
    aliases = _outputs(signature, request)
    arrays = servable.session.run(feeds, [signature.outputs[alias].name for alias in aliases], timeout)

    response = predict_pb2.PredictResponse()
    response.model_spec.name = request.model_spec.name
    response.model_spec.signature_name = signature_name
    response.model_spec.version.value = servable.version
    for alias, array in zip(aliases, arrays, strict=True):
        response.outputs[alias].CopyFrom(to_proto(array))
    return response


def _feeds(
    signature: meta_graph_pb2.SignatureDef, request: predict_pb2.PredictRequest
) -> dict[str, np.ndarray[Any, Any]]:
    sent, wanted, defaults = set(request.inputs), set(signature.inputs), set(signature.defaults)
    if len(sent) > len(wanted) or (len(sent) < len(wanted) and not defaults):
        raise invalid(
            f"input size does not match signature: {len(sent)}!={len(wanted)} "
            f"len({_set(sent)}) != len({_set(wanted)}). "
            f"Sent extra: {_set(sent - wanted)}. Missing but required: {_set(wanted - sent)}."
        )
    feeds = {}
    for alias in sorted(wanted):
        feed_name = signature.inputs[alias].name
        if alias not in sent and alias not in defaults:
            raise invalid(
                f"Signature input alias: {alias}(feed name: {feed_name}) not found in request and no default value "
                f"provided. Inputs expected to be in the request {_set(sent)}, or default input alias set: "
                f"{_join(defaults)}"
            )
        try:
            feeds[feed_name] = from_proto(request.inputs[alias] if alias in sent else signature.defaults[alias])
        except ValueError as error:
            raise invalid(f"tensor parsing error: {alias}") from error
    if not sent <= wanted:
        raise invalid(
            f"Inputs contains invalid name. Used request inputs: {_join(sent & wanted)}, request input: {_join(sent)}"
        )
    return feeds


def _outputs(signature: meta_graph_pb2.SignatureDef, request: predict_pb2.PredictRequest) -> list[str]:
    seen: list[str] = []
    for alias in request.output_filter:
        if alias not in signature.outputs:
            raise invalid(
                f"output tensor alias not found in signature: {alias} "
                f"Outputs expected to be in the set {_set(signature.outputs)}."
            )
        if alias in seen:
            raise invalid(f"duplicate output tensor alias: {alias}")
        seen.append(alias)
    return seen or sorted(signature.outputs)


def _join(names: Iterable[str]) -> str:
    return ",".join(sorted(names))


def _set(names: Iterable[str]) -> str:
    return "{" + _join(names) + "}"
