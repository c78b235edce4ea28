"""Whatever a classifier's numbers are, the four outputs hold its own scores."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner, Result
from PIL import Image

from hubserve_export import ModelError, Options, Published, StrictError, _labels, export
from hubserve_export.command import export as command
from support.session import LoadedVersion

SIZE = 4
COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
PICTURES: dict[str, bytes] = {}
for _name, _colour in COLOURS.items():
    _file = io.BytesIO()
    Image.new("RGB", (SIZE, SIZE), _colour).save(_file, "PNG")
    PICTURES[_name] = _file.getvalue()
# What the mean colour of each image is: the identity.
PIXELS = np.eye(3, dtype=np.float32)

Layer = Callable[[tf.Tensor], tf.Tensor]


def logits(colours: tf.Tensor) -> tf.Tensor:
    return 4 * colours - 1


def average_of_softmaxes(colours: tf.Tensor) -> tf.Tensor:
    return (tf.nn.softmax(logits(colours)) + tf.nn.softmax(2 * logits(colours))) / 2


def sigmoids(colours: tf.Tensor) -> tf.Tensor:
    return tf.sigmoid(logits(colours))


def one_sigmoid(colours: tf.Tensor) -> tf.Tensor:
    return tf.sigmoid(logits(colours)[:, :1])


def saved(folder: Path, layer: Layer, names: tuple[str, ...] = tuple(COLOURS)) -> dict[str, Any]:
    """Save the layer over mean colours as a model, and say what an export of it is given."""
    function = tf.function(
        lambda images: {"numbers": layer(tf.reduce_mean(images, [1, 2]))},
        input_signature=[tf.TensorSpec([None, SIZE, SIZE, 3])],
    )
    tf.saved_model.save(tf.Module(), str(folder / "model"), {"serving_default": function})
    (folder / "labels.txt").write_text("".join(f"{name}\n" for name in names))
    (folder / "pictures").mkdir()
    for name, data in PICTURES.items():
        (folder / "pictures" / f"{name}.png").write_bytes(data)
    return {
        "model": str(folder / "model"),
        "output": folder / "base",
        "labels": folder / "labels.txt",
        "preprocessing": "unit",
        "batch_sizes": (1, 4),
        "warmup_images": folder / "pictures",
    }


def served(published: Published) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Scores and logits of the three images in the order of the labels, and what the manifest says of the model."""
    version = LoadedVersion(published.folder)
    answer = version.run("serving_default", image_bytes=list(PICTURES.values()))
    assert answer["status"].tolist() == [0, 0, 0]
    scores = np.take_along_axis(answer["scores"], answer["class_ids"].argsort(axis=1), axis=1)
    numbers = version.run("logits", image_bytes=list(PICTURES.values()))["logits"]
    manifest = json.loads((published.folder / "assets.extra" / "export.json").read_text())
    return scores, numbers, manifest["model"]


def test_an_average_of_softmaxes_is_not_softmaxed_again(tmp_path: Path) -> None:
    scores, _, model = served(export(Options(**saved(tmp_path, average_of_softmaxes))))
    assert scores == pytest.approx(average_of_softmaxes(PIXELS).numpy(), abs=1e-6)
    assert (model["head"], model["activation"], model["source_gives"]) == ("exclusive", "softmax", "probabilities")


@pytest.mark.slow
def test_one_unit_is_two_classes(tmp_path: Path) -> None:
    scores, numbers, model = served(export(Options(**saved(tmp_path, one_sigmoid, ("other", "red")))))
    p = one_sigmoid(PIXELS).numpy()
    assert scores == pytest.approx(np.concatenate([1 - p, p], 1), abs=1e-6)
    assert tf.nn.softmax(numbers).numpy() == pytest.approx(scores, abs=1e-6)
    assert (model["head"], model["classes"], model["source_gives"]) == ("binary", 2, "probabilities")


def test_independent_labels_keep_their_own_scores(tmp_path: Path) -> None:
    scores, numbers, model = served(export(Options(**saved(tmp_path, sigmoids), threshold=0.6)))
    assert scores == pytest.approx(sigmoids(PIXELS).numpy(), abs=1e-6)
    assert numbers == pytest.approx(logits(PIXELS), abs=1e-4)
    assert (model["head"], model["activation"], model["threshold"]) == ("independent", "sigmoid", 0.6)


@pytest.mark.slow
def test_with_the_activation_none_the_numbers_are_answered(tmp_path: Path) -> None:
    scores, numbers, model = served(export(Options(**saved(tmp_path, logits), activation="none")))
    assert scores == pytest.approx(logits(PIXELS), abs=1e-6)
    assert numbers == pytest.approx(logits(PIXELS), abs=1e-6)
    assert (model["activation"], model["source_gives"]) == ("none", "scores")


@pytest.mark.slow
def test_a_version_without_warm_up_is_proven_on_the_same_batches(tmp_path: Path) -> None:
    published = export(Options(**saved(tmp_path, logits), activation="none", warmup="none"))
    assert published.parity.warmup_records == 0
    assert published.parity.images == len(PICTURES)
    assert not (published.folder / "assets.extra" / "tf_serving_warmup_requests").exists()


def test_one_unit_without_two_names_says_how_to_name_them(tmp_path: Path) -> None:
    options = saved(tmp_path, one_sigmoid) | {"labels": None}
    with pytest.raises(ModelError, match="name the two with `labels`, a file of two lines"):
        export(Options(**options))
    assert not options["output"].exists()


def test_strict_publishes_nothing_where_there_is_a_warning(tmp_path: Path) -> None:
    options = saved(tmp_path, lambda colours: logits(colours) * 1e-3)
    with pytest.raises(StrictError, match="near-chance scores on every photograph"):
        export(Options(**options, strict=True))
    assert not options["output"].exists()


def run(options: dict[str, Any], *more: object) -> Result:
    given = [options["model"], *more, "--batch-sizes", "1,4", "--preprocessing", "unit"]
    for name in ("output", "labels", "warmup_images"):
        given += [f"--{name.replace('_', '-')}", options[name]]
    return CliRunner().invoke(command, [str(argument) for argument in given])


def examples(folder: Path, **colours: tuple[str, ...]) -> Path:
    for label, pictures in colours.items():
        (folder / label).mkdir(parents=True)
        for number, picture in enumerate(pictures):
            (folder / label / f"{number}.png").write_bytes(PICTURES[picture])
    return folder


@pytest.mark.slow
def test_a_warning_is_a_line_and_stays_with_the_version(tmp_path: Path) -> None:
    result = run(saved(tmp_path, lambda colours: tf.concat([colours[:, :1] * 0 + 3.5, colours[:, :2]], 1)), "--json")
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("Warning: ")]
    assert "all 3 photographs are in one class, 'red'" in line
    assert "(--preprocessing)" in line
    document = json.loads(result.stdout)
    assert [f"Warning: {text}" for text in document["warnings"]] == [line]
    manifest = json.loads((Path(document["folder"]) / "assets.extra" / "export.json").read_text())
    assert len(manifest["warnings"]) == 1


def test_examples_are_measured_on_the_published_model_and_kept(tmp_path: Path) -> None:
    options = saved(tmp_path, logits)
    folder = examples(tmp_path / "examples", red=("red", "red", "blue"), Blue=("blue",))
    result = run(options, "--examples", folder, "--min-accuracy", 0.7)
    assert result.exit_code == 0, result.output
    assert "Examples: 3 of 4 examples right (75.0%), of 2 classes; most often wrong: red taken for blue (1)" in (
        result.stdout
    )
    manifest = json.loads((options["output"] / "1" / "assets.extra" / "export.json").read_text())
    assert (manifest["examples"]["right"], manifest["examples"]["images"], manifest["min_accuracy"]) == (3, 4, 0.7)
    assert manifest["examples"]["confusions"] == [{"label": "red", "answered": "blue", "images": 1}]


@pytest.mark.slow
def test_too_few_right_examples_publish_nothing(tmp_path: Path) -> None:
    options = saved(tmp_path, logits)
    folder = examples(tmp_path / "examples", red=("red", "red", "blue"), blue=("blue",))
    result = run(options, "--examples", folder, "--min-accuracy", 0.8)
    assert result.exit_code == 1
    assert "3 of 4 examples right (75.0%)" in result.stderr
    assert "less than --min-accuracy 0.8, so nothing was published" in result.stderr
    assert not options["output"].exists()


def test_the_number_of_names_is_known_before_the_head(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("a\nb\n")
    assert _labels.given(tmp_path / "labels.txt") == 2
    assert _labels.given(None) is None
