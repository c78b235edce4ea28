"""Caches, archives, proxies and credentials that are not as they should be: all works, or one line says what to do."""

import hashlib
import io
import os
import signal
import subprocess
import sys
import tarfile
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from hubserve_export import Progress, SourceError
from hubserve_export.hub import credentials, module_cache
from hubserve_export.hub.downloader import Downloader
from hubserve_export.hub.fetching import Fetched, fetch
from hubserve_export.hub.handles import parse
from hubserve_export.hub.module_cache import Caches
from support import fake_hub
from support.fake_hub import PATH, VARIATION, FakeHub

PNASNET = f"https://tfhub.dev/{PATH}/4"


class Told(Progress):
    def __init__(self) -> None:
        self.steps: list[str] = []
        self.warnings: list[str] = []

    def step(self, what: str) -> None:
        self.steps.append(what)

    def warning(self, text: str) -> None:
        self.warnings.append(text)


def had(name: str = PNASNET, **options: Any) -> Fetched:
    return fetch(name, options.pop("progress", None), Downloader(pause=lambda _: None, **options))


def said(name: str = PNASNET, **options: Any) -> str:
    with pytest.raises(SourceError) as raised:
        had(name, **options)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def packed(names: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, data in names.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


WHOLE = {
    "saved_model.pb": b"graph",
    "variables/variables.index": b"index",
    "variables/variables.data-00000-of-00001": b"weights",
}


@pytest.mark.parametrize(
    "names",
    [
        {"saved_model.pb": b"graph", "variables/variables.index": b"index"},
        {name.replace("00001", "00002"): data for name, data in WHOLE.items()},
        {f"{folder}/{name}": data for folder in "ab" for name, data in WHOLE.items()},
        {"readme.md": b"nothing"},
        WHOLE | {"../poison": b"x"},
    ],
    ids=["no weights", "one of two parts", "two models", "no model", "reaches outside"],
)
def test_an_archive_without_one_whole_model_never_gets_into_the_cache(
    hub: FakeHub, caches: Caches, monkeypatch: pytest.MonkeyPatch, names: dict[str, bytes]
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(hub, "archive", packed(names))
        assert "is not an archive of a whole model" in said()
    assert not list(caches.tfhub.rglob("saved_model.pb"))
    assert not list(caches.tfhub.parent.rglob("poison"))
    assert not had().cached


def test_an_archive_with_one_top_folder_is_a_module(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "archive", packed({f"pnasnet/{name}": data for name, data in WHOLE.items()}))
    assert (had().folder / "saved_model.pb").read_bytes() == b"graph"
    assert had().cached


def test_a_disk_that_fills_while_unpacking_says_so(
    hub: FakeHub, caches: Caches, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(tarfile.TarFile, "extractall", full)
        assert "(No space left on device)); make room there, or set TFHUB_CACHE_DIR" in said()
    assert not list(caches.tfhub.rglob("saved_model.pb"))
    assert not had().cached


class TestCacheFolders:
    def test_one_that_is_a_file_is_reported(self, hub: FakeHub, caches: Caches) -> None:
        caches.tfhub.write_bytes(b"")
        assert "set TFHUB_CACHE_DIR to a folder that you can write to" in said()

    def test_one_that_cannot_be_written_to_is_reported(self, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KAGGLEHUB_CACHE", "/proc/hubserve")
        assert "set KAGGLEHUB_CACHE to a folder that you can write to" in said(f"{VARIATION}/1")

    @pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
    def test_one_that_is_read_only_serves_what_it_has(self, hub: FakeHub, caches: Caches) -> None:
        had()
        # As another user, who can only read it.
        program = (
            "import os; from hubserve_export.hub.fetching import fetch\n"
            "os.setgid(65534); os.setuid(65534)\n"
            f"print(fetch({PNASNET!r}).cached)\n"
            "from hubserve_export import SourceError\n"
            f"try: fetch('{PATH}/5')\n"
            "except SourceError as error: print(error)"
        )
        for folder in (caches.tfhub.parent, *caches.tfhub.parent.parents):
            if folder.stat().st_uid == 0 and folder not in (Path("/"), Path("/tmp")):  # noqa: S108 - not used, only left as it is
                folder.chmod(folder.stat().st_mode | 0o055)
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        cached, *rest = done.stdout.splitlines()
        assert cached == "True", done.stderr
        assert len(rest) == 1
        assert "(Permission denied)); set TFHUB_CACHE_DIR to a folder that you can write to" in rest[0]

    def test_one_that_is_a_link_is_followed(self, hub: FakeHub, caches: Caches, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").mkdir()
        caches.tfhub.symlink_to(tmp_path / "elsewhere")
        assert not had().cached
        assert had().cached
        assert list((tmp_path / "elsewhere").rglob("saved_model.pb"))

    def test_one_that_is_a_link_to_nothing_is_reported(self, hub: FakeHub, caches: Caches, tmp_path: Path) -> None:
        caches.tfhub.symlink_to(tmp_path / "nowhere")
        assert "set TFHUB_CACHE_DIR to a folder that you can write to" in said()

    def test_a_module_that_is_a_link_is_replaced_and_its_target_kept(
        self, hub: FakeHub, caches: Caches, tmp_path: Path
    ) -> None:
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "note").write_bytes(b"kept")
        caches.tfhub.mkdir()
        folder = caches.tfhub / hashlib.sha1(PNASNET.encode(), usedforsecurity=False).hexdigest()
        folder.symlink_to(tmp_path / "mine")
        assert had().folder == folder
        assert not folder.is_symlink()
        assert (tmp_path / "mine" / "note").read_bytes() == b"kept"

    @pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
    def test_the_default_one_of_another_user_is_not_trusted(
        self, caches: Caches, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("TFHUB_CACHE_DIR")
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        shared = tmp_path / "tfhub_modules"
        assert Caches.of_environment().tfhub == shared
        shared.mkdir()
        assert Caches.of_environment().tfhub == shared
        os.chown(shared, 65534, 65534)
        assert Caches.of_environment().tfhub == tmp_path / ".cache" / "tfhub_modules"
        monkeypatch.setenv("TFHUB_CACHE_DIR", str(shared))
        assert Caches.of_environment().tfhub == shared  # the user says so

    def test_a_user_without_a_home_has_caches(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        def nobody() -> Path:
            raise RuntimeError("Could not determine home directory.")

        monkeypatch.setattr(Path, "home", nobody)
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        monkeypatch.delenv("KAGGLEHUB_CACHE", raising=False)
        monkeypatch.delenv("KAGGLE_CONFIG_DIR", raising=False)
        assert Caches.of_environment().kagglehub.is_relative_to(tmp_path)
        assert credentials.home() is None

    def test_a_variation_kept_under_other_capitals_is_found(self, hub: FakeHub, caches: Caches) -> None:
        folder = had(f"{VARIATION}/1").folder
        renamed = caches.kagglehub / "models" / "Google" / "PNASNet" / "TensorFlow2" / "Large-Classification"
        renamed.parent.mkdir(parents=True)
        folder.parent.rename(renamed)
        for name in ("large-classification", "tensorFlow2"):
            folder = folder.parent
            assert folder.name == name
        folder.rmdir()
        folder.parent.rmdir()
        folder.parent.parent.rmdir()
        assert had(f"{VARIATION}/1").cached

    def test_a_record_without_files_is_not_believed(self, hub: FakeHub) -> None:
        module = had()
        record = module.folder.with_name(f"{module.folder.name}.hubserve.json")
        record.write_text('{"name": "x", "url": "y", "sha256": "z", "files": {}}')
        (module.folder / "saved_model.pb").unlink()
        assert not had().cached


def test_an_export_that_waits_for_another_one_says_so(hub: FakeHub, caches: Caches) -> None:
    told = Told()
    place = next(caches.places(parse(PNASNET), PNASNET))
    waits, got = threading.Event(), []

    class Waiting(Told):
        def step(self, what: str) -> None:
            told.step(what)
            waits.set()

    with place.locked():
        thread = threading.Thread(target=lambda: got.append(had(progress=Waiting())))
        thread.start()
        assert waits.wait(60)
    thread.join(60)
    assert told.steps[0] == "waiting for another export that downloads it"
    assert not got[0].cached


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_the_lock_of_another_user_can_be_taken(tmp_path: Path) -> None:
    lock = tmp_path / ".module.hubserve-lock"
    lock.touch(0o644)
    tmp_path.chmod(0o777)
    child = os.fork()
    if not child:  # as another user
        os.setuid(65534)
        try:
            os.close(module_cache._opened(lock))
        except OSError:
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_two_exports_at_once_that_are_killed_poison_nothing(hub: FakeHub, caches: Caches) -> None:
    program = f"from hubserve_export.hub.fetching import fetch; print('begins', flush=True); fetch({PNASNET!r})"
    for wait in (0.0, 0.02, 0.05, 0.1):
        running = [
            subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            for _ in range(2)
        ]
        for process in running:
            assert process.stdout is not None
            process.stdout.readline()
        time.sleep(wait)  # Each round kills at another point; what is right after it does not depend on which.
        for process in running:
            process.send_signal(signal.SIGKILL)
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
        module = had()
        assert (
            hashlib.sha256((module.folder / "saved_model.pb").read_bytes()).digest()
            == hashlib.sha256(b"graph").digest()
        )
        weights = (module.folder / "variables" / "variables.data-00000-of-00001").stat().st_size
        assert weights == 40_000
        module.folder.with_name(f"{module.folder.name}.hubserve.json").unlink(missing_ok=True)
        (module.folder / "saved_model.pb").unlink()
    had(f"{PATH}/5")  # What the killed ones left goes with the next download.
    assert not list(caches.tfhub.glob(".hubserve-*"))


class TestProxies:
    def test_a_host_of_no_proxy_is_asked_directly(self, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("NO_PROXY", "localhost")
        assert not had().cached

    @pytest.mark.parametrize(
        "proxy", ["http://", "foo bar", "http://127.0.0.1:port", "http://[::1", "ftp://127.0.0.1:9"]
    )
    def test_one_that_is_not_an_address_is_reported(
        self, hub: FakeHub, monkeypatch: pytest.MonkeyPatch, proxy: str
    ) -> None:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        message = said()
        assert "the proxy that the environment names is not http://HOST:PORT" in message
        assert "correct it" in message

    def test_its_password_is_not_shown(self, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HTTPS_PROXY", "http://me:pa55word@127.0.0.1:9")
        assert "pa55word" not in said()

    def test_a_file_of_certificates_that_is_not_there_is_reported(
        self, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")
        assert "the file of certificates that REQUESTS_CA_BUNDLE names is not there); correct it" in said()

    @pytest.mark.parametrize("address", ["tfhub.example.com", "file:///hub", "http://a..b", "https://"])
    def test_a_mirror_that_is_not_an_address_is_reported(
        self, hub: FakeHub, monkeypatch: pytest.MonkeyPatch, address: str
    ) -> None:
        monkeypatch.setenv("HUBSERVE_TFHUB_URL", address)
        monkeypatch.setenv("HUBSERVE_KAGGLE_URL", address)
        message = said()
        assert "is not an address of HTTP" in message
        assert "HUBSERVE_TFHUB_URL" in message


class TestMirrors:
    def test_user_and_password_of_an_address_are_sent_and_never_shown(self, hub: FakeHub, caches: Caches) -> None:
        mirror = hub.services.tfhub.replace("https://", "https://me:pa%2Fss@") + f"/{PATH}/4?token=sEcret"
        module = had(mirror)
        sent = [headers.get("Authorization") for _, headers in hub.asked("tfhub")]
        assert sent == ["Basic bWU6cGEvc3M="]
        assert [headers.get("Authorization") for _, headers in hub.asked("storage")] == [None]
        assert module.handle == f"{hub.services.tfhub}/{PATH}/4"
        record = module.folder.with_name(f"{module.folder.name}.hubserve.json").read_text()
        for text in (repr(module), record):
            assert "sEcret" not in text
            assert "pa%2Fss" not in text

    def test_what_fails_does_not_show_them_either(self, hub: FakeHub) -> None:
        message = said("https://me:pa55word@127.0.0.1:9/x/1?token=sEcret")
        assert "no connection to 127.0.0.1:9" in message
        assert "pa55word" not in message
        assert "sEcret" not in message

    def test_a_redirect_to_nothing_is_reported(self, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(hub, "storage", "https://[")
        assert "leads to what is not an address" in said()


class TestCredentials:
    @pytest.mark.parametrize("secret", ["two\nlines", "a b", "s\u00e9same", "nul\x7f"])
    @pytest.mark.parametrize("kind", ["token", "key"])
    def test_headers_that_cannot_be_sent_are_reported_and_not_shown(
        self, hub: FakeHub, monkeypatch: pytest.MonkeyPatch, secret: str, kind: str
    ) -> None:
        hub.private, hub.faults = True, {"tfhub": "404"}
        if kind == "token":
            monkeypatch.setenv("KAGGLE_API_TOKEN", secret)
        else:
            monkeypatch.setenv("KAGGLE_USERNAME", "me")
            monkeypatch.setenv("KAGGLE_KEY", secret)
        message = said(VARIATION)
        assert "copy it again from Kaggle's settings" in message
        assert secret not in message

    def test_line_feeds_around_them_are_left_out(self, caches: Caches, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KAGGLE_USERNAME", "me\n")
        monkeypatch.setenv("KAGGLE_KEY", " key\r\n")
        found = credentials.find()
        assert found is not None
        assert found.authorization == "Basic bWU6a2V5"

    @pytest.mark.parametrize("name", ["kaggle.json", "access_token"])
    def test_a_file_that_others_can_read_is_used_with_a_warning(
        self, hub: FakeHub, caches: Caches, tmp_path: Path, name: str
    ) -> None:
        (tmp_path / ".kaggle").mkdir()
        file = tmp_path / ".kaggle" / name
        file.write_text('{"username": "me", "key": "key"}' if name == "kaggle.json" else fake_hub.TOKEN)
        file.chmod(0o600)
        assert credentials.find().warning == ""  # type: ignore[union-attr]
        file.chmod(0o644)
        hub.private, told = True, Told()
        had(VARIATION, progress=told)
        assert told.warnings[0] == (
            f"other users of this machine can read {file}, which has your credentials of Kaggle: chmod 600 {file}"
        )

    @pytest.mark.parametrize("content", [b"\xff\xfe", b'{"username": "me"}', b"[]", b"null"])
    def test_a_file_that_is_not_theirs_is_reported(self, caches: Caches, tmp_path: Path, content: bytes) -> None:
        (tmp_path / ".kaggle").mkdir()
        (tmp_path / ".kaggle" / "kaggle.json").write_bytes(content)
        with pytest.raises(SourceError, match="cannot be read as Kaggle's credentials"):
            credentials.find()

    def test_a_token_file_that_is_not_text_is_reported(self, caches: Caches, tmp_path: Path) -> None:
        (tmp_path / ".kaggle").mkdir()
        (tmp_path / ".kaggle" / "access_token").write_bytes(b"\xff\xfe")
        with pytest.raises(SourceError, match="cannot be read as a token of Kaggle"):
            credentials.find()
