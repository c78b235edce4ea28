import numpy as np
import pytest
import tensorflow as tf

from hubserve_serve import EmbeddedServer
from serve.calls import calling

v1 = tf.compat.v1


@pytest.fixture(params=[True, False], ids=["resource variable", "reference variable"])
def tf1_model(request, tmp_path):
    """A graph of TF1: no functions, an old loop, colocation, control dependencies."""
    graph = tf.Graph()
    v1.disable_control_flow_v2()
    with graph.as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 2])
        factor = v1.get_variable("factor", initializer=[3.0, 4.0], use_resource=request.param)
        with graph.colocate_with(factor.op):
            product = x * factor
        with tf.control_dependencies([v1.assert_less(tf.reduce_max(x), 100.0)]):
            product = tf.identity(product)
        thrice = tf.while_loop(
            lambda turn, _: turn < 3, lambda turn, total: (turn + 1, total + product), [0, tf.zeros_like(product)]
        )[1]
        rows = tf.fill([tf.shape(x)[0]], tf.shape(x)[0])
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, str(tmp_path / "toy" / "1"), {"x": x}, {"thrice": thrice, "rows": rows})
    v1.enable_control_flow_v2()
    return tmp_path / "toy"


def test_a_tf1_graph_is_batched_as_it_is(tf1_model):
    (tf1_model / "1" / "batching_params.pbtxt").write_text("max_batch_size { value: 4 } allowed_batch_sizes: 4")
    with EmbeddedServer(tf1_model) as server, calling(server.target) as caller:
        answer = caller.predict(x=np.float32([[1, 1], [2, 3]]))
    assert answer["thrice"].tolist() == [[9, 12], [18, 36]]
    assert answer["rows"].tolist() == [4, 4]
