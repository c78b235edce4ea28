"""Answer Classify: serialized tf.Examples in, labels and scores out, with TF Serving's checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from tensorflow_serving.apis import classification_pb2

from ._errors import invalid
from ._predict import DEFAULT_SIGNATURE

if TYPE_CHECKING:
    from tensorflow.core.protobuf import meta_graph_pb2
    from tensorflow_serving.apis import input_pb2

    from ._servable import Servable

    Array = np.ndarray[Any, Any]


def classify(
    servable: Servable, request: classification_pb2.ClassificationRequest, timeout: float | None = None
) -> classification_pb2.ClassificationResponse:
    """Run a classification signature on the request's examples.

    Args:
        servable: The loaded version.
        request: The request; an empty signature name means the default one.
        timeout: Seconds that the run may take; None: no limit.

    Raises:
        RequestError: The signature does not classify, the request has no examples, or the run failed.
    """
    signature_name = request.model_spec.signature_name or DEFAULT_SIGNATURE
    signature = servable.signatures.get(signature_name)
    if signature is None:
        raise invalid(f"No signature was found with the name: {signature_name}")
    aliases = _outputs(signature)
    examples = _examples(request.input)
    feeds = {signature.inputs["inputs"].name: examples}
    arrays = servable.session.run(feeds, [signature.outputs[alias].name for alias in aliases], timeout)

    response = classification_pb2.ClassificationResponse()
    response.model_spec.name = request.model_spec.name
    response.model_spec.signature_name = signature_name
    response.model_spec.version.value = servable.version
    _fill(response.result, dict(zip(aliases, arrays, strict=True)), len(examples))
    return response


def _outputs(signature: meta_graph_pb2.SignatureDef) -> list[str]:
    if len(signature.inputs) != 1:
        raise invalid("Expected one input Tensor.")
    if len(signature.outputs) not in (1, 2):
        raise invalid(f"Expected one or two output Tensors, found {len(signature.outputs)}")
    if "inputs" not in signature.inputs:
        raise invalid(f"No classification inputs found in SignatureDef: {signature}")
    aliases = [alias for alias in ("classes", "scores") if alias in signature.outputs]
    if not aliases:
        raise invalid(
            'Expected classification signature outputs to contain at least one of "classes" or "scores". '
            f"Signature was: {signature}"
        )
    return aliases


def _examples(source: input_pb2.Input) -> Array:
    """Serialize the examples, each after their shared context: protobuf merges joined messages when it parses them."""
    if source.WhichOneof("kind") == "example_list_with_context":
        shared = source.example_list_with_context
        context = shared.context.SerializeToString()
        values = [context + example.SerializeToString() for example in shared.examples]
    else:
        values = [example.SerializeToString() for example in source.example_list.examples]
    if not values:
        raise invalid("Input is empty.")
    return np.array(values, dtype=object)


def _fill(result: classification_pb2.ClassificationResult, outputs: dict[str, Array], rows: int) -> None:
    for alias, array in outputs.items():
        if array.ndim != 2:
            raise invalid(f"Expected Tensor shape: [batch_size num_classes] but got {list(array.shape)}")
        if alias == "classes" and array.dtype != object:
            raise invalid(f"Expected classes Tensor of DT_STRING. Got: {array.dtype}")
        if alias == "scores" and array.dtype != np.float32:
            raise invalid(f"Expected scores Tensor of DT_FLOAT. Got: {array.dtype}")
        if len(array) != rows:
            raise invalid(f"Expected {alias} output batch size of {rows}. Got: {len(array)}")
    widths = [array.shape[1] for array in outputs.values()]
    if len(set(widths)) > 1:
        raise invalid(f"Tensors class and score should match in dim_size(1). Got {' vs. '.join(map(str, widths))}")
    for row in range(rows):
        classifications = result.classifications.add()
        for column in range(widths[0]):
            entry = classifications.classes.add()
            if "classes" in outputs:
                # A proto string must be UTF-8. TF Serving sends other bytes as they are, and its callers cannot parse
                # them.
                entry.label = outputs["classes"][row, column].decode("utf-8", errors="replace")
            if "scores" in outputs:
                entry.score = outputs["scores"][row, column]
