import grpc
import numpy as np
import pytest
import tensorflow as tf

from hubserve_serve import LoadError, RequestError, SessionConfigError
from hubserve_serve._session import SavedModelSession, read_session_config


@pytest.fixture(scope="module")
def session(toy):
    loaded = SavedModelSession(toy)
    yield loaded
    loaded.close()


def test_a_run_is_cut_off_at_its_timeout(session, tmp_path):
    signature = session.signatures["gated"]
    feeds = {signature.inputs["folder"].name: np.array([str(tmp_path).encode()], dtype=object)}
    with pytest.raises(RequestError) as caught:
        session.run(feeds, [signature.outputs["rows"].name], timeout=0.2)
    assert caught.value.code is grpc.StatusCode.DEADLINE_EXCEEDED


def test_a_name_that_is_not_a_tensor_is_refused(session):
    with pytest.raises(RequestError, match='INVALID_ARGUMENT: The signature names "NoOp"'):
        session.run({}, ["NoOp"])


def test_an_error_that_repeats_bytes_of_the_request_is_the_requests(session):
    signature = session.signatures["classify"]
    feeds = {signature.inputs["inputs"].name: np.array([b"\xff\xfe"], dtype=object)}
    with pytest.raises(RequestError) as caught:
        session.run(feeds, [signature.outputs["classes"].name])
    assert caught.value.code is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.words.startswith("Could not parse example input, value: '\ufffd\ufffd'")


def test_a_closed_session_is_unavailable(toy):
    session = SavedModelSession(toy)
    session.close()
    signature = session.signatures["echo"]
    feeds = {signature.inputs["image_bytes"].name: np.array([b"x"], dtype=object)}
    with pytest.raises(RequestError) as caught:
        session.run(feeds, [signature.outputs["echo"].name])
    assert caught.value.code is grpc.StatusCode.UNAVAILABLE


def test_scalar_outputs_keep_their_dtype(tmp_path):
    @tf.function(input_signature=[tf.TensorSpec([], tf.string), tf.TensorSpec([], tf.int64)])
    def scalars(text, number):
        return {"text": text + "\0", "number": number + 1}

    module = tf.Module()
    module.scalars = scalars
    tf.saved_model.save(module, str(tmp_path), signatures=scalars)
    session = SavedModelSession(tmp_path)
    signature = session.signatures["serving_default"]
    feeds = {
        signature.inputs["text"].name: np.array(b"a", dtype=object),
        signature.inputs["number"].name: np.array(1, dtype=np.int64),
    }
    number, text = session.run(feeds, [signature.outputs[alias].name for alias in ("number", "text")])
    session.close()
    assert (number.dtype, number.shape, number.item()) == (np.int64, (), 2)
    assert (text.dtype, text.shape, text.item()) == (object, (), b"a\0")


def test_a_broken_graph_is_a_load_error(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"\xffgarbage")
    with pytest.raises(LoadError, match=f"cannot load {tmp_path} .*: export it again"):
        SavedModelSession(tmp_path)


def test_missing_variables_are_a_load_error(toy, tmp_path):
    (tmp_path / "saved_model.pb").write_bytes((toy / "saved_model.pb").read_bytes())
    (tmp_path / "variables").mkdir()
    with pytest.raises(LoadError, match=f"cannot load {tmp_path}"):
        SavedModelSession(tmp_path)


def test_a_session_config_is_read_from_text(tmp_path):
    file = tmp_path / "session.pbtxt"
    file.write_text("intra_op_parallelism_threads: 1  # one")
    assert read_session_config(file).intra_op_parallelism_threads == 1


@pytest.mark.parametrize("content", [None, b"no_such_field: 1", b"\xff\xfe"])
def test_an_unreadable_session_config_names_the_file(tmp_path, content):
    file = tmp_path / "session.pbtxt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SessionConfigError, match=f"cannot read the session config {file}"):
        read_session_config(file)
