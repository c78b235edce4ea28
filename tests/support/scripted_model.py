"""The answers of a scripted image model: from each image's bytes, so that a test can tell whose answer it got."""

import numpy as np

from support.serving_messages import make_tensor_proto, predict_pb2

BAD = b"not an image"
HUGE = b"too many pixels"
_STATUS = {BAD: 1, HUGE: 2}


def images_in(request: predict_pb2.PredictRequest) -> list[bytes]:
    """The images of a request."""
    return list(request.inputs["image_bytes"].string_val)


def classify(request: predict_pb2.PredictRequest, classes: int = 5) -> predict_pb2.PredictResponse:
    """Labels an image `<its bytes>`, `<its bytes>+1`, ...; scores are 1/2, 1/4, ...; ids count from its length."""
    images = images_in(request)
    status = np.array([_STATUS.get(image, 0) for image in images], np.int32)
    good = status == 0
    labels = [[image[:40] + (b"+%d" % rank if rank else b"") for rank in range(classes)] for image in images]
    return respond(
        request,
        status=status,
        class_ids=np.where(good[:, None], [[len(i) + rank for rank in range(classes)] for i in images], -1).astype(
            "i4"
        ),
        labels=np.where(good[:, None], np.array(labels, object), b""),
        scores=np.where(good[:, None], 0.5 ** np.arange(1, classes + 1), 0).astype("f4"),
    )


def featurize(request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
    """Gives an image the vector [its length, its first byte, 0.5]."""
    images = images_in(request)
    return respond(
        request,
        status=np.array([_STATUS.get(image, 0) for image in images], np.int32),
        feature_vector=np.array([[len(image), image[0], 0.5] for image in images], np.float32),
    )


def respond(request: predict_pb2.PredictRequest, **outputs: np.ndarray) -> predict_pb2.PredictResponse:
    """Answers with these outputs, as version 7."""
    response = predict_pb2.PredictResponse()
    response.model_spec.name = request.model_spec.name
    response.model_spec.version.value = 7
    response.model_spec.signature_name = request.model_spec.signature_name
    for name, values in outputs.items():
        response.outputs[name].CopyFrom(make_tensor_proto(values))
    return response
