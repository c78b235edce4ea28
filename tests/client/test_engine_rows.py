"""The adapters for Spark, Ray and Beam, without the engines: columns, rows, failures, outages."""

import asyncio
import pickle
import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

import hubserve.ray
from hubserve import (
    AccessDenied,
    ImageResult,
    MalformedAnswer,
    ModelNotFound,
    Retry,
    ServerFailed,
    ServerUnavailable,
    Settings,
    UsageError,
)
from hubserve._tables import arrow, tasks
from hubserve._tables.row import row_of
from hubserve._tables.tasks import CALLS, Asking
from hubserve.ray import ClassifyBatches, FeaturesBatches
from hubserve.testing import FakeServer, Fault, Request

SOON = Retry(max_seconds=20, max_delay=0.1)


def labelled(image: bytes) -> dict[str, float] | int:
    return 1 if image.startswith(b"corrupt") else {image.decode(): 0.75, "other": 0.25}


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer(labelled, model="m") as server:
        yield server


def settings(server: FakeServer, **more) -> Settings:
    return Settings(server.target, **{"model": "m", "retry": SOON, **more})


def labels(table: pa.Table, output: str = "classification") -> list[str | None]:
    return [row["label"] for row in table.column(output).to_pylist()]


IMAGES = [b"a", b"b", b"a"]


@pytest.mark.parametrize(
    "column",
    [
        pa.array(IMAGES, pa.binary()),
        pa.array(IMAGES, pa.large_binary()),
        pa.array(IMAGES, pa.binary(1)),
        pa.array(IMAGES, pa.binary_view()),
        pa.array(IMAGES, pa.binary()).dictionary_encode(),
        pa.chunked_array([pa.array(IMAGES[:2]), pa.array([], pa.binary()), pa.array(IMAGES[2:])]),
        pa.array([{"bytes": image, "path": "not-there.jpg"} for image in IMAGES]),
    ],
    ids=lambda column: str(column.type),
)
def test_a_column_of_every_kind_of_bytes_is_read(server: FakeServer, column: pa.Array) -> None:
    table = pa.table({"id": [1, 2, 3], "bytes": column, "nested": [{"x": [1]}, None, {"x": []}]})
    answered = ClassifyBatches(settings(server)).answered(table)

    assert labels(answered) == ["a", "b", "a"]
    assert answered.drop_columns(["classification"]).equals(table)


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()], ids=str)
def test_paths_and_urls_are_read(server: FakeServer, tmp_path: Path, kind: pa.DataType) -> None:
    file = tmp_path / "ein Bild ü.jpg"
    file.write_bytes(b"from a file")
    there = [str(file), f"file:{file}", f"file://{file}", file.as_uri()]
    table = pa.table({"bild ü.x": pa.array([*there, "no-such.jpg", "memory://no/such.jpg", ""], kind)})
    rows = ClassifyBatches(settings(server), column="bild ü.x").answered(table).column("classification").to_pylist()

    assert [row["label"] for row in rows] == ["from a file"] * 4 + [None] * 3
    assert [row["error"].partition(":")[0] for row in rows[4:]] == [
        "No such file or directory",
        rows[5]["error"].partition(":")[0],
        "the cell holds an empty text",
    ]
    assert all(row["status"] is None for row in rows[4:])


def test_a_struct_without_bytes_is_read_by_its_path(server: FakeServer, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    cells = [{"bytes": None, "path": str(tmp_path / "a")}, {"bytes": None, "path": None}, None]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    rows = (
        ClassifyBatches(settings(server))
        .answered(pa.table({"bytes": pa.array(cells, kind)}))["classification"]
        .to_pylist()
    )

    assert [row["label"] for row in rows] == ["a", None, None]
    assert {row["error"] for row in rows[1:]} == {"the cell is null: there is no image in this row"}


def test_the_failure_of_a_row_stays_on_its_row(server: FakeServer) -> None:
    table = pa.table({"bytes": pa.array([b"a", None, b"", b"corrupt", b"b"])})
    rows = ClassifyBatches(settings(server), top_k=1).answered(table).column("classification").to_pylist()

    assert [row["label"] for row in rows] == ["a", None, None, None, "b"]
    assert [row["status"] for row in rows] == [0, None, None, 1, 0]
    assert [row["error"] and row["error"].partition(":")[0] for row in rows] == [
        None,
        "the cell is null",
        "it is empty, 0 bytes",
        "the server cannot decode it",
        None,
    ]
    assert rows[0]["classes"] == [{"class_id": 0, "label": "a", "score": 0.75}]
    assert rows[3]["classes"] == []


@pytest.mark.parametrize(
    "column", [pa.array([], pa.binary()), pa.array([], pa.string()), pa.nulls(0)], ids=lambda column: str(column.type)
)
def test_a_table_without_rows_asks_nobody(column: pa.Array) -> None:
    nobody = Settings("localhost:1", model="m")
    answered = ClassifyBatches(nobody).answered(pa.table({"bytes": column}))

    assert answered.num_rows == 0
    assert answered.schema.field("classification").type == arrow.answer_type(pa, features=False)


def test_a_column_of_nothing_but_null_is_all_failures() -> None:
    with FakeServer(labelled) as server:
        rows = (
            ClassifyBatches(settings(server))
            .answered(pa.table({"bytes": pa.nulls(2)}))
            .column("classification")
            .to_pylist()
        )

    assert [row["status"] for row in rows] == [None, None]


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (pa.table({"bytes": [1, 2]}), r"the column 'bytes' is of type int64: images are bytes, paths or URLs"),
        (pa.table({"bytes": [[b"a"]]}), "is of type list"),
        (pa.table({"bytes": [{"height": 3, "data": b"a"}]}), "is of type struct"),
        (pa.table({"bytes.x": [b"a"]}), "there is no column 'bytes': give column=, one of 'bytes.x'"),
        (pa.table({"image": [b"a"]}), "there is no column 'bytes': give column=, one of 'image'"),
        (pa.table([[b"a"], [b"b"]], names=["bytes", "bytes"]), "two columns are called 'bytes'"),
        (pa.table({"bytes": [b"a"], "classification": [1]}), "there is a column 'classification' already"),
        ({"bytes": [b"a"]}, 'a batch is a dict: give map_batches batch_format="pyarrow"'),
    ],
)
def test_a_table_of_another_kind_is_refused(table: pa.Table, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        ClassifyBatches(Settings("localhost:1", model="m")).answered(table)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ClassifyBatches("localhost:8500"), "settings must be hubserve.Settings, not str"),
        (lambda: ClassifyBatches(Settings("a:1", model="m"), top_k=0), "top_k"),
        (lambda: Asking(Settings("a:1", model="m"), top_k=-1), "top_k"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_runs(make, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        make()


def test_a_token_function_that_does_not_travel_is_refused_with_a_remedy() -> None:
    lock = threading.Lock()

    def token() -> str:
        with lock:
            return "the-token"

    asking = Asking(Settings("a:1", model="m", token=token, allow_plaintext_token=True))
    with pytest.raises(UsageError, match=r"cannot be sent to Spark's workers.*a function of a module") as caught:
        asking.check_travels(pickle.dumps, "Spark")
    assert "the-token" not in str(caught.value)


def test_feature_vectors_are_lists_of_floats() -> None:
    with FakeServer(features=lambda image: [float(len(image)), 0.5]) as server:
        table = FeaturesBatches(settings(server)).answered(pa.table({"bytes": [b"aa", None]}))

    assert table.column("features").to_pylist() == [
        {"status": 0, "vector": [2.0, 0.5], "error": None, "model_version": 1},
        {
            "status": None,
            "vector": None,
            "error": "the cell is null: there is no image in this row",
            "model_version": None,
        },
    ]


def test_a_task_waits_for_a_server_that_is_away_when_it_begins(server: FakeServer) -> None:
    server.stop()
    back = threading.Timer(3.5, server.start)
    back.start()
    # A client alone gives a server up that it never met after two seconds.
    answered = ClassifyBatches(settings(server, token="of its own", allow_plaintext_token=True)).answered(  # noqa: S106
        pa.table({"bytes": IMAGES})
    )
    back.join()

    assert labels(answered) == ["a", "b", "a"]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault("UNAVAILABLE", "gone"), ServerUnavailable),
        (Fault("PERMISSION_DENIED", "no"), AccessDenied),
        (Fault("NOT_FOUND", "no such model"), ModelNotFound),
    ],
)
def test_an_outage_fails_the_task(server: FakeServer, fault: Fault, error: type[Exception]) -> None:
    def before(_: Request) -> None:
        raise fault

    server.before = before
    with pytest.raises(error):
        ClassifyBatches(settings(server, retry=Retry(max_seconds=0.2))).answered(pa.table({"bytes": IMAGES}))


def test_an_image_on_which_the_server_breaks_is_a_row_with_an_error(server: FakeServer) -> None:
    def before(request: Request) -> None:
        if b"poison" in request.images:
            raise Fault("INTERNAL", "it broke")

    server.before = before
    table = pa.table({"bytes": [b"%d" % number for number in range(40)] + [b"poison"]})
    rows = ClassifyBatches(settings(server, max_batch_size=1)).answered(table).column("classification").to_pylist()

    assert [row["label"] for row in rows[:40]] == [str(number) for number in range(40)]
    assert rows[40]["status"] is None
    assert "INTERNAL: it broke" in rows[40]["error"]


@pytest.mark.parametrize(("step", "error"), [(Fault("INTERNAL", "it broke"), ServerFailed), (b"\xff", MalformedAnswer)])
def test_a_server_that_always_breaks_fails_the_task(server: FakeServer, step: object, error: type[Exception]) -> None:
    server.then(step, times=1000)
    table = pa.table({"bytes": [b"%d" % number for number in range(100)]})

    with pytest.raises(error):
        ClassifyBatches(settings(server, max_batch_size=2)).answered(table)


def test_a_task_does_not_wait_long_for_a_model_that_a_running_server_does_not_know(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "NAME_SECONDS", 0.1)
    patient = settings(server, model="another", retry=Retry(max_seconds=3600))
    with pytest.raises(ModelNotFound, match="does not know a model of that name"):
        ClassifyBatches(patient).answered(pa.table({"bytes": IMAGES}))


@pytest.mark.parametrize("newer", [True, False])
def test_rays_workers_are_asked_for_in_the_words_of_its_version(newer: bool) -> None:
    class Newer:
        def __init__(self, size: int, max_concurrent_calls_per_actor: int) -> None:
            self.asked = size, max_concurrent_calls_per_actor

    class Older:
        def __init__(self, size: int) -> None:
            self.asked = size

    if newer:
        assert hubserve.ray._pool(Newer, 3)["compute"].asked == (3, 2)
    else:
        assert hubserve.ray._pool(Older, 3) == {"concurrency": 3, "max_concurrency": 2}


def test_tables_come_out_as_they_went_in_and_only_a_few_are_held(server: FakeServer) -> None:
    sizes = [3, 0, 1, 0, 0, 500, 2, 0]
    read = 0

    def tables() -> Iterator[pa.RecordBatch]:
        nonlocal read
        number = 0
        for size in sizes * 40:
            read += 1
            ids = range(number, number + size)
            yield pa.record_batch({"id": pa.array(ids), "bytes": pa.array([b"%d" % each for each in ids], pa.binary())})
            number += size

    asking = Asking(settings(server, concurrency=2))
    kind = arrow.answer_type(pa, features=False)
    given = asking.over(
        tables(),
        lambda table: arrow.images(table, "bytes"),
        lambda table, results: arrow.joined(table, results, "answer", kind),
    )
    ids: list[int] = []
    most = 0
    for count, table in enumerate(given, start=1):
        assert table.num_rows == sizes[(count - 1) % len(sizes)]
        assert labels(table, "answer") == [str(number) for number in table.column("id").to_pylist()]
        ids += table.column("id").to_pylist()
        most = max(most, read - count)

    assert ids == list(range(506 * 40))
    assert count == 320
    # Two requests of 32 images in flight reach over the small tables around one of 500 rows, and no further.
    assert most < 2 * len(sizes)


def test_what_the_source_of_tables_raises_is_raised() -> None:
    def tables() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"bytes": pa.array([b"a"])})
        raise OSError("the disk is gone")

    with FakeServer(labelled) as server, pytest.raises(OSError, match="the disk is gone"):
        list(
            Asking(settings(server)).over(tables(), lambda table: arrow.images(table, "bytes"), lambda table, _: table)
        )


def test_a_task_that_is_stopped_cancels_what_is_in_flight(server: FakeServer) -> None:
    table = pa.table({"bytes": [b"%d" % number for number in range(1000)]})
    results = Asking(settings(server)).results(arrow.images(table, "bytes"))
    next(results)
    results.close()

    assert len(server.requests) < 1000 / 32


def test_a_result_without_a_model_behind_it_is_a_row_too() -> None:
    assert row_of(ImageResult(source="x", index=0)) == {"status": None, "error": None, "model_version": None}


def test_the_answers_column_is_the_last_and_keeps_the_tables_metadata(server: FakeServer) -> None:
    table = pa.table({"bytes": IMAGES}).replace_schema_metadata({"a": "b"})
    answered = ClassifyBatches(settings(server), output="antwort ü").answered(table)

    assert answered.column_names == ["bytes", "antwort ü"]
    assert answered.schema.metadata == {b"a": b"b"}


def test_ray_gives_several_batches_at_once_and_they_share_the_requests_in_flight() -> None:
    in_flight = 0
    most = 0
    lock = threading.Lock()
    together = threading.Event()

    def before(_: Request) -> None:
        nonlocal in_flight, most
        with lock:
            in_flight += 1
            most = max(most, in_flight)
            if in_flight == CALLS:
                together.set()
        # Until four requests were there at once, none is answered.
        assert together.wait(20)
        with lock:
            in_flight -= 1

    async def all_of(batches: ClassifyBatches, tables: list[pa.Table]) -> list[pa.Table]:
        async def one(table: pa.Table) -> pa.Table:
            return [answered async for answered in batches(table)]

        return [answered for (answered,) in await asyncio.gather(*map(one, tables))]

    tables = [pa.table({"bytes": [b"%d" % number for number in range(start, start + 8)]}) for start in range(0, 80, 8)]
    with FakeServer(labelled, before=before) as server:
        batches = ClassifyBatches(settings(server, max_batch_size=1, concurrency=CALLS + 1))
        answers = asyncio.run(all_of(batches, tables))

    assert [labels(table) for table in answers] == [[str(n) for n in range(s, s + 8)] for s in range(0, 80, 8)]
    assert most == CALLS


@pytest.mark.parametrize(
    ("of_the_settings", "calls", "of_each"),
    [
        ({}, 4, ("auto", 8)),
        ({"max_concurrency": 1}, 1, ("auto", 1)),
        ({"max_concurrency": 3}, 3, ("auto", 1)),
        ({"concurrency": 9}, 4, (2, 32)),
    ],
)
def test_several_calls_at_once_have_no_more_in_flight_than_one(of_the_settings, calls: int, of_each) -> None:
    asking, count = Asking(Settings("a:1", model="m", **of_the_settings), top_k=2).divided()

    assert count == calls
    assert (asking.settings.concurrency, asking.settings.max_concurrency) == of_each
    assert asking.top_k == 2


def test_a_field_of_a_struct_is_told_to_become_a_column() -> None:
    table = pa.table({"image": [{"data": b"a"}]})
    with pytest.raises(UsageError, match=r"there is no column 'image\.data': it may be a field of .*'image'"):
        ClassifyBatches(Settings("localhost:1", model="m"), column="image.data").answered(table)


def test_decoded_images_are_told_to_be_read_undecoded() -> None:
    tensors = pa.ExtensionArray.from_storage(
        pa.fixed_shape_tensor(pa.uint8(), [2]), pa.array([[1, 2]], pa.list_(pa.uint8(), 2))
    )
    with pytest.raises(UsageError, match=r"read files undecoded, as with ray\.data\.read_binary_files"):
        ClassifyBatches(Settings("localhost:1", model="m")).answered(pa.table({"bytes": tensors}))
