"""The preprocessing of a model is found in its files or by trial; contradictions are reported or refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from hubserve_export import PRESETS, Options, Preprocessing, PreprocessingError, _finding, _labels, _trial
from hubserve_export._efficientnet import EfficientNetLite0, weights_path
from hubserve_export._finding import Found
from hubserve_export._image_model import load
from hubserve_export._sidecars import Sidecar
from hubserve_export._sources import Source
from hubserve_export._trial import Photographs
from support.export_options import wanted

SIDE = 224
IMAGENET = _labels.for_model(None, 1000).names
CONVENTIONS = {**PRESETS, "unit in BGR": {**PRESETS["unit"], "channels": "bgr"}}


class Trained(tf.Module):
    """efficientnet-lite0 with its own weights, taking another convention; its first operation is a convolution."""

    def __init__(self, *, converts: bool, classes: int | None) -> None:
        super().__init__()
        self.inner = EfficientNetLite0(weights_path())
        self.kernel = tf.Variable(tf.zeros([1, 1, 3, 3]))
        self.bias = tf.Variable(tf.zeros([3]))
        self.converts = converts
        self.classes = classes

    def take(self, convention: str) -> None:
        """Set the variables for a convention; the trace stays."""
        fields = CONVENTIONS[convention]
        scale = np.broadcast_to(255 * np.array(fields["scale"], np.float32), 3)
        offset = np.broadcast_to(np.array(fields["offset"], np.float32), 3)
        # What undoes the convention, as a convolution with kernels of one pixel.
        turn = np.eye(3, dtype=np.float32)[:: -1 if fields["channels"] == "bgr" else 1]
        self.kernel.assign((turn / scale[:, None])[None, None])
        self.bias.assign(-(offset / scale) @ turn)

    @tf.function(input_signature=[tf.TensorSpec([None, SIDE, SIDE, 3], tf.float32)])
    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        if self.converts:
            images = tf.nn.bias_add(tf.nn.conv2d(images, self.kernel, 1, "SAME"), self.bias)
        logits = self.inner(images)
        return logits if self.classes is None else logits[:, : self.classes]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Source]:
    made: dict[tuple, Source] = {}
    # The trace of a network costs more than all else, so conventions share it.
    networks: dict[tuple, Trained] = {}

    def source(convention: str | None, classes: int | None = None) -> Source:
        key = (convention, classes)
        if key not in made:
            kind = (convention is not None, classes)
            if kind not in networks:
                networks[kind] = Trained(converts=kind[0], classes=classes)
            network = networks[kind]
            if convention is not None:
                network.take(convention)
            folder = tmp_path_factory.mktemp("trained")
            tf.saved_model.save(network, str(folder))
            made[key] = Source(str(folder), "directory", folder)
        return made[key]

    return source


def find(source: Source, sidecar: Sidecar | None = None, labels=IMAGENET, **said) -> tuple[Found, list[str]]:
    warnings: list[str] = []
    model = load(source, wanted(kind="classification"))
    photographs = _trial.known_photographs(labels)
    if photographs is None:
        shipped = _trial.known_photographs(IMAGENET)
        assert shipped is not None
        photographs = Photographs(shipped.images, None, "photographs")
    fields = Options("model", Path("out"), **said).said_preprocessing()
    return _finding.find(source, model, fields, sidecar, photographs, warnings.append), warnings


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_a_trained_model_that_tells_nothing_is_tried_on_known_photographs(
    trained: Callable[..., Source], convention: str
) -> None:
    found, warnings = find(trained(convention))
    assert _trial.name_of(found.preprocessing) == convention
    assert found.evidence[0].startswith(f"trial: with {convention}: 7 of 7 known photographs right, mean score 0.6")
    assert warnings == []


@pytest.mark.parametrize("chosen", ["torch", "caffe"])
def test_a_convention_that_cannot_be_better_is_given_up_early(trained: Callable[..., Source], chosen: str) -> None:
    model = load(trained("torch"), wanted(kind="classification"))
    photographs = _trial.known_photographs(IMAGENET)
    assert photographs is not None
    others = [Preprocessing(SIDE, SIDE, **fields) for name, fields in CONVENTIONS.items() if name != chosen]
    (first,) = _trial.run(model, [Preprocessing(SIDE, SIDE, **CONVENTIONS[chosen])], photographs)
    assert first.evidence is not None
    whole = _trial.run(model, others, photographs)
    short = _trial.run(model, others, photographs, first.evidence)
    for one, other in zip(whole, short, strict=True):
        assert one.evidence is not None
        assert other.evidence is not None
        if one.evidence > first.evidence:
            assert (other.images, other.right) == (one.images, one.right)
            assert other.evidence == pytest.approx(one.evidence, abs=1e-5)
        else:
            assert other.evidence <= first.evidence
    if chosen == "torch":
        assert sum(one.images for one in short) < 0.75 * sum(one.images for one in whole) == 0.75 * 7 * len(others)


def test_a_convention_is_not_given_up_if_its_first_logits_look_like_probabilities() -> None:
    shipped = _trial.known_photographs(IMAGENET)
    assert shipped is not None
    photographs = Photographs(shipped.images, [frozenset({0})] * len(shipped.images), "photographs")
    seen = 0

    class Late:
        """A model whose logits are between 0 and 1 for the first two photographs."""

        def on_pictures(self, _: Preprocessing) -> Callable[[tf.Tensor], tf.Tensor]:
            def call(pictures: tf.Tensor) -> tf.Tensor:
                nonlocal seen
                rows = [[0.0, 0.2, 0.1] if seen + place < 2 else [9.0, 0.0, 0.0] for place in range(len(pictures))]
                seen += len(pictures)
                return tf.constant(rows)

            return call

    (outcome,) = _trial.run(Late(), [Preprocessing(32, 32)], photographs, beat=-0.5)  # type: ignore[list-item]
    assert outcome.images == len(photographs.images)
    assert outcome.evidence is not None
    assert outcome.evidence > -0.5


@pytest.mark.parametrize("said", ["unit", "tf", "caffe", "torch", "raw"])
def test_a_wrong_word_is_warned_of_with_a_table(trained: Callable[..., Source], said: str) -> None:
    truth = "unit in BGR"
    found, (warning,) = find(trained(truth), preprocessing=said)
    assert (_trial.name_of(found.preprocessing), found.evidence[0]) == (said, "said")
    assert f"{said} (said) is not what" in warning
    assert "with unit in BGR: 7 of 7 known photographs right" in warning


def test_a_convention_that_loses_stops_the_export(trained: Callable[..., Source]) -> None:
    source = trained("raw")
    module = Source("https://tfhub.dev/somebody/imagenet/classification/1", "hub", source.path)
    with pytest.raises(PreprocessingError) as caught:
        find(module)
    text = str(caught.value)
    assert "unit (the hub's convention) is not what" in text
    assert "with raw: 7 of 7 known photographs right, mean score 0.6" in text
    assert "with unit: 0 of 7 known photographs right, mean score 0.0" in text
    assert "`preprocessing`" in text


def test_the_models_own_operations_and_the_hubs_pages_are_evidence(trained: Callable[..., Source]) -> None:
    found, warnings = find(trained(None))
    assert found.evidence[0] == "its first operations bring unit pixels to -1 to 1"
    assert warnings == []
    page = Source("https://tfhub.dev/sayakpaul/vit_b16_classification/1", "hub", trained("tf").path)
    found, warnings = find(page)
    assert (_trial.name_of(found.preprocessing), found.evidence[0]) == ("tf", "its page on the hub")
    assert warnings == []


def test_what_a_file_says_and_what_the_model_does_must_agree(trained: Callable[..., Source]) -> None:
    file = Sidecar({**PRESETS["torch"], "resize": "crop", "crop_fraction": 0.875}, None, "preprocessor_config.json")
    with pytest.raises(
        PreprocessingError, match=r"preprocessor_config.json says that .* takes torch, but it takes unit, because"
    ):
        find(trained(None), file)
    found, warnings = find(trained("torch"), file)
    assert found.preprocessing.resize == "crop"
    assert found.evidence[0] == "preprocessor_config.json"
    assert warnings == []


def test_other_classes_that_nothing_tells_of_stop_and_say_how(trained: Callable[..., Source]) -> None:
    names = [f"class {number}" for number in range(10)]
    with pytest.raises(PreprocessingError) as caught:
        find(trained("raw", 10), labels=names)
    text = str(caught.value)
    assert "there are no photographs of its classes" in text
    assert "with raw: mean best score" in text
    assert "give it with `preprocessing`" in text
    assert "`examples`" in text
    found, warnings = find(trained("raw", 10), labels=names, pixel_range=(0, 255))
    assert found.evidence == ("said",)
    assert warnings == []


def test_examples_decide_and_contradict(trained: Callable[..., Source]) -> None:
    shipped = _trial.known_photographs(IMAGENET)
    assert shipped is not None
    model = load(trained("caffe"), wanted(kind="classification"))
    examples = Photographs(shipped.images, shipped.classes, "examples")
    found = _finding.find(trained("caffe"), model, {}, None, examples, pytest.fail)
    assert _trial.name_of(found.preprocessing) == "caffe"
    assert "7 of 7 examples right" in found.evidence[0]


def test_an_untrained_model_is_warned_of(tmp_path: Path) -> None:
    class Untrained(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.matrix = tf.Variable(np.random.default_rng(0).normal(size=(3, 1000)).astype(np.float32))

        @tf.function(input_signature=[tf.TensorSpec([None, 32, 32, 3], tf.float32)])
        def __call__(self, images: tf.Tensor) -> tf.Tensor:
            return tf.reduce_mean(images / 255, [1, 2]) @ self.matrix

    tf.saved_model.save(Untrained(), str(tmp_path))
    found, (warning,) = find(Source(str(tmp_path), "directory", tmp_path))
    assert _trial.name_of(found.preprocessing) == "raw"
    assert "recognises none of the known photographs with any convention" in warning


def test_a_resize_inside_of_the_model_gives_size_and_filter(tmp_path: Path) -> None:
    class Resizing(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.matrix = tf.Variable(np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32))

        @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32)])
        def __call__(self, images: tf.Tensor) -> tf.Tensor:
            return tf.reduce_max(tf.image.resize(images, (12, 10)) / 255, [1, 2]) @ self.matrix

    tf.saved_model.save(Resizing(), str(tmp_path))
    source = Source("resizing", "directory", tmp_path)
    model = load(source, wanted(kind="classification"))
    found = _finding.find(source, model, {}, None, None, pytest.fail)
    expected = Preprocessing(12, 10, interpolation="bilinear", antialias=False, **PRESETS["raw"])
    assert found.preprocessing == expected
    assert load(source, wanted(kind="classification", image_size=9)).resize is None


def test_features_and_types(tmp_path: Path) -> None:
    class Features(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.uint8)])
        def __call__(self, images: tf.Tensor) -> tf.Tensor:
            return tf.reduce_mean(tf.cast(images, tf.float32), [1, 2])

        @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32)])
        def of_floats(self, images: tf.Tensor) -> tf.Tensor:
            return tf.reduce_mean(tf.nn.relu(images), [1, 2])

    module = Features()
    tf.saved_model.save(module, str(tmp_path / "bits"), signatures=module.__call__)
    tf.saved_model.save(module, str(tmp_path / "floats"), signatures={"floats": module.of_floats})
    bits, floats = (Source(name, "directory", tmp_path / name) for name in ("bits", "floats"))
    model = load(bits, wanted())
    found = _finding.find(bits, model, {}, None, None, pytest.fail)
    assert found == Found(Preprocessing(8, 8, **PRESETS["raw"], dtype="uint8"), ("its input is uint8",))
    with pytest.raises(PreprocessingError, match="`dtype` is float32, and the input of bits is uint8"):
        _finding.find(bits, model, {"dtype": "float32"}, None, None, pytest.fail)
    with pytest.raises(PreprocessingError, match="`channels` is luminance, and bits takes three channels"):
        _finding.find(bits, model, {"channels": "luminance"}, None, None, pytest.fail)
    features = load(floats, wanted(kind="feature_vector", signature="floats"))
    with pytest.raises(PreprocessingError, match="it is not known which numbers floats takes for pixels; give it with"):
        _finding.find(floats, features, {}, None, None, pytest.fail)


def test_a_preset_is_printed_for_one_channel_too(tmp_path: Path) -> None:
    class Digits(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 1], tf.float32)])
        def __call__(self, images: tf.Tensor) -> tf.Tensor:
            return tf.reshape(tf.nn.relu(images), [-1, 64])

    module = Digits()
    tf.saved_model.save(module, str(tmp_path), signatures=module.__call__)
    digits = Source("digits", "directory", tmp_path)
    model = load(digits, wanted(kind="feature_vector"))

    def said(**options: object) -> Found:
        return _finding.find(
            digits, model, Options("model", tmp_path, **options).said_preprocessing(), None, None, pytest.fail
        )

    for name in ("unit", "tf", "raw"):
        assert said(preprocessing=name).preprocessing == Preprocessing(
            8, 8, **{**PRESETS[name], "channels": "luminance"}
        )
    for wrong in ({"preprocessing": "caffe"}, {"preprocessing": "torch"}, {"channels": "rgb"}):
        with pytest.raises(PreprocessingError, match=r"`channels` is (rgb|bgr), and digits takes one channel"):
            said(**wrong)
