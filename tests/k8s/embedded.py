"""The files inside the manifests, read with TF Serving's own messages.

tensorflow-serving-api lacks some of them. Those are made here, with the fields of config/ssl_config.proto and
config/monitoring_config.proto; the text form needs their names and types only.
"""

import functools
from collections.abc import Callable
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from tensorflow.core.protobuf import config_pb2
from tensorflow_serving.config import model_server_config_pb2

from hubserve_model.batching_parameters_pb2 import BatchingParameters

_STRING = descriptor_pb2.FieldDescriptorProto.TYPE_STRING
_BOOL = descriptor_pb2.FieldDescriptorProto.TYPE_BOOL
_FIELDS = {
    "SSLConfig": {"server_key": _STRING, "server_cert": _STRING, "custom_ca": _STRING, "client_verify": _BOOL},
    "PrometheusConfig": {"enable": _BOOL, "path": _STRING},
    "MonitoringConfig": {"prometheus_config": "PrometheusConfig"},
}


@functools.cache
def _pool() -> descriptor_pool.DescriptorPool:
    file = descriptor_pb2.FileDescriptorProto(name="hubserve/tests/k8s.proto", package="tests.k8s", syntax="proto3")
    for message, fields in _FIELDS.items():
        added = file.message_type.add(name=message)
        for number, (name, kind) in enumerate(fields.items(), 1):
            field = added.field.add(name=name, number=number, label=descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL)
            if isinstance(kind, str):
                field.type, field.type_name = field.TYPE_MESSAGE, f".{file.package}.{kind}"
            else:
                field.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return pool


def _own(name: str) -> Callable[[], Any]:
    return lambda: message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"tests.k8s.{name}"))()


def _parser(message: Callable[[], Any]) -> Callable[[str], Any]:
    return lambda text: text_format.Parse(text, message())


# By the flag that takes such a file.
PARSERS: dict[str, Callable[[str], Any]] = {
    "model_config_file": _parser(model_server_config_pb2.ModelServerConfig),
    "batching_parameters_file": _parser(BatchingParameters),
    "monitoring_config_file": _parser(_own("MonitoringConfig")),
    "tensorflow_session_config_file": _parser(config_pb2.ConfigProto),
    "ssl_config_file": _parser(_own("SSLConfig")),
}
