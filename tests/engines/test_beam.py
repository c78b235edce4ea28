"""Beam's direct runner: every pair comes in one of the two outputs, and the guide's program."""

from pathlib import Path

import pytest

from engines.conftest import ROWS, image, label, run_guide
from hubserve import AccessDenied, Settings, UsageError
from hubserve.testing import FakeServer, Fault, Request

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


def test_wrong_arguments_are_refused_when_the_pipeline_is_made() -> None:
    from hubserve.beam import Classify, ImageModelHandler

    with pytest.raises(UsageError, match="batch_size"):
        Classify(Settings("localhost:1", model="m"), batch_size=0)
    with pytest.raises(UsageError, match="top_k"):
        ImageModelHandler(Settings("localhost:1", model="m"), top_k=0)


def test_the_guide_labels_two_thousand_rows(server: FakeServer, images_file: str) -> None:
    run_guide("beam.md", server, Path(images_file).parent)
