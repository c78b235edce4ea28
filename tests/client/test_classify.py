from collections.abc import Iterator
from pathlib import Path

import pytest

from hubserve import Classification, ClassScore, Client, ImageError, UnsuitableModel, UsageError
from support import scripted_model
from support.fake_server import FakeServer
from support.gate import Gate


def sizes(server: FakeServer) -> list[int]:
    return [len(scripted_model.images_in(request)) for request in server.requests]


def test_each_image_gets_its_own_classes_best_first(client: Client):
    first, second = client.classify([b"cat", b"espresso"])

    assert first == Classification(
        source="image 0",
        index=0,
        status=0,
        model_version=7,
        classes=tuple(ClassScore(3 + n, "cat" + f"+{n}" * bool(n), 0.5 ** (n + 1)) for n in range(5)),
    )
    assert (second.source, second.index, second.label, second.score) == ("image 1", 1, "espresso", 0.5)
    assert first.ok
    assert first.error is None


def test_top_k_keeps_the_best_and_asks_the_server_for_the_same_as_every_caller(client: Client, server: FakeServer):
    (all_of_them,) = client.classify([b"cat"])
    (best,) = client.classify([b"cat"], top_k=2)

    assert best.classes == all_of_them.classes[:2]
    assert server.requests[0] == server.requests[1]
    assert not server.requests[0].output_filter


def test_more_classes_than_the_model_was_exported_with_are_an_error_that_says_so(client: Client):
    with pytest.raises(UnsuitableModel, match="model pnasnet was exported with the best 5 classes, not 6"):
        next(client.classify([b"cat"], top_k=6))


def test_less_than_one_class_is_refused_at_once(client: Client):
    with pytest.raises(UsageError, match="top_k must be at least 1, not 0"):
        client.classify([b"cat"], top_k=0)


def test_a_model_that_does_not_classify_is_an_error_that_lists_its_outputs(client: Client, server: FakeServer):
    server.predict = scripted_model.featurize

    with pytest.raises(UnsuitableModel, match=r"model pnasnet has feature_vector, status"):
        next(client.classify([b"cat"]))


def test_images_arrive_byte_for_byte(client: Client, server: FakeServer, photograph: Path):
    images = [b"\0trailing zeros\0\0", photograph.read_bytes()]

    list(client.classify([*images, photograph]))

    assert scripted_model.images_in(server.requests[0]) == [*images, photograph.read_bytes()]
    assert server.requests[0].inputs["image_bytes"].tensor_shape.dim[0].size == 3


@pytest.mark.parametrize("ordered", [True, False])
def test_bad_images_leave_their_neighbours_answered(client: Client, ordered: bool):
    images = [b"cat", scripted_model.BAD, "nowhere.jpg", scripted_model.HUGE, b"dog"]

    results = sorted(client.classify(images, ordered=ordered), key=lambda result: result.index)

    assert [result.status for result in results] == [0, 1, None, 2, 0]
    assert [result.label for result in results] == ["cat", None, None, None, "dog"]
    assert [result.index for result in results] == [0, 1, 2, 3, 4]
    assert [result.ok for result in results] == [True, False, False, False, True]
    assert "cannot decode" in results[1].error
    assert isinstance(results[2].exception, ImageError)
    assert results[2].error.startswith("nowhere.jpg: No such file")
    assert "more pixels" in results[3].error
    assert results[1].classes == results[3].classes == ()
    assert results[1].score is None
    assert [result.seconds is None for result in results] == [False, False, True, False, False]


@pytest.mark.parametrize("images", [[], ["nowhere.jpg", 42]], ids=["no images", "none that can be read"])
def test_an_empty_request_is_never_started(images: list, client: Client, server: FakeServer):
    results = list(client.classify(images))

    assert [result.ok for result in results] == [False] * len(images)
    assert server.requests == []


def test_requests_are_cut_by_count_and_by_bytes(server: FakeServer):
    with Client(server.target, model="m", max_batch_size=3, max_batch_bytes=10) as client:
        results = list(client.classify([b"1", b"2", b"3", b"4", b"four" * 2, b"long " * 3, b"7"]))

    assert sorted(sizes(server)) == [1, 1, 2, 3]
    assert [result.label for result in results] == ["1", "2", "3", "4", "fourfour", "long long long ", "7"]


def test_results_keep_the_order_of_the_images_or_come_as_they_are_answered(server: FakeServer):
    gate = Gate(server)
    with Client(server.target, model="m", max_batch_size=1, concurrency=2) as client:
        gate.hold(b"slow")
        ordered = client.classify([b"slow", b"quick", b"last"])
        gate.release_when_arrived(b"quick", b"slow")
        assert [result.label for result in ordered] == ["slow", "quick", "last"]

        gate.hold(b"slow")
        unordered = client.classify([b"slow", b"quick", b"last"], ordered=False)
        first = [next(unordered), next(unordered)]
        gate.release(b"slow")
        assert [result.label for result in first] == ["quick", "last"]
        assert [(result.label, result.index) for result in unordered] == [("slow", 0)]


def test_images_are_taken_only_as_answers_are_used(server: FakeServer):
    taken = []

    def stream() -> Iterator[bytes]:
        for number in range(1000):
            taken.append(number)
            yield b"%d" % number

    with Client(server.target, model="m", max_batch_size=4, concurrency=2) as client:
        results = client.classify(stream())
        assert taken == []
        for used in range(1, 101):
            next(results)
            assert len(taken) < used + 40
        results.close()
    assert len(taken) < 140


def test_as_many_requests_are_on_their_way_as_concurrency_says_and_no_more(server: FakeServer):
    gate = Gate(server)
    with Client(server.target, model="m", max_batch_size=1, concurrency=2) as client:
        gate.hold(b"0", b"1", b"2", b"3")
        results = client.classify([b"0", b"1", b"2", b"3", b"4"])
        gate.release_when_arrived(b"1", b"0")
        next(results)
        assert b"3" not in gate.arrived
        gate.release(b"1", b"2", b"3")
        assert [result.label for result in results] == ["1", "2", "3", "4"]


def test_a_generator_may_close_each_file_as_it_goes_on(client: Client, photograph: Path):
    def stream() -> Iterator[object]:
        for _ in range(20):
            with photograph.open("rb") as file:
                yield file

    assert all(result.ok for result in client.classify(stream()))


def test_what_the_images_raise_comes_after_the_results_of_those_before(client: Client):
    def stream() -> Iterator[bytes]:
        yield b"cat"
        yield b"dog"
        raise ZeroDivisionError("the caller's own")

    results = client.classify(stream())

    assert [next(results).label, next(results).label] == ["cat", "dog"]
    with pytest.raises(ZeroDivisionError, match="the caller's own"):
        next(results)


@pytest.mark.parametrize(
    ("choice", "chosen"), [({"version": 3}, "version"), ({"version_label": "stable"}, "version_label")]
)
def test_the_version_asked_for_is_in_every_request(server: FakeServer, choice: dict, chosen: str):
    with Client(server.target, model="m", **choice) as client:
        list(client.classify([b"cat"]))

    spec = server.requests[0].model_spec
    assert (spec.name, spec.signature_name, spec.WhichOneof("version_choice")) == ("m", "serving_default", chosen)
    assert choice in ({"version": spec.version.value}, {"version_label": spec.version_label})
