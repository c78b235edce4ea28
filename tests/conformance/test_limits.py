"""The largest request: 2 GiB less one byte, protobuf's own limit.

Release 2.20.0: `model_servers/server.cc` (SetMaxMessageSize).
"""

from conformance.raw_http2 import PREDICT, begin_call, read_until
from conformance.subject import Subject


def test_a_message_of_2_gib_is_refused_by_its_announced_length(subject: Subject):
    """The announced length is enough to see the limit; larger messages than gRPC's 4 MiB are in test_predict.py."""
    with begin_call(subject.target, PREDICT, 2**31) as connection:
        answer = read_until(connection, b"larger than max (2147483648 vs. 2147483647)")
    assert b"larger than max (2147483648 vs. 2147483647)" in answer
