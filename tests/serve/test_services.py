from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import prediction_service_pb2_grpc

from hubserve_serve._manager import Manager
from hubserve_serve._servable import Servable
from hubserve_serve._services import PredictionService
from serve.calls import calling


class DefectiveSession:
    """Fail with an unexpected error, with more words than a gRPC status holds."""

    def run(self, *_args):
        raise ZeroDivisionError("secret" * 10_000)

    def close(self):
        pass


def test_a_defect_is_internal_and_its_text_stays_in_the_log(caplog):
    signature = meta_graph_pb2.SignatureDef(inputs={"image_bytes": {"name": "x:0"}}, outputs={"y": {"name": "y:0"}})
    servable = Servable("toy", 1, {"serving_default": signature}, DefectiveSession())
    manager = Manager("toy")
    manager.load(1, lambda: servable, lambda _: None)
    service = PredictionService(manager, 1)
    defective = grpc.server(ThreadPoolExecutor(1))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(service, defective)
    port = defective.add_insecure_port("127.0.0.1:0")
    defective.start()
    with calling(f"127.0.0.1:{port}") as defective_caller, pytest.raises(grpc.RpcError) as caught:
        defective_caller.predict(image_bytes=[b"x"])
    defective.stop(None).wait()
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert caught.value.details() == "The embedded engine failed on this request; its log says how"
    assert "ZeroDivisionError" in caplog.text
