"""The files beside the SavedModel keep to what TensorFlow Serving takes."""

from pathlib import Path

import pytest
from tensorflow_serving.apis import prediction_log_pb2

from hubserve_export import OutputError, _warmup_records
from hubserve_model.warmup import read_warmup
from support.decoding import decode
from trust.cost import form_of


def test_more_warm_up_records_than_a_server_takes_are_refused_with_the_number_that_is_allowed() -> None:
    signatures = ("serving_default", "logits", "classify")
    _warmup_records.check_batch_sizes(range(1, 333), signatures)
    with pytest.raises(OutputError, match=r"has 333 sizes, and .* takes 1000 warm-up records.* give 332 at most"):
        _warmup_records.check_batch_sizes(range(1, 334), signatures)


def formats(images: list[bytes]) -> set[str]:
    return {form_of(image) for image in images}


def warmed(folder: Path, batch_sizes: tuple[int, ...]) -> dict[str, list[list[bytes]]]:
    """The batches of the warm-up records, by signature."""
    signatures = ("serving_default", "logits", "classify")
    _warmup_records.write_warmup(folder, [b"\xff\xd8\xff first", b"\xff\xd8\xff second"], batch_sizes, signatures)
    batches: dict[str, list[list[bytes]]] = {}
    for log in map(prediction_log_pb2.PredictionLog.FromString, read_warmup(folder)):
        if log.WhichOneof("log_type") == "classify_log":
            examples = log.classify_log.request.input.example_list.examples
            batch = [example.features.feature["image/encoded"].bytes_list.value[0] for example in examples]
            batches.setdefault("classify", []).append(batch)
        else:
            request = log.predict_log.request
            batch = list(request.inputs["image_bytes"].string_val)
            batches.setdefault(request.model_spec.signature_name, []).append(batch)
    return batches


def test_the_first_request_of_any_format_finds_the_server_warm(tmp_path: Path) -> None:
    batches = warmed(tmp_path, (1, 2, 4, 8, 16, 32))
    every = {"JPEG", "PNG", "GIF", "BMP", "WebP"}
    assert list(batches) == ["serving_default", "logits", "classify"]
    for signature, its in batches.items():
        # Batches of JPEGs alone have a way of their own, which stays warm too.
        assert {len(batch) for batch in its if formats(batch) == {"JPEG"}} == {1, 2, 4, 8, 16}, signature
        assert formats(its[-1]) == every, signature
    alone = [batch for batch in batches["serving_default"] if len(batch) == 1]
    assert set().union(*map(formats, alone)) == every


def test_other_formats_add_runs_of_single_images_only(tmp_path: Path) -> None:
    for sizes in ((1, 2, 4, 8, 16, 32), (1, 8), (8,), (2, 4)):
        batches = warmed(tmp_path, sizes)
        images = sum(len(batch) for its in batches.values() for batch in its)
        assert images == 3 * sum(sizes) + (4 if 1 in sizes else 0)


def test_the_pictures_of_other_formats_can_be_decoded() -> None:
    status, _ = decode(*_warmup_records.other_formats())
    assert status == [0, 0, 0, 0]
