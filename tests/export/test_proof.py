"""A model that does not answer as its source does is never published."""

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from hubserve_export import _image_model, _labels, _proof
from hubserve_export._errors import ProofError
from hubserve_export._image_model import ImageModel
from hubserve_export._sources import open_source
from hubserve_export.decode.batch import Preprocessing
from support.photographs import CHELSEA, COFFEE

PHOTOGRAPHS = [CHELSEA.read_bytes(), COFFEE.read_bytes()]
PREPROCESSING = Preprocessing(64, 64)
LABELS = _labels.for_model(None, 1001).names

Array = npt.NDArray[Any]
LOGITS = np.array([[0.0, 5.0, 1.0], [0.0, 1.0, 3.0]])
ANSWER = {"class_ids": np.array([[1], [2]]), "labels": np.array([[b"b"], [b"c"]], object)}


@pytest.fixture(scope="module")
def source(miniature_saved: Path) -> ImageModel:
    with open_source(str(miniature_saved)) as found:
        return _image_model.load(found)


@pytest.fixture
def version(miniature_dir: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(miniature_dir / "1", tmp_path / "1"))


def test_a_faithful_export_passes_with_its_figures(source: ImageModel, version: Path) -> None:
    parity = _proof.prove(version, source, PREPROCESSING, PHOTOGRAPHS, LABELS)
    assert parity.images == parity.top1_equal == 2
    assert 0 <= parity.max_error <= parity.tolerance
    assert parity.warmup_records == 6


@pytest.mark.parametrize(
    "change",
    [lambda logits: logits * 1.01, lambda logits: logits * np.nan, lambda logits: np.roll(logits, 1, axis=1)],
    ids=["scaled", "not a number", "shifted by one class"],
)
def test_other_numbers_than_the_sources_fail(change: Callable[[Array], Array]) -> None:
    with pytest.raises(ProofError, match="numbers differ from the source model's"):
        _proof.compare_values(LOGITS, change(LOGITS))


def test_another_best_class_than_the_sources_fails() -> None:
    answer = {**ANSWER, "class_ids": np.array([[1], [1]])}
    with pytest.raises(ProofError, match="another best class than the source model on 1 of 2 images"):
        _proof.compare_classes(LOGITS, answer, "abc")


def test_other_labels_fail() -> None:
    with pytest.raises(ProofError, match=r"names its classes \['b', 'c'\], which are not the labels of \[1, 2\]"):
        _proof.compare_classes(LOGITS, ANSWER, "bca")


def test_other_pixels_than_the_sources_fail(source: ImageModel, version: Path) -> None:
    with pytest.raises(ProofError, match="numbers differ"):
        _proof.prove(version, source, dataclasses.replace(PREPROCESSING, crop_fraction=0.5), PHOTOGRAPHS, LABELS)


def test_a_warm_up_record_that_fails_fails_the_proof(source: ImageModel, version: Path) -> None:
    request = predict_pb2.PredictRequest()
    request.model_spec.signature_name = "images"
    request.inputs["images"].CopyFrom(tf.make_tensor_proto(tf.zeros([1, 3, 3, 3])))
    log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
    with tf.io.TFRecordWriter(str(version / "assets.extra" / "tf_serving_warmup_requests")) as writer:
        writer.write(log.SerializeToString())
    with pytest.raises(ProofError, match="signature images fails in a session"):
        _proof.prove(version, source, PREPROCESSING, PHOTOGRAPHS, LABELS)


def test_a_version_that_does_not_load_in_a_session_fails(source: ImageModel, version: Path) -> None:
    (version / "variables" / "variables.index").unlink()
    with pytest.raises(ProofError, match="does not load in a session"):
        _proof.prove(version, source, PREPROCESSING, PHOTOGRAPHS, LABELS)


def test_an_image_that_cannot_be_decoded_is_no_proof(source: ImageModel, version: Path) -> None:
    with pytest.raises(ProofError, match="warm-up image 2 of 2 cannot be decoded"):
        _proof.prove(version, source, PREPROCESSING, [PHOTOGRAPHS[0], b"text"], LABELS)
