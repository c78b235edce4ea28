"""Choose the image of TensorFlow Serving by the TensorFlow that exported the model.

A server does not promise to load what a newer TensorFlow saved, so the image is never of an older release.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hubserve_model.exporter import newer_tensorflow

from ._errors import ManifestsError
from ._selection import Image

if TYPE_CHECKING:
    from ._model import Model

NAME = "tensorflow/serving"
# The release in k8s/base/deployment.yaml, which was tried. The ones after it are published as packages, and were not.
TRIED = (2, 20, 0)
_RELEASES = (TRIED, (2, 21, 0))
_TAG = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?(?![\d.])")


@dataclass(frozen=True)
class Server:
    """Hold the images of TensorFlow Serving.

    Attributes:
        image: The image for nodes with a GPU.
        cpu: The image for nodes without.
        note: What the user should check before using it; empty where there is nothing.
    """

    image: Image
    cpu: Image
    note: str = ""


def choose_server(model: Model, given: Image | None) -> Server:
    """Return the images that can load a model.

    Args:
        model: The model, with the TensorFlow that exported each version.
        given: The image that the user names, or None for the oldest release that is new enough.

    Raises:
        ManifestsError: The image is older than the model's TensorFlow, or no known release is new enough.
    """
    newest = next(
        (one for one in model.tensorflow if not any(_newer(two, _numbers(one)) for two in model.tensorflow)), ""
    )
    if given is not None:
        return _of_given(newest, given)
    release = next((each for each in _RELEASES if not _newer(newest, each)), None)
    if release is None:
        raise ManifestsError(
            f"the model was exported with TensorFlow {newest}, and hubserve knows TensorFlow Serving up to "
            f"{_words(_RELEASES[-1])}: name an image of that release with --server-image, or export the model with "
            f"TensorFlow {_words(_RELEASES[-1][:2])}"
        )
    words = _words(release)
    note = (
        f"the model was exported with TensorFlow {newest}, so the server is {NAME}:{words}, which hubserve was not "
        f"tried with: pull it first, or export the model with TensorFlow {_words(TRIED[:2])}"
    )
    return Server(Image(NAME, f"{words}-gpu", None), Image(NAME, words, None), "" if release == TRIED else note)


def _of_given(newest: str, given: Image) -> Server:
    release = _numbers(given.tag or "")
    if not release:
        note = (
            f"the release of {given.text} is not known: it must not be older than TensorFlow {newest}" if newest else ""
        )
        return Server(given, given, note)
    if _newer(newest, release):
        raise ManifestsError(
            f"the model was exported with TensorFlow {newest}, and --server-image {given.text} is TensorFlow Serving "
            f"{_words(release)}, which may not load it: name a newer image, or export the model with TensorFlow "
            f"{_words(release[:2])}"
        )
    return Server(given, given)


def _newer(tensorflow: str, release: tuple[int, ...]) -> bool:
    return newer_tensorflow({"tensorflow": tensorflow}, release) is not None


def _numbers(text: str) -> tuple[int, ...]:
    found = _TAG.match(text)
    return tuple(int(number) for number in found.groups() if number is not None) if found else ()


def _words(release: tuple[int, ...]) -> str:
    return ".".join(map(str, release))
