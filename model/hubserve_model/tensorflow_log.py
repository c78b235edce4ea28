"""Keep TensorFlow's own log off the terminal of a person who asked for something else."""

from __future__ import annotations

import os


def quieten_tensorflow() -> None:
    """Import TensorFlow, and silence what it says unasked; its errors reach us as exceptions.

    If TF_CPP_MIN_LOG_LEVEL is set, its user asked for the log, and everything is shown.
    """
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")
    # The first session of a process writes, whatever the level, that a graph pass is not in use.
    terminal, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            session.run(tf.constant(0))
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)
        os.close(nothing)
