"""docs/fine-tuning.md, followed exactly with miniature models and a few photographs."""

import hashlib
import importlib.util
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_hub as hub

from hubserve import Classification, Client
from models.pnasnet import Pnasnet, PnasnetConfig
from support import guide, photographs
from support.session import LoadedVersion

# Keras 3 asks NumPy 2 for arrays of TensorFlow 2.20's variables, which do not know NumPy 2's copy=False.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
]

PAGE = guide.ROOT / "docs" / "fine-tuning.md"
FEATURES = "https://tfhub.dev/google/imagenet/pnasnet_large/feature_vector/4"
MINIATURE = PnasnetConfig(image_size=331, cells_per_group=1, filters=8, stem_filters=8, classes=None)
# In the order of the alphabet, as the guide numbers them.
CLASSES = {
    "café crème": photographs.COFFEE,
    "daisy": photographs.path("sklearn", "datasets/images/flower.jpg"),
    "rocket": photographs.path("skimage", "data/rocket.jpg"),
}
PHOTOGRAPHS_PER_CLASS = 20
UPRIGHT, LYING_ON_ITS_SIDE = 1, 6


@pytest.fixture(scope="module")
def network() -> Pnasnet:
    return Pnasnet(MINIATURE)


@pytest.fixture(scope="module")
def folder(network: Pnasnet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reader's folder: the photographs are in it, and the guide's downloads are in the libraries' caches."""
    folder = tmp_path_factory.mktemp("guide")
    write_photographs(folder / "flowers")
    network.save(folder / "hub" / hashlib.sha1(FEATURES.encode()).hexdigest())  # noqa: S324 - tensorflow_hub's choice
    write_mobilenet(folder / "keras" / "models")
    return folder


@pytest.fixture(scope="module")
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture(scope="module")
def reader(folder: Path, port: int) -> Iterator[guide.Reader]:
    caches = {"TFHUB_CACHE_DIR": str(folder / "hub"), "KERAS_HOME": str(folder / "keras")}
    with guide.Reader(folder, {"8500": str(port)}, caches) as reader:
        reader.follow(guide.blocks(PAGE))
        yield reader


@pytest.fixture(scope="module")
def loader(folder: Path, reader: guide.Reader) -> ModuleType:
    """The guide's own photographs.py."""
    spec = importlib.util.spec_from_file_location("photographs", folder / "photographs.py")
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def trained(folder: Path, reader: guide.Reader) -> Any:
    """The model that route one saved, as the hub's library loads it."""
    return hub.load(str(folder / "flowers-model"))


@pytest.fixture(scope="module")
def paths(folder: Path) -> list[Path]:
    return sorted((folder / "flowers").glob("*/*.jpg"))


@pytest.fixture(scope="module")
def served(reader: guide.Reader, port: int, paths: list[Path]) -> list[Classification]:
    """The answers of the guide's server for all photographs."""
    with Client(f"localhost:{port}", model="flowers") as client:
        return list(client.classify(paths))


def pixels(loader: ModuleType, paths: list[Path], size: int) -> np.ndarray:
    """The data that the guide trains on."""
    files = tf.data.Dataset.from_tensor_slices([str(path) for path in paths])
    return np.stack(list(files.map(lambda file: loader.pixels(file, size)).as_numpy_iterator()))


def write_photographs(flowers: Path) -> None:
    """Pieces of one photograph for each class; every fourth lies on its side, with the EXIF orientation for it."""
    rng = np.random.default_rng(0)
    for name, file in CLASSES.items():
        (flowers / name).mkdir(parents=True)
        whole = photographs.image(file)
        for number in range(PHOTOGRAPHS_PER_CLASS):
            width, height = (round(side * rng.uniform(0.6, 0.9)) for side in whole.size)
            left, top = rng.integers([whole.width - width, whole.height - height]).tolist()
            piece = whole.crop((left, top, left + width, top + height))
            exif = photographs.Image.Exif()
            exif[0x0112] = UPRIGHT
            if number % 4 == 0:
                piece, exif[0x0112] = piece.transpose(photographs.Image.Transpose.ROTATE_90), LYING_ON_ITS_SIDE
            piece.save(flowers / name / f"{number}.jpg", quality=90, exif=exif)


def write_mobilenet(cache: Path) -> None:
    """Random weights in place of MobileNet's; the stored averages are the photographs', as trained ones would be."""
    size = 160
    network = keras.applications.MobileNet(include_top=False, pooling="avg", input_shape=(size, size, 3), weights=None)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    batch = [photographs.image(file).resize((size, size)) for file in CLASSES.values()]
    network(np.stack(batch).astype(np.float32) / 127.5 - 1, training=True)
    cache.mkdir(parents=True)
    network.save(cache / f"mobilenet_1_0_{size}_tf_no_top.h5")


def test_the_server_counts_as_many_right_as_the_training_did(reader: guide.Reader, paths: list[Path]) -> None:
    counted = reader.said("python train.py").splitlines()[-1]
    assert counted.endswith(f" of {len(paths) // 5} held-out photographs right")
    assert reader.said("python classify.py").splitlines()[-1] == counted


def test_served_answers_are_the_trained_models_own(
    served: list[Classification], trained: Any, loader: ModuleType, paths: list[Path]
) -> None:
    own = tf.nn.softmax(trained(pixels(loader, paths, 331), training=False)).numpy()
    assert [result.label for result in served] == [list(CLASSES)[best] for best in own.argmax(axis=1)]
    assert [result.score for result in served] == pytest.approx(own.max(axis=1).tolist(), abs=1e-3)


def test_classes_were_learned_and_bear_the_users_names(served: list[Classification], paths: list[Path]) -> None:
    right = sum(result.label == path.parent.name for result, path in zip(served, paths, strict=True))
    assert right >= 0.9 * len(paths)
    assert {result.label for result in served} == set(CLASSES)


def test_the_shell_and_python_get_the_same_answers(reader: guide.Reader) -> None:
    lines = [json.loads(line) for line in reader.said("hubserve classify").splitlines()]
    shell = [f"{line['classes'][0]['score']:.3f}  {line['classes'][0]['label']:20}  {line['source']}" for line in lines]
    assert shell == reader.said("python classify.py").splitlines()[:-1]


def test_inspect_shows_the_users_labels_and_model(reader: guide.Reader) -> None:
    shown = reader.said("hubserve inspect")
    assert all(word in shown for word in (*CLASSES, "flowers-model", "331 x 331"))


def test_fine_tuning_trains_every_weight_and_moves_every_average_of_the_hub_layer(
    network: Pnasnet, trained: Any
) -> None:
    for trainable, head in ((True, 2), (False, 0)):
        before, after = (
            [variable.numpy() for variable in model.variables if variable.trainable is trainable]
            for model in (network, trained)
        )
        assert [old.shape for old in before] == [new.shape for new in after[: len(after) - head]]
        assert not any(np.array_equal(old, new) for old, new in zip(before, after, strict=False))


def test_the_exported_keras_3_model_answers_as_it_did(
    folder: Path, reader: guide.Reader, loader: ModuleType, paths: list[Path]
) -> None:
    version = LoadedVersion(folder / "models" / "flowers-keras" / "1")
    answer = version.run("serving_default", image_bytes=[path.read_bytes() for path in paths])
    model = keras.models.load_model(folder / "flowers.keras", compile=False)
    own = model.predict(255 * pixels(loader, paths, 160), verbose=0)
    assert answer["class_ids"][:, 0].tolist() == own.argmax(axis=1).tolist()
    assert answer["scores"][:, 0].tolist() == pytest.approx(own.max(axis=1).tolist(), abs=1e-3)
    assert [label.decode() for label in answer["labels"][:, 0]] == [list(CLASSES)[best] for best in own.argmax(axis=1)]


def test_links_lead_somewhere() -> None:
    links = guide.links(PAGE)
    assert links
    assert [link for link in links if not link.exists()] == []
