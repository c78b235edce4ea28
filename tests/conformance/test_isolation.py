"""One bad image costs no other image its answer, alone in a request or among the images of other callers.

What TF Serving does here is in `batching/batching_session.cc` (release 2.20.0): `MergeInputTensors` joins the rows of
all callers, `ProcessBatch` gives every one of them the error of a run that fails, and `SplitOutputTensors` gives each
its own rows. That bad images do not fail the run is the exported graph's work. A running TF Serving 2.20.0 gave the
same answers to both tests.
"""

from concurrent.futures import ThreadPoolExecutor

from conformance.subject import IMAGES, Subject, in_turn

GOOD, BAD = 0, 1
TEXT = b"This is no image."
TRUNCATED = IMAGES[0][: len(IMAGES[0]) // 2]


def statuses(subject: Subject, *images: bytes) -> list[int]:
    answer = in_turn(subject.caller.prediction.Predict, subject.request(list(images)))
    return list(answer.outputs["status"].int_val)


def test_every_image_of_a_request_has_its_own_status(exported: Subject):
    images = (IMAGES[0], TEXT, IMAGES[1], b"", TRUNCATED)
    assert statuses(exported, *images) == [GOOD, BAD, GOOD, BAD, BAD]


def test_callers_at_once_have_their_own_status_when_every_third_sends_garbage(exported: Subject):
    garbage = (TEXT, b"", TRUNCATED)
    callers = 48
    images = [garbage[index // 3 % 3] if index % 3 == 2 else IMAGES[index % 2] for index in range(callers)]
    with ThreadPoolExecutor(callers) as pool:
        answers = list(pool.map(lambda image: statuses(exported, image), images))
    assert answers == [[BAD] if index % 3 == 2 else [GOOD] for index in range(callers)]
