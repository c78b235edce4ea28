"""A small real model, whose signatures show what the server does with requests."""

import shutil
from pathlib import Path

import tensorflow as tf

STRINGS = tf.TensorSpec([None], tf.string)
PAIRS = tf.TensorSpec([None, 2], tf.float32)


class Toy(tf.Module):
    """Classify images by their length; this works only if the variable and the table were restored."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = tf.Variable([0.5, 0.25])
        self.runs = tf.Variable(0)
        self.names = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(tf.constant([0, 1]), tf.constant(["cat", "dog"])), "none"
        )

    @tf.function(input_signature=[STRINGS])
    def serving_default(self, image_bytes):
        size = tf.strings.length(image_bytes)
        bad = tf.equal(size, 0)
        ids = tf.where(bad[:, None], -1, tf.stack([size % 2, 1 - size % 2], axis=1))
        return {
            "status": tf.cast(bad, tf.int32),
            "class_ids": ids,
            "labels": tf.where(bad[:, None], "", self.names.lookup(ids)),
            "scores": tf.where(bad[:, None], 0.0, tf.ones_like(ids, tf.float32) * self.weights),
        }

    @tf.function(input_signature=[STRINGS])
    def echo(self, image_bytes):
        """Return the input, with the number of the run and its rows."""
        run, rows = self.runs.assign_add(1), tf.size(image_bytes)
        return {"echo": tf.identity(image_bytes), "run": tf.fill([rows], run), "rows": tf.fill([rows], rows)}

    @tf.function(input_signature=[PAIRS, PAIRS])
    def subtract(self, a, b):
        return {"difference": a - b}

    @tf.function(input_signature=[STRINGS])
    def classify(self, inputs):
        image = tf.io.parse_example(inputs, {"image/encoded": tf.io.FixedLenFeature([], tf.string)})["image/encoded"]
        answer = self.serving_default(image)
        return {"classes": answer["labels"], "scores": answer["scores"]}

    @tf.function(input_signature=[STRINGS])
    def gated(self, folder):
        """Write the file `started` into the first folder, and answer when the file `go` is there."""
        with tf.control_dependencies([tf.io.write_file(folder[0] + "/started", "")]):
            spins = tf.while_loop(
                lambda _: tf.equal(tf.size(tf.io.matching_files(folder[0] + "/go")), 0),
                lambda spins: [spins + 1],
                [tf.constant(0)],
            )[0]
        return {"rows": tf.fill([tf.size(folder)], tf.size(folder)) + 0 * spins}

    @tf.function(input_signature=[STRINGS])
    def failing(self, image_bytes):
        with tf.control_dependencies([tf.debugging.Assert(tf.size(image_bytes) < 0, ["no such image"])]):
            return {"echo": tf.identity(image_bytes)}


def save_toy(folder: Path) -> Path:
    toy = Toy()
    names = ("serving_default", "echo", "subtract", "classify", "gated", "failing")
    tf.saved_model.save(toy, str(folder), signatures={name: getattr(toy, name) for name in names})
    return folder


def model_dir(toy: Path, base: Path, *versions: int, batching: str | None = None) -> Path:
    """Make a model directory with the toy as each of its versions."""
    for version in versions or (1,):
        shutil.copytree(toy, base / str(version))
        if batching is not None:
            (base / str(version) / "batching_params.pbtxt").write_text(batching)
    return base
