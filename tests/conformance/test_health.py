"""The gRPC health service, as TF Serving has it with --enable_grpc_healthcheck_service.

Release 2.20.0: `model_servers/server.cc`.
"""

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from conformance.subject import Subject, refusal
from serve.calls import PATIENCE


@pytest.fixture
def health(subject: Subject) -> health_pb2_grpc.HealthStub:
    stub = health_pb2_grpc.HealthStub(subject.caller.channel)
    try:
        stub.Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE)
    except grpc.RpcError as error:
        if error.code() is grpc.StatusCode.UNIMPLEMENTED:
            pytest.skip("needs a server started with --enable_grpc_healthcheck_service")
        raise
    return stub


@pytest.mark.parametrize("service", ["", "PredictionService", "ModelService"])
def test_a_server_that_answers_is_serving_under_the_short_names(health: health_pb2_grpc.HealthStub, service: str):
    answer = health.Check(health_pb2.HealthCheckRequest(service=service), timeout=PATIENCE)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_the_long_names_are_not_known(health: health_pb2_grpc.HealthStub):
    message = health_pb2.HealthCheckRequest(service="tensorflow.serving.PredictionService")
    assert refusal(health.Check, message)[0] is grpc.StatusCode.NOT_FOUND
