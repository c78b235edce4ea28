"""Silence TensorFlow's own log on the terminal."""

from __future__ import annotations

import os


def quieten_tensorflow() -> None:
    """Import TensorFlow and silence its log; its errors still arrive as exceptions.

    If TF_CPP_MIN_LOG_LEVEL is set, the user asked for the log, and everything is shown.
    """
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    # TensorFlow 2.21 logs during its import, at any level, and the first session of a process logs that a graph pass is
    # not in use.
    terminal, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        import tensorflow as tf

        tf.get_logger().setLevel("ERROR")
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            session.run(tf.constant(0))
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)
        os.close(nothing)
