"""Models by hub handle: the real code of tensorflow_hub, against a server on this machine and against none."""

import hashlib
import http.server
import io
import shutil
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from hubserve_export import SourceError
from hubserve_export._sources import open_source

PNASNET = "https://tfhub.dev/google/imagenet/pnasnet_large/classification/4"
NOBODY = "http://127.0.0.1:9/google/imagenet/pnasnet_large/classification/4"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(folder))
    return folder


@pytest.fixture
def hub_server(miniature_saved: Path) -> Iterator[str]:
    """A hub: it answers as tfhub.dev does, with a .tar.gz when asked for ?tf-hub-format=compressed."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        tar.add(miniature_saved, ".")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path.endswith("/miniature/classification/1?tf-hub-format=compressed")
            self.send_response(200 if found else 404)
            self.end_headers()
            if found:
                self.wfile.write(packed.getvalue())

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_module_is_downloaded_into_the_cache_and_found_there_again(hub_server: str, cache: Path) -> None:
    handle = f"{hub_server}/me/miniature/classification/1"
    with open_source(handle) as source:
        assert (source.kind, source.handle) == ("hub", handle)
        assert source.path == cache / hashlib.sha1(handle.encode()).hexdigest()  # noqa: S324 - tensorflow_hub's choice
        assert (source.path / "saved_model.pb").is_file()
        downloaded = (source.path / "saved_model.pb").stat().st_mtime_ns
    with open_source(handle) as source:
        assert (source.path / "saved_model.pb").stat().st_mtime_ns == downloaded


def test_a_module_in_the_cache_needs_no_network(cache: Path, miniature_saved: Path) -> None:
    shutil.copytree(miniature_saved, cache / "6f813aa8ad06a5191cec4453042f52a7d39795ec")
    with open_source(PNASNET) as source:
        assert source.path.parent == cache


def test_a_handle_without_an_address_is_the_hubs(cache: Path, miniature_saved: Path) -> None:
    shutil.copytree(miniature_saved, cache / "6f813aa8ad06a5191cec4453042f52a7d39795ec")
    with open_source("google/imagenet/pnasnet_large/classification/4") as source:
        assert source.handle == PNASNET


def test_a_hub_that_cannot_be_reached_names_the_three_remedies(cache: Path) -> None:
    with pytest.raises(SourceError, match="cannot be downloaded") as raised, open_source(NOBODY):
        pass
    assert all(remedy in str(raised.value) for remedy in ("check the network", "TFHUB_CACHE_DIR", ".tar.gz"))


def test_a_path_that_is_not_there_and_looks_like_a_handle_is_told_as_both(cache: Path) -> None:
    with (
        pytest.raises(
            SourceError, match=r"^models/mine/1 is no file or folder here, and as a handle of the hub, https:"
        ),
        open_source("models/mine/1"),
    ):
        pass


def test_a_module_that_the_hub_does_not_have_is_an_error(hub_server: str, cache: Path) -> None:
    with pytest.raises(SourceError, match="404"), open_source(f"{hub_server}/me/other/1"):
        pass


def test_a_broken_copy_in_the_cache_is_named(cache: Path) -> None:
    broken = cache / "6f813aa8ad06a5191cec4453042f52a7d39795ec"
    (broken / "variables").mkdir(parents=True)
    with pytest.raises(SourceError, match=f"remove {broken}"), open_source(PNASNET):
        pass
