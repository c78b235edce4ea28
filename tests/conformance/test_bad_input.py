"""Other clients are served, no matter what one client does."""

import socket
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import grpc
import pytest
from tensorflow_serving.apis.predict_pb2 import PredictResponse

from conformance.raw_http2 import PREDICT, SETTINGS_READ, begin_call, connect, read_until
from conformance.subject import Subject, in_turn, refusal
from serve.calls import PATIENCE, Caller, calling, request, wait_for
from serve.toys import model_dir

MANY = 50
# One for each thread that the embedded engine may have, and more.
MORE_THAN_THREADS = 1100


def assert_served(subject: Subject) -> None:
    """A caller that comes now, over its own connection, is answered."""
    with calling(subject.target) as caller:
        # Calls that were given up may hold threads of TF Serving a little longer.
        answer = in_turn(caller.prediction.Predict, subject.request())
    assert sorted(answer.outputs) == subject.outputs


@pytest.mark.parametrize(
    "garbage",
    [
        b"\0" * 100,
        b"\xff" * 100_000,
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
    ids=["zeros", "noise", "HTTP/1.1", "TLS"],
)
def test_bytes_that_are_not_http2_end_only_their_own_connection(subject: Subject, garbage: bytes):
    with connect(subject.target) as connection:
        try:
            connection.sendall(garbage)
            while connection.recv(65536):
                pass
        except ConnectionError:
            pass
    assert_served(subject)


def test_silent_connections_delay_no_other_call(subject: Subject):
    with ExitStack() as held:
        for _ in range(MANY):
            held.enter_context(connect(subject.target))
        assert_served(subject)


def test_calls_that_are_begun_and_not_finished_delay_no_other_call(subject: Subject):
    with ExitStack() as held:
        for _ in range(MANY):
            held.enter_context(begin_call(subject.target, PREDICT, 1000, sent=b"half"))
        assert_served(subject)


def test_clients_that_vanish_in_mid_request_leave_nothing_behind(subject: Subject):
    for _ in range(MORE_THAN_THREADS):
        connection = begin_call(subject.target, PREDICT, 2**30, sent=bytes(10_000))
        assert SETTINGS_READ in read_until(connection, SETTINGS_READ)
        # Closed so, a socket sends RST: the client's machine has gone.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    assert_served(subject)


def test_clients_that_give_up_waiting_cost_the_others_nothing(subject: Subject):
    for _ in range(MANY):
        subject.caller.prediction.Predict.future(subject.request(), timeout=PATIENCE).cancel()
    assert_served(subject)


def test_a_client_that_gives_up_while_its_call_runs_costs_the_others_nothing(
    serve: Callable[..., Caller], toy: Path, tmp_path: Path
):
    caller = serve(model_dir(toy, tmp_path / "toy"))
    # Only one: what waits here takes one of TensorFlow's threads, and there may be no more than two.
    running = caller.prediction.Predict.future(request("gated", folder=[str(tmp_path).encode()]), timeout=PATIENCE)
    wait_for(tmp_path / "started")
    assert running.cancel()
    assert caller.predict(image_bytes=[b"odd"])["labels"].tolist() == [[b"dog", b"cat"]]
    (tmp_path / "go").touch()


def test_a_message_that_is_not_a_request_is_an_error_of_its_own_call(subject: Subject):
    call = subject.caller.channel.unary_unary(PREDICT)
    code, _ = refusal(call, b"\xff\xff\xff")
    assert code is grpc.StatusCode.INTERNAL
    assert_served(subject)


def test_an_unknown_method_is_unimplemented(subject: Subject):
    call = subject.caller.channel.unary_unary("/tensorflow.serving.PredictionService/NoSuchMethod")
    assert refusal(call, b"")[0] is grpc.StatusCode.UNIMPLEMENTED


def test_two_hundred_connections_at_once_are_all_answered(subject: Subject):
    message, callers = subject.request(), 200

    def call(_: int) -> list[str]:
        # Without it, channels to one target share a connection.
        options = [("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(subject.target, options) as channel:
            predict = channel.unary_unary(PREDICT, type(message).SerializeToString, PredictResponse.FromString)
            return sorted(in_turn(predict, message).outputs)

    with ThreadPoolExecutor(callers) as pool:
        answers = list(pool.map(call, range(callers)))
    assert answers == [subject.outputs] * callers
