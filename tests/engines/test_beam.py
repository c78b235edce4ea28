"""Beam's direct runner: every pair comes in one of the two outputs, and the guide's program."""

import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines.conftest import ROWS, image, label, run_guide, run_with_a_secret
from hubserve import AccessDenied, Settings, UsageError
from hubserve.testing import FakeServer, Fault, Request
from support import guide

beam = pytest.importorskip("apache_beam")
pytestmark = pytest.mark.slow


def test_every_pair_comes_once_as_an_answer_or_as_a_failure(server: FakeServer) -> None:
    from apache_beam.testing.util import assert_that, equal_to

    from hubserve.beam import Classify

    numbers = range(ROWS)
    with beam.Pipeline() as pipeline:
        pairs = pipeline | beam.Create([(number, image(number)) for number in numbers])
        answers = pairs | Classify(Settings(server.target, model="pnasnet"), top_k=1)
        labels = answers.classified | "labels" >> beam.MapTuple(lambda key, row: (key, row["label"]))
        failures = answers.failed | "failures" >> beam.MapTuple(lambda key, row: (key, row["error"].partition(":")[0]))
        assert_that(labels, equal_to([(number, label(number)) for number in numbers if label(number)]), "classified")
        assert_that(
            failures,
            equal_to(
                [
                    (number, "the cell is null" if image(number) is None else "the server cannot decode it")
                    for number in numbers
                    if label(number) is None
                ]
            ),
            "failed",
        )


def test_run_inference_takes_the_model_handler(server: FakeServer) -> None:
    from apache_beam.ml.inference.base import KeyedModelHandler, RunInference
    from apache_beam.testing.util import assert_that, equal_to

    from hubserve.beam import ImageModelHandler

    handler = KeyedModelHandler(ImageModelHandler(Settings(server.target, model="pnasnet")))
    with beam.Pipeline() as pipeline:
        inferred = pipeline | beam.Create([(number, image(number)) for number in range(20)]) | RunInference(handler)
        labels = inferred | beam.MapTuple(lambda key, result: (key, result.inference["label"]))
        assert_that(labels, equal_to([(number, label(number)) for number in range(20)]))


def test_feature_vectors_are_computed() -> None:
    from apache_beam.testing.util import assert_that, equal_to

    from hubserve.beam import ComputeFeatures

    with FakeServer(features=lambda data: [float(len(data)), 0.5]) as server, beam.Pipeline() as pipeline:
        answers = pipeline | beam.Create([("a", b"aaa")]) | ComputeFeatures(Settings(server.target, model="m"))
        vectors = answers.computed | beam.MapTuple(lambda key, row: (key, row["vector"].tolist()))
        assert_that(vectors, equal_to([("a", [3.0, 0.5])]))


def test_an_outage_fails_the_pipeline(server: FakeServer) -> None:
    from hubserve.beam import Classify

    def before(_: Request) -> None:
        raise Fault("PERMISSION_DENIED", "no")

    server.before = before
    with pytest.raises(AccessDenied, match="does not let this caller use"), beam.Pipeline() as pipeline:
        pipeline | beam.Create([("a", b"a")]) | Classify(Settings(server.target, model="pnasnet"))


def test_an_element_that_is_not_a_pair_is_refused_with_a_remedy(server: FakeServer) -> None:
    from hubserve.beam import Classify

    with pytest.raises(UsageError, match="an element is a bytes and not a pair"), beam.Pipeline() as pipeline:
        pipeline | beam.Create([b"ab"]) | Classify(Settings(server.target, model="pnasnet"))


def test_answers_keep_the_window_and_the_time_of_their_pair(server: FakeServer) -> None:
    from apache_beam.testing.util import assert_that, equal_to
    from apache_beam.transforms.window import FixedWindows, TimestampedValue

    from hubserve.beam import Classify

    def seen(
        element: tuple[int, dict], time=beam.DoFn.TimestampParam, window=beam.DoFn.WindowParam
    ) -> Iterator[tuple[int, str | None, float, float]]:
        key, row = element
        yield key, row["label"], float(time), float(window.start)

    numbers = range(40)
    with beam.Pipeline() as pipeline:
        pairs = pipeline | beam.Create([TimestampedValue((number, image(number)), number) for number in numbers])
        pairs = pairs | beam.Map(lambda each: each) | beam.WindowInto(FixedWindows(10))
        answers = pairs | Classify(Settings(server.target, model="pnasnet"), batch_size=7)
        found = (answers.classified, answers.failed) | beam.Flatten() | beam.FlatMap(seen)
        expected = [(number, label(number), float(number), float(number // 10 * 10)) for number in numbers]
        assert_that(found, equal_to(expected), "seen")


def test_wrong_arguments_are_refused_when_the_pipeline_is_made() -> None:
    from hubserve.beam import Classify, ImageModelHandler

    with pytest.raises(UsageError, match="batch_size"):
        Classify(Settings("localhost:1", model="m"), batch_size=0)
    with pytest.raises(UsageError, match="top_k"):
        ImageModelHandler(Settings("localhost:1", model="m"), top_k=0)


@pytest.mark.parametrize("name", ["Classify", "ComputeFeatures", "ImageModelHandler"])
def test_the_reference_has_the_arguments(name: str) -> None:
    import hubserve.beam

    # The site is made without Beam, and cannot read them.
    parameters = inspect.signature(getattr(hubserve.beam, name)).parameters.values()
    said = ", ".join("settings, *" if each.name == "settings" else f"{each.name}={each.default}" for each in parameters)
    assert f"autoclass:: {name}({said})" in (guide.ROOT / "docs" / "reference" / "engines.md").read_text()


def test_no_log_has_the_secret(server: FakeServer) -> None:
    program = """if True:
        import logging, sys
        import apache_beam as beam
        from hubserve import Settings
        from hubserve.beam import Classify

        logging.basicConfig(level=logging.DEBUG)
        target, token = sys.argv[1], sys.argv[2][::-1]
        for model in ("pnasnet", "other"):
            settings = Settings(target, model=model, token=token, allow_plaintext_token=True)
            try:
                with beam.Pipeline() as pipeline:
                    answers = pipeline | beam.Create([(1, b"image 1")]) | Classify(settings)
                    answers.classified | beam.Map(print)
                    print(pipeline.to_runner_api())
            except Exception as error:
                print("failed", error)
    """
    secret, said = run_with_a_secret(program, server)

    assert "ref_AppliedPTransform" in said
    assert secret not in said


def test_the_guide_labels_two_thousand_rows(server: FakeServer, images_file: str) -> None:
    run_guide("beam.md", server, Path(images_file).parent)
