"""The four signatures of an exported model: their names, shapes and answers."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from hubserve_export._efficientnet import EfficientNetLite0, weights_path
from support.decoding import decode
from support.photographs import CAMERA, CHELSEA, COFFEE, encoded, image
from support.session import LoadedVersion

PHOTOGRAPHS = [CHELSEA.read_bytes(), COFFEE.read_bytes(), CAMERA.read_bytes()]
BAD = b"not an image"


def shapes(loaded: LoadedVersion, signature: str) -> dict[str, list[int]]:
    definition = loaded.signatures[signature]
    tensors = {**definition.inputs, **definition.outputs}
    return {name: [dim.size for dim in info.tensor_shape.dim] for name, info in tensors.items()}


def test_every_input_and_output_is_batch_first(lite0: LoadedVersion) -> None:
    best = {"class_ids": [-1, 5], "labels": [-1, 5], "scores": [-1, 5]}
    assert shapes(lite0, "serving_default") == {"image_bytes": [-1], "status": [-1], **best}
    assert shapes(lite0, "logits") == {"image_bytes": [-1], "status": [-1], "logits": [-1, 1000]}
    assert shapes(lite0, "images") == {"images": [-1, 224, 224, 3], "logits": [-1, 1000], **best}
    assert shapes(lite0, "classify") == {"inputs": [-1], "classes": [-1, 5], "scores": [-1, 5]}


def test_photographs_get_the_labels_that_anyone_can_see(lite0: LoadedVersion) -> None:
    answer = lite0.run("serving_default", image_bytes=PHOTOGRAPHS)
    assert answer["labels"][:, 0].tolist() == [b"Egyptian cat", b"espresso", b"tripod"]
    assert answer["status"].tolist() == [0, 0, 0]
    assert (answer["scores"][:, 0] > 0.7).all()
    assert (np.diff(answer["scores"], axis=1) <= 0).all()


def test_logits_are_the_source_models_own(lite0: LoadedVersion) -> None:
    _, pixels = decode(*PHOTOGRAPHS, height=224, width=224)
    expected = EfficientNetLite0(weights_path())(tf.constant(pixels / 255, tf.float32)).numpy()
    found = lite0.run("logits", image_bytes=PHOTOGRAPHS)["logits"]
    assert np.abs(found - expected).max() <= 1e-4 * (expected.max() - expected.min())


def test_a_bad_image_is_answered_with_nothing_and_its_neighbours_in_full(lite0: LoadedVersion) -> None:
    alone = lite0.run("serving_default", image_bytes=PHOTOGRAPHS[:2])
    answer = lite0.run("serving_default", image_bytes=[PHOTOGRAPHS[0], BAD, PHOTOGRAPHS[1]])
    assert answer["status"].tolist() == [0, 1, 0]
    assert answer["class_ids"][1].tolist() == [-1] * 5
    assert answer["labels"][1].tolist() == [b""] * 5
    assert answer["scores"][1].tolist() == [0.0] * 5
    assert np.array_equal(answer["class_ids"][[0, 2]], alone["class_ids"])
    assert np.allclose(answer["scores"][[0, 2]], alone["scores"], atol=1e-5)
    logits = lite0.run("logits", image_bytes=[BAD, PHOTOGRAPHS[0]])
    assert not logits["logits"][0].any()
    assert logits["logits"][1].any()


def test_an_empty_batch_gives_an_empty_answer(lite0: LoadedVersion) -> None:
    answer = lite0.run("serving_default", image_bytes=[])
    assert {name: value.shape for name, value in answer.items()} == {
        "status": (0,),
        "class_ids": (0, 5),
        "labels": (0, 5),
        "scores": (0, 5),
    }


def test_pixels_get_the_answer_that_their_file_gets(lite0: LoadedVersion) -> None:
    data = encoded(image(), "PNG")
    _, pixels = decode(data, height=224, width=224)
    by_pixels = lite0.run("images", images=(pixels / 255).astype(np.float32))
    by_file = lite0.run("serving_default", image_bytes=[data])
    assert by_pixels["labels"].tolist() == by_file["labels"].tolist()
    assert np.allclose(by_pixels["scores"], by_file["scores"], atol=1e-5)


def test_classify_takes_examples_and_isolates_what_is_none(lite0: LoadedVersion) -> None:
    def example(**features: bytes) -> bytes:
        message = tf.train.Example()
        for name, value in features.items():
            message.features.feature[name.replace("_", "/")].bytes_list.value.append(value)
        return message.SerializeToString()

    inputs = [example(image_encoded=PHOTOGRAPHS[1]), example(other=b"x"), b"\xff\xff", example(image_encoded=BAD)]
    answer = lite0.run("classify", inputs=inputs)
    assert answer["classes"][:, 0].tolist() == [b"espresso", b"", b"", b""]
    assert answer["scores"][0, 0] > 0.7
    assert not answer["scores"][1:].any()


def test_labels_are_an_asset_with_a_line_for_each_class(lite0_dir: Path) -> None:
    labels = (lite0_dir / "1" / "assets" / "labels.txt").read_text(encoding="utf-8").splitlines()
    assert len(labels) == 1000
    assert labels[285] == "Egyptian cat"
