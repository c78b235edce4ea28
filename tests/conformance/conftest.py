"""The server that the suite is run against.

`pytest tests/conformance` starts embedded servers; `pytest tests/conformance --server HOST:PORT --model NAME` calls one
that runs already, and skips what needs its own server. `pytest tests/conformance --binary PATH` starts a real
tensorflow_model_server wherever a test needs its own server.
"""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conformance.own_server import Own, OwnServer, maker
from conformance.subject import Subject
from serve.calls import PATIENCE, Caller, calling
from serve.toys import model_dir, save_toy


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("conformance", "what a TF Serving server promises its clients")
    group.addoption("--server", metavar="HOST:PORT", help="test this server instead of embedded ones")
    group.addoption("--model", metavar="NAME", help="the model that the server serves")
    group.addoption("--binary", metavar="PATH", help="start this tensorflow_model_server instead of embedded servers")


def _external(config: pytest.Config) -> tuple[str, str] | None:
    # Where pytest was not started for this folder, it has not met the options.
    server, model = config.getoption("--server", default=None), config.getoption("--model", default=None)
    if bool(server) != bool(model):
        raise pytest.UsageError("--server and --model go together")
    return (server, model) if server else None


@pytest.fixture(scope="session")
def real(request: pytest.FixtureRequest) -> bool:
    """Tell whether TensorFlow Serving itself is tested: docs/serving.md has where the embedded engine differs."""
    binary = request.config.getoption("--binary", default=None)
    if binary is None:
        return False
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True, timeout=PATIENCE).stdout
    # tests/serve/stand_ins/embedded_model_server.py is the embedded engine behind the program's flags.
    return "stands in" not in said


@pytest.fixture(scope="session")
def own_server(own: None, request: pytest.FixtureRequest) -> Own:
    """Make a server for one test: `with own_server(base, version=1) as server`."""
    return maker(request.config.getoption("--binary", default=None))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "subject" in metafunc.fixturenames:
        subjects = ["external"] if _external(metafunc.config) else ["toy", "exported"]
        metafunc.parametrize("subject", subjects, indirect=True, scope="session")


@pytest.fixture(scope="session")
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    """The model for which the promises are checked; they hold for any model."""
    if request.param == "external":
        external = _external(request.config)
        assert external is not None
        with calling(external[0]) as caller:
            yield Subject(caller, *external)
        return
    server = request.getfixturevalue(f"{request.param}_server")
    with calling(server.target) as caller:
        yield Subject(caller, server.target, server.name)


@pytest.fixture(scope="session")
def exported(request: pytest.FixtureRequest) -> Iterator[Subject]:
    """A model as hubserve exports it, with a status for each image."""
    external = _external(request.config)
    if external is None:
        server = request.getfixturevalue("exported_server")
        external = server.target, server.name
    with calling(external[0]) as caller:
        subject = Subject(caller, *external)
        if "status" not in subject.outputs:
            pytest.skip("needs a model that hubserve exported")
        yield subject


@pytest.fixture(scope="session")
def toy_server(toy: Path, tmp_path_factory: pytest.TempPathFactory, own_server: Own) -> Iterator[OwnServer]:
    """The toy, not batched, with an older version in its folder."""
    with own_server(model_dir(toy, tmp_path_factory.mktemp("models") / "toy", 1, 3)) as server:
        yield server


@pytest.fixture(scope="session")
def toy_caller(toy_server: OwnServer) -> Iterator[Caller]:
    with calling(toy_server.target) as caller:
        yield caller


@pytest.fixture(scope="session")
def exported_server(own_server: Own, light_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnServer]:
    """Serve a model as hubserve exports it, warmed up, and batched in eights."""
    base = shutil.copytree(light_dir, tmp_path_factory.mktemp("exported") / "light")
    (base / "1" / "batching_params.pbtxt").write_text(
        "max_batch_size { value: 8 } allowed_batch_sizes: [1, 2, 4, 8] max_enqueued_batches { value: 100 }"
    )
    with own_server(base) as server:
        yield server


@pytest.fixture(scope="session")
def own(request: pytest.FixtureRequest) -> None:
    """Mark tests that need their own server."""
    if _external(request.config):
        pytest.skip("needs its own server, with a model and parameters made for the test")


@pytest.fixture(scope="session")
def toy(own: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_toy(tmp_path_factory.mktemp("saved") / "toy")


@pytest.fixture
def serve(own_server: Own) -> Iterator[Callable[..., Caller]]:
    """Starts servers: `serve(base, version_labels={"stable": 1})` gives a caller of it."""
    stop: list[Callable[..., None]] = []

    def start(base: Path, **options: object) -> Caller:
        server = own_server(base, poll_seconds=0.05, **options)
        server.start()
        caller = Caller(server.target)
        stop.extend([server.stop, caller.channel.close])
        return caller

    yield start
    for action in reversed(stop):
        action()


@pytest.fixture
def batched(serve: Callable[..., Caller], toy: Path, tmp_path: Path) -> Callable[[str], Caller]:
    """Starts a server for the toy under the batching parameters given."""
    return lambda parameters: serve(model_dir(toy, tmp_path / "toy", batching=parameters))
