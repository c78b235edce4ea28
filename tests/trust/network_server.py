"""A server for another namespace, on every address: `python -m trust.network_server PORT`."""

import sys
import time
from concurrent.futures import ThreadPoolExecutor

import grpc

from hubserve.testing._messages import classified
from hubserve.wire.predict_pb2 import PredictRequest, PredictResponse
from trust.chaos_server import answer

_SECONDS = 0.1


def _predict(request: PredictRequest, _: grpc.ServicerContext) -> PredictResponse:
    time.sleep(_SECONDS)
    response = classified(tuple(request.inputs["image_bytes"].string_val), answer)
    response.model_spec.name = request.model_spec.name
    response.model_spec.version.value = 1
    return response


def main() -> None:
    """Serves until it is killed; says so on standard output when it does."""
    handler = grpc.unary_unary_rpc_method_handler(
        _predict, request_deserializer=PredictRequest.FromString, response_serializer=PredictResponse.SerializeToString
    )
    server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
    service = grpc.method_handlers_generic_handler("tensorflow.serving.PredictionService", {"Predict": handler})
    server.add_generic_rpc_handlers((service,))
    server.add_insecure_port(f"0.0.0.0:{sys.argv[1]}")
    server.start()
    print("serving", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
