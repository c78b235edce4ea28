from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import PIL.ExifTags
import PIL.Image
import pytest

from hubserve import Client
from support import scripted_model
from support.fake_server import FakeServer


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A scripted server that classifies, unless a test gives it another script."""
    with FakeServer(predict=scripted_model.classify) as server:
        yield server


@pytest.fixture
def client(server: FakeServer) -> Iterator[Client]:
    """Without retries, so that the server's answer reaches the test unchanged."""
    with Client(server.target, model="pnasnet", timeout=20, retry=None) as client:
        yield client


@pytest.fixture
def photograph() -> Path:
    """A cat, as scikit-image ships it: a PNG of 451 x 300 pixels."""
    return Path(find_spec("skimage").origin).parent / "data" / "chelsea.png"


@pytest.fixture
def sideways_photograph(photograph: Path, tmp_path: Path) -> Path:
    """The cat as written by a camera held sideways: turned pixels, and the EXIF orientation for them."""
    path = tmp_path / "sideways.jpg"
    exif = PIL.Image.Exif()
    exif[PIL.ExifTags.Base.Orientation] = 6
    with PIL.Image.open(photograph) as image:
        image.transpose(PIL.Image.Transpose.ROTATE_90).save(path, exif=exif, quality=95)
    return path
