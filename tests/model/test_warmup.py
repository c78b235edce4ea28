"""The reader of warm-up records."""

from pathlib import Path

import pytest
import tensorflow as tf

from hubserve_model import WarmupError
from hubserve_model.warmup import FILE, MAX_RECORDS, read_warmup


def written(folder: Path, records: list[bytes]) -> Path:
    file = folder / FILE
    file.parent.mkdir()
    with tf.io.TFRecordWriter(str(file)) as writer:
        for record in records:
            writer.write(record)
    return file


def test_records_come_in_their_order(tmp_path: Path) -> None:
    written(tmp_path, [b"first", b"", b"third"])

    assert read_warmup(tmp_path) == [b"first", b"", b"third"]


def test_a_version_without_the_file_has_no_records(tmp_path: Path) -> None:
    assert read_warmup(tmp_path) == []


@pytest.mark.parametrize("place", [2, -1])
def test_a_damaged_file_is_an_error(tmp_path: Path, place: int) -> None:
    file = written(tmp_path, [b"first", b"second"])
    damaged = bytearray(file.read_bytes())
    damaged[place] ^= 1
    file.write_bytes(damaged)

    with pytest.raises(
        WarmupError, match="tf_serving_warmup_requests is not a complete TFRecord file: export the model"
    ):
        read_warmup(tmp_path)


def test_more_records_than_tensorflow_serving_takes_are_an_error(tmp_path: Path) -> None:
    written(tmp_path, [b""] * (MAX_RECORDS + 1))

    with pytest.raises(WarmupError, match=r"exceeds the maximum \(1000\)"):
        read_warmup(tmp_path)
