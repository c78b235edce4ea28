"""The files beside the SavedModel follow the limits of TensorFlow Serving."""

import io
from pathlib import Path

import pytest
from PIL import Image
from tensorflow_serving.apis import prediction_log_pb2

from hubserve_export import OutputError, _warmup_records
from hubserve_model.warmup import FILE, MAX_RECORDS, read_warmup
from support.decoding import decode
from support.photographs import encoded, image
from trust.cost import form_of

SIGNATURES = ("serving_default", "logits", "classify")


def test_more_warm_up_records_than_a_server_takes_are_refused_with_the_number_that_is_allowed() -> None:
    for warmup, most in (("all", 328), ("serving_default", 993)):
        _warmup_records.check_batch_sizes(range(1, most + 1), SIGNATURES, warmup)
        expected = rf"has {most + 1} sizes, and .* takes at most 1000 warm-up records; give at most {most} sizes"
        with pytest.raises(OutputError, match=expected):
            _warmup_records.check_batch_sizes(range(1, most + 2), SIGNATURES, warmup)
        assert len(_warmup_records.plan([b"first"], range(1, most + 1), SIGNATURES, warmup)) <= MAX_RECORDS
    _warmup_records.check_batch_sizes(range(1, 2000), SIGNATURES, "none")


def test_a_version_without_warm_up_has_no_file_for_it(tmp_path: Path) -> None:
    assert warmed(tmp_path, (1, 2), "none") == {}
    assert not (tmp_path / FILE).exists()


def formats(images: list[bytes]) -> set[str]:
    return {form_of(image) for image in images}


def warmed(
    folder: Path, batch_sizes: tuple[int, ...], warmup: str = "all", jpeg: bytes = b"\xff\xd8\xff first"
) -> dict[str, list[list[bytes]]]:
    """Return the batches of the warm-up records, by signature."""
    records = _warmup_records.plan([jpeg, b"\xff\xd8\xff second"], batch_sizes, SIGNATURES, warmup)
    _warmup_records.write_warmup(folder, records)
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


@pytest.mark.parametrize("warmup", ["all", "serving_default"])
def test_the_first_request_of_any_format_finds_the_server_warm(warmup: str, tmp_path: Path) -> None:
    batches = warmed(tmp_path, (1, 2, 4, 8, 16, 32), warmup)
    every = {"JPEG", "PNG", "GIF", "BMP", "WebP"}
    assert list(batches) == list(SIGNATURES)
    if warmup == "serving_default":
        assert all(batches.pop(signature) == [[b"\xff\xd8\xff first"]] for signature in SIGNATURES[1:])
    for signature, its in batches.items():
        # Batches of JPEGs alone have a way of their own, which stays warm too.
        assert {len(batch) for batch in its if formats(batch) == {"JPEG"}} == {1, 2, 4, 16, 32}, signature
        # The mixed batch is the smallest with room for all formats, so that a CPU runs it quickly.
        assert [len(batch) for batch in its if formats(batch) == every] == [8], signature
        alone = [image for batch in its if len(batch) == 1 for image in batch]
        assert formats(alone) == every, signature


def is_of_a_phone(data: bytes) -> bool:
    """Tell whether the image is progressive, oriented, and decoded at a part of its size."""
    with Image.open(io.BytesIO(data)) as jpeg:
        return bool(jpeg.info.get("progressive")) and jpeg.getexif().get(274) == 6 and min(jpeg.size) >= 4 * 331


def test_the_first_photograph_of_a_phone_finds_the_server_warm(tmp_path: Path) -> None:
    batches = warmed(tmp_path, (1, 2, 4), jpeg=encoded(image(), "JPEG"))
    for signature, its in batches.items():
        of_jpegs = [batch for batch in its if formats(batch) == {"JPEG"}]
        assert [len(batch) for batch in of_jpegs if is_of_a_phone(batch[-1])] == [1, 2], signature
    png = next(data for data in _warmup_records.others() if form_of(data) == "PNG")
    with Image.open(io.BytesIO(png)) as oriented:
        assert oriented.getexif().get(274) == 6


def test_other_formats_add_runs_of_single_images_only(tmp_path: Path) -> None:
    for sizes in ((1, 2, 4, 8, 16, 32), (1, 8), (8,), (2, 4)):
        batches = warmed(tmp_path, sizes)
        images = sum(len(batch) for its in batches.values() for batch in its)
        assert images == 3 * sum(sizes) + (15 if 1 in sizes else 0)


@pytest.mark.parametrize(
    ("sizes", "new"),
    [
        ((1, 2, 4, 8, 16, 32), [1, 1, 1, 1, 1, 1, 2, 8]),
        ((1, 8, 32), [1, 1, 1, 1, 1, 1, 8, 32]),
        ((1, 8), [1, 1, 1, 1, 1, 1, 8]),
        ((1, 2, 4), [1, 1, 1, 1, 1, 1, 2, 4]),
        ((8, 16, 32), [8, 16]),
        ((8,), [8]),
        ((1,), [1, 1, 1, 1, 1, 1]),
    ],
)
def test_records_that_add_only_a_batch_size_are_marked(sizes: tuple[int, ...], new: list[int]) -> None:
    records = _warmup_records.plan([b"\xff\xd8\xff first"], sizes, SIGNATURES, "all")
    marked = _warmup_records.described(records)
    assert marked["records"] == len(records)
    for signature in SIGNATURES:
        its = [record for record in records if record.signature == signature]
        assert [len(record.images) for record in its if not record.only_size] == new
        assert all(records[number - 1].only_size for number in marked["only_sizes"])


@pytest.mark.parametrize(
    ("sizes", "model_batch", "run"),
    [
        ((1, 2, 4, 8, 16, 32), 1, [2, 8]),
        ((1, 2, 4, 8, 16, 32), 8, [2, 16]),
        ((1, 2, 4, 8, 16, 32), 32, [2, 32]),
        ((1, 2, 32), 1, [2, 32]),
        ((1, 2, 4), 1, [2, 4]),
        ((1, 8), 1, [8]),
        ((1,), 1, []),
    ],
)
def test_the_proof_runs_batches_of_each_kind(sizes: tuple[int, ...], model_batch: int, run: list[int]) -> None:
    records = _warmup_records.plan([b"\xff\xd8\xff first", b"\xff\xd8\xff second"], sizes, SIGNATURES)
    found = _warmup_records.of_each_kind(records, model_batch)
    first = [record for record in found if record.signature == "serving_default"]
    assert [len(record.images) for record in first] == [1] * 6 + run
    assert [len(record.images) for record in found if record.signature != "serving_default"] == [1, 1]
    if run[1:] and run[-1] >= 8:
        # All formats, and an image twice, with another one between.
        images = list(first[-1].images)
        assert formats(images) == {"JPEG", "PNG", "GIF", "BMP", "WebP"}
        assert images[:2] == [b"\xff\xd8\xff first", b"\xff\xd8\xff second"]
        assert images[run[-1] - 6] == images[0]


def test_the_images_of_other_formats_can_be_decoded() -> None:
    status, _ = decode(*_warmup_records.others())
    assert status == [0] * 5
