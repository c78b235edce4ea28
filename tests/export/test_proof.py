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

from hubserve_export import Preprocessing, ProofError, _image_model, _labels, _proof, _version_session, _warmup_records
from hubserve_export._image_model import ImageModel
from hubserve_export._proof import Parity, Reference
from hubserve_export._sources import open_source
from support.export_options import wanted
from support.photographs import CHELSEA, COFFEE

PHOTOGRAPHS = {"chelsea.png": CHELSEA.read_bytes(), "coffee.png": COFFEE.read_bytes()}
PREPROCESSING = Preprocessing(64, 64)
LABELS = _labels.for_model(None, 1001).names

Array = npt.NDArray[Any]
LOGITS = np.array([[0.0, 5.0, 1.0], [0.0, 1.0, 3.0]])
ANSWER = {"class_ids": np.array([[1], [2]]), "labels": np.array([[b"b"], [b"c"]], object)}


@pytest.fixture(scope="module")
def source(light_saved: Path) -> ImageModel:
    with open_source(str(light_saved)) as found:
        return _image_model.understood(_image_model.load(found, wanted()), PREPROCESSING)


@pytest.fixture(scope="module")
def reference(source: ImageModel) -> Reference:
    return _proof.ask(source.call, PREPROCESSING, PHOTOGRAPHS, 2)


def prove(version: Path, reference: Reference) -> Parity:
    records = _warmup_records.plan(reference.images, (1, 2), ("serving_default", "logits", "classify"))
    with _version_session.opened(version) as run:
        return _proof.prove(run, version, reference, records, 2, LABELS)


@pytest.fixture
def version(light_dir: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(light_dir / "1", tmp_path / "1"))


def test_a_faithful_export_passes_with_its_figures(reference: Reference, version: Path) -> None:
    parity = prove(version, reference)
    assert parity.images == parity.top1_equal == 2
    assert 0 <= parity.max_error <= parity.tolerance
    assert parity.warmup_records == 9
    assert 0 <= parity.max_change <= parity.change_tolerance


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
    cropped = _proof.ask(source.call, dataclasses.replace(PREPROCESSING, crop_fraction=0.5), PHOTOGRAPHS, 2)
    with pytest.raises(ProofError, match="numbers differ"):
        prove(version, cropped)


def test_a_signature_that_fails_fails_the_proof(version: Path) -> None:
    with (
        _version_session.opened(version) as run,
        pytest.raises(ProofError, match="signature images fails in a session"),
    ):
        run("images", {"images": np.zeros([1, 3, 3, 3], np.float32)})


def test_a_version_that_does_not_load_in_a_session_fails(reference: Reference, version: Path) -> None:
    (version / "variables" / "variables.index").unlink()
    with pytest.raises(ProofError, match="does not load in a session"):
        prove(version, reference)


def test_an_image_that_cannot_be_decoded_is_named(source: ImageModel) -> None:
    with pytest.raises(
        ProofError, match=r"the warm-up image notes\.txt cannot be decoded; give others with `warmup_im"
    ):
        _proof.ask(source.call, PREPROCESSING, {**PHOTOGRAPHS, "notes.txt": b"text"}, 2)


@pytest.mark.slow
def test_images_are_run_a_batch_at_a_time_and_all_are_compared(source: ImageModel, version: Path) -> None:
    sizes = []

    def call(images: tf.Tensor) -> tf.Tensor:
        sizes.append(len(images))
        return source.call(images)

    three = {**PHOTOGRAPHS, "again.png": PHOTOGRAPHS["chelsea.png"]}
    reference = _proof.ask(call, PREPROCESSING, three, 2)
    assert sizes == [2, 1]
    assert reference.values.shape == (3, 1001)
    assert prove(version, reference).images == 3


def test_a_source_without_finite_numbers_is_distinguished_from_a_bad_export(source: ImageModel) -> None:
    def broken(images: tf.Tensor) -> tf.Tensor:
        return source.call(images) * np.nan

    with pytest.raises(ProofError, match=r"the source model's numbers for chelsea\.png are not finite"):
        _proof.ask(broken, PREPROCESSING, PHOTOGRAPHS, 2)


def test_two_classes_that_are_equal_but_for_rounding_may_change_places() -> None:
    close = np.array([[0.0, 5.0, 5.0 - 1e-5]])
    answer = {"class_ids": np.array([[2]]), "labels": np.array([[b"c"]], object)}
    assert _proof.compare_classes(close, answer, "abc") == 0


def test_a_head_that_gives_nearly_one_number_for_all_is_compared_by_that_number() -> None:
    untrained = np.array([[7.0, 7.0 + 1e-7, 7.0 + 2e-7]])
    assert _proof.compare_values(untrained, untrained + 1e-7) <= _proof.TOLERANCE


def test_another_answer_to_an_example_than_to_its_image_fails() -> None:
    answer = {"labels": np.array([[b"a", b"b"]], object), "scores": np.array([[0.7, 0.2]])}
    same = {"classes": answer["labels"], "scores": answer["scores"]}
    _proof.compare_examples(answer, same)
    for other in ({**same, "classes": answer["labels"][:, ::-1]}, {**same, "scores": answer["scores"] / 2}):
        with pytest.raises(ProofError, match=r"answer to a tf\.Example differs from its answer to the image inside"):
            _proof.compare_examples(answer, other)
