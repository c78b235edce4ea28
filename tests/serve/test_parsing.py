"""A request that cannot be read is an error for its caller, and leaves nothing behind in the engine."""

import gc
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from hubserve_serve._interceptors import Parsing

METHOD = "/tensorflow.serving.PredictionService/Predict"
# A field that is longer than the message.
UNREADABLE = b"\x0a\x7f"


class Echo(prediction_service_pb2_grpc.PredictionServiceServicer):
    def Predict(self, request, context):  # noqa: N802 - the RPC's name
        return predict_pb2.PredictResponse(model_spec=request.model_spec)


def _kept() -> int:
    gc.collect()
    return sum(type(thing).__name__ == "_RPCState" for thing in gc.get_objects())


def test_a_request_that_cannot_be_read_is_an_error_and_is_not_kept() -> None:
    server = grpc.server(ThreadPoolExecutor(1), interceptors=[Parsing()])
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Echo(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "toy"
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary(METHOD)
        before = _kept()
        for _ in range(50):
            with pytest.raises(grpc.RpcError) as caught:
                call(UNREADABLE, timeout=60)
            assert caught.value.code() is grpc.StatusCode.INTERNAL
            assert caught.value.details() == "Exception deserializing request!"
        answer = predict_pb2.PredictResponse.FromString(call(request.SerializeToString(), timeout=60))
        assert answer.model_spec.name == "toy"
        del caught
        # One that ends may still be there.
        assert _kept() - before < 10
    server.stop(None).wait()
