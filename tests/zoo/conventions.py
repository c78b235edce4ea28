"""The reverse test: a model with real weights, and 20 wrong statements about its input. Each must be reported.

The model is efficientnet-lite0 behind a convolution of one pixel that takes another convention than its own, so that
nothing in the SavedModel tells which. Every statement is made under `strict`, where a warning is an error. Right
statements must pass under the same rule: else a refusal would show nothing.
"""

import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

_MEAN, _STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
_CAFFE = np.array([103.939, 116.779, 123.68])
_ONE = np.eye(3)
_BGR = _ONE[::-1]

#: What makes pixels in [0, 1], red, green, blue, of each convention's numbers: a matrix [in, out] and an offset [out].
CONVENTIONS: Mapping[str, tuple[Any, Any]] = {
    "unit": (_ONE, np.zeros(3)),
    "raw": (_ONE / 255, np.zeros(3)),
    "tf": (_ONE / 2, np.full(3, 0.5)),
    "caffe": (_BGR / 255, _CAFFE[::-1] / 255),
    "torch": (np.diag(_STD), _MEAN),
}


@dataclass(frozen=True)
class Claim:
    """Hold what a person says of a model that takes `takes`: options of export."""

    takes: str
    said: Mapping[str, Any]

    def __str__(self) -> str:
        words = ", ".join(f"{name} {_short(value)}" for name, value in self.said.items())
        return f"takes {self.takes}, said: {words}"


def _preset(takes: str, said: str) -> Claim:
    return Claim(takes, {"preprocessing": said})


WRONG = (
    _preset("unit", "raw"),
    _preset("unit", "tf"),
    _preset("unit", "caffe"),
    _preset("unit", "torch"),
    Claim("unit", {"preprocessing": "unit", "channels": "bgr"}),
    Claim("unit", {"preprocessing": "unit", "channels": "luminance"}),
    Claim("unit", {"pixel_range": (0.0, 2.0)}),
    Claim("unit", {"preprocessing": "raw", "input_dtype": "uint8"}),
    _preset("raw", "unit"),
    _preset("raw", "tf"),
    _preset("raw", "torch"),
    Claim("raw", {"preprocessing": "raw", "channels": "bgr"}),
    Claim("raw", {"pixel_range": (0.0, 65535.0)}),
    _preset("tf", "raw"),
    _preset("tf", "unit"),
    _preset("caffe", "unit"),
    Claim("caffe", {"pixel_range": (0.0, 255.0), "mean": tuple(_CAFFE[::-1]), "channels": "rgb"}),
    _preset("caffe", "torch"),
    _preset("torch", "raw"),
    Claim("torch", {"preprocessing": "torch", "channels": "bgr"}),
)
RIGHT = tuple(_preset(name, name) for name in CONVENTIONS)


def save(takes: str, folder: Path) -> Path:
    """Saves efficientnet-lite0 as a SavedModel that takes a convention, and gives its folder."""
    import tensorflow as tf

    from hubserve_export import _efficientnet

    class Behind(tf.Module):
        """The network behind a convolution of one pixel."""

        def __init__(self) -> None:
            super().__init__()
            matrix, offset = CONVENTIONS[takes]
            self.network = _efficientnet.EfficientNetLite0(_efficientnet.weights_path())
            self.kernel = tf.Variable(np.asarray(matrix)[None, None], dtype=tf.float32)
            self.offset = tf.Variable(offset, dtype=tf.float32)

        @tf.function(input_signature=[tf.TensorSpec([None, 224, 224, 3], tf.float32)], autograph=False)
        def __call__(self, images: Any) -> Any:
            return self.network(tf.nn.conv2d(images, self.kernel, 1, "VALID") + self.offset)

    behind = Behind()
    tf.saved_model.save(behind, str(folder), signatures=behind.__call__)
    return folder


def judge(claim: Claim, model: Path, output: Path) -> str:
    """Return what export says against a claim, or nothing.

    Args:
        claim: What is said.
        model: The SavedModel, which takes `claim.takes`.
        output: A folder that is not there.
    """
    from hubserve_export import ExportError, Options, export

    try:
        export(Options(str(model), output, batch_sizes=(1,), strict=True, **claim.said))
    except ExportError as error:
        return str(error)
    return ""


def main() -> int:
    """Prints what export says to every claim: 1 where a wrong one passes or a right one does not, 0 otherwise."""
    print("| model and statement | export |\n|---|---|", flush=True)
    answers = []
    with tempfile.TemporaryDirectory(prefix="zoo-") as work:
        models = {takes: save(takes, Path(work, takes)) for takes in CONVENTIONS}
        for number, claim in enumerate((*WRONG, *RIGHT)):
            answers.append(judge(claim, models[claim.takes], Path(work, str(number))))
            print(f"| {claim} | {_cell(answers[-1]) or 'published without a word'} |", flush=True)
    stopped = sum(map(bool, answers[: len(WRONG)]))
    passed = sum(not answer for answer in answers[len(WRONG) :])
    print(f"\nwrong conventions refused or warned of: {stopped} of {len(WRONG)}")
    print(f"right conventions published without a word: {passed} of {len(RIGHT)}")
    return 0 if (stopped, passed) == (len(WRONG), len(RIGHT)) else 1


def _short(value: Any) -> str:
    return "-".join(f"{number:g}" for number in value) if isinstance(value, tuple) else str(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    sys.exit(main())
