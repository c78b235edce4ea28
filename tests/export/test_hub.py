"""Models of the hub by their names: downloads, caches and the way from one service to the other, without TensorFlow."""

import hashlib
import json
import re
import threading
from pathlib import Path
from typing import Any

import pytest

from hubserve_export import Progress, SourceError
from hubserve_export._sources import open_source
from hubserve_export.command import export
from hubserve_export.hub import credentials
from hubserve_export.hub.downloader import Downloader
from hubserve_export.hub.fetching import Fetched, fetch
from hubserve_export.hub.module_cache import Caches
from support import fake_hub
from support.fake_hub import FakeHub

PNASNET = "https://tfhub.dev/google/imagenet/pnasnet_large/classification/4"
ON_KAGGLE = "google/pnasnet/tensorFlow2/large-classification"
NOBODY = "http://127.0.0.1:9/me/miniature/classification/1"


def had(name: str = PNASNET, **options: Any) -> Fetched:
    return fetch(name, options.pop("progress", None), Downloader(pause=lambda _: None, **options))


def sha1(url: str) -> str:
    return hashlib.sha1(url.encode(), usedforsecurity=False).hexdigest()


def write_module(folder: Path) -> Path:
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "variables.index").write_bytes(b"index")
    (folder / "variables" / "variables.data-00000-of-00001").write_bytes(b"data")
    return folder


def test_a_module_is_downloaded_into_tensorflow_hubs_cache_and_found_there_again(hub: FakeHub, caches: Caches) -> None:
    first = had()
    assert first.folder == caches.tfhub / sha1(PNASNET)
    assert (first.folder / "saved_model.pb").read_bytes() == b"graph"
    assert (first.handle, first.name, first.version) == (PNASNET, f"{fake_hub.PATH}/4 on TensorFlow Hub", 4)
    assert first.url == f"{hub.storage}/kagglesdsdata/models/1/2/a.tar.gz"
    assert first.sha256 == hashlib.sha256(hub.archive).hexdigest()
    hub.requests.clear()
    again = had("google/imagenet/pnasnet_large/classification/4")
    assert again.cached
    assert (again.folder, again.url, again.sha256) == (first.folder, first.url, first.sha256)
    assert hub.requests == []


def test_a_variation_is_downloaded_into_kagglehubs_cache_and_found_there_again(hub: FakeHub, caches: Caches) -> None:
    first = had(f"{ON_KAGGLE}/1")
    assert first.folder == caches.kagglehub / "models" / ON_KAGGLE / "1"
    assert first.folder.with_name("1.complete").is_file()
    assert first.handle == f"https://www.kaggle.com/models/{ON_KAGGLE}/1"
    assert had(f"https://www.kaggle.com/models/{ON_KAGGLE}/1?tfhub-redirect=true").cached


def test_without_a_version_the_newest_one_is_asked_for(hub: FakeHub, caches: Caches) -> None:
    assert had(ON_KAGGLE).version == fake_hub.NEWEST
    assert [path.rpartition("/")[2] for path, _ in hub.asked("kaggle")] == ["get", "download"]
    assert had(ON_KAGGLE).cached


def test_without_kaggle_the_newest_version_of_the_cache_is_taken_with_a_warning(hub: FakeHub, caches: Caches) -> None:
    told: list[str] = []

    class Told(Progress):
        def warning(self, text: str) -> None:
            told.append(text)

    had(f"{ON_KAGGLE}/1")
    hub.faults = {"kaggle": "500"}
    assert had(ON_KAGGLE, progress=Told()).version == 1
    assert "version 1 of google/pnasnet" in told[0]
    assert "may not be the newest" in told[0]


@pytest.mark.parametrize(
    ("name", "refuses", "taken"),
    [
        (PNASNET, "tfhub", f"{ON_KAGGLE}/1 on Kaggle Models"),
        (f"{ON_KAGGLE}/2", "kaggle", f"{fake_hub.PATH}/5 on TensorFlow Hub"),
        (ON_KAGGLE, "kaggle", f"{fake_hub.PATH}/5 on TensorFlow Hub"),
    ],
)
@pytest.mark.parametrize("fault", ["403", "404", "429", "500"])
def test_where_one_service_refuses_the_twin_is_taken(
    hub: FakeHub, name: str, refuses: str, taken: str, fault: str
) -> None:
    hub.faults = {refuses: fault}
    module = had(name)
    assert module.name == taken
    assert f"answers {fault}" in module.refused
    assert f", because {module.refused}" in module.described()


def test_a_twin_in_the_cache_is_taken_before_the_network(hub: FakeHub, caches: Caches) -> None:
    folder = write_module(caches.kagglehub / "models" / "google/pnasnet/TensorFlow2/large-classification" / "1")
    folder.with_name("1.complete").touch()
    assert had() == Fetched(folder, PNASNET, f"{ON_KAGGLE}/1 on Kaggle Models", 1, None, None, True)
    assert hub.requests == []


@pytest.mark.parametrize(
    "spelling",
    [
        PNASNET,
        f"https://www.kaggle.com/models/{ON_KAGGLE}/1",
        "https://www.kaggle.com/models/google/pnasnet/frameworks/tensorFlow2/variations/large-classification/versions/1",
    ],
)
def test_what_tensorflow_hub_kept_under_any_spelling_is_found(caches: Caches, spelling: str) -> None:
    write_module(caches.tfhub / sha1(spelling))
    for name in (PNASNET, f"kaggle:{ON_KAGGLE}/1"):
        assert had(name).folder == caches.tfhub / sha1(spelling)


@pytest.mark.parametrize(
    "lost", ["saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"]
)
def test_a_remnant_in_the_cache_is_not_used_and_is_replaced(hub: FakeHub, caches: Caches, lost: str) -> None:
    folder = write_module(caches.tfhub / sha1(PNASNET))
    (folder / lost).unlink()
    module = had()
    assert (module.folder, module.cached) == (folder, False)
    assert (folder / lost).is_file()


def test_a_shortened_file_in_the_cache_is_not_used(hub: FakeHub) -> None:
    data = had().folder / "variables" / "variables.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:-1])
    assert not had().cached


def test_a_folder_of_kagglehub_without_its_mark_is_not_used(hub: FakeHub, caches: Caches) -> None:
    write_module(caches.kagglehub / "models" / ON_KAGGLE / "1")
    assert not had(f"{ON_KAGGLE}/1").cached


@pytest.mark.parametrize("fault", ["cut", "stall"])
def test_after_a_cut_the_download_goes_on_where_it_stopped(hub: FakeHub, fault: str) -> None:
    hub.faults, hub.once = {"tfhub": fault}, True
    module = had(read_seconds=2)
    assert module.sha256 == hashlib.sha256(hub.archive).hexdigest()
    assert [headers.get("Range") for _, headers in hub.asked("storage")] == [None, f"bytes={len(hub.archive) // 10}-"]


def test_the_next_run_goes_on_where_the_last_one_stopped(hub: FakeHub) -> None:
    hub.faults = {"tfhub": "cut", "kaggle": "404"}
    with pytest.raises(SourceError, match="run the command again, which goes on where it stopped"):
        had(attempts=1)
    hub.faults = {}
    hub.requests.clear()
    assert had().sha256 == hashlib.sha256(hub.archive).hexdigest()
    assert hub.asked("storage")[0][1]["Range"] == f"bytes={len(hub.archive) // 10}-"


def test_a_download_does_not_go_on_with_another_file(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.faults = {"tfhub": "cut", "kaggle": "404"}
    with pytest.raises(SourceError):
        had(attempts=1)
    hub.faults = {}
    monkeypatch.setattr(hub, "archive", hub.archive + b"\0")
    assert had().sha256 == hashlib.sha256(hub.archive).hexdigest()


@pytest.mark.parametrize("fault", ["checksum", "expired"])
def test_a_wrong_checksum_and_a_wrong_signature_are_tried_once_more(hub: FakeHub, fault: str) -> None:
    hub.faults, hub.once = {"tfhub": fault}, True
    assert had().name.endswith("on TensorFlow Hub")


def test_nothing_of_a_failed_download_is_taken_for_a_module(hub: FakeHub, caches: Caches) -> None:
    hub.faults = {"tfhub": "checksum", "kaggle": "checksum"}
    with pytest.raises(SourceError, match="another checksum than its server tells, twice"):
        had()
    assert not list(caches.tfhub.rglob("saved_model.pb"))
    assert not list(caches.tfhub.rglob("*part"))


def test_two_exports_at_once_download_once(hub: FakeHub) -> None:
    got: list[Fetched] = []
    threads = [threading.Thread(target=lambda: got.append(had())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 4
    assert sorted(module.cached for module in got) == [False, True, True, True]
    assert len(hub.asked("storage")) == 1


def test_a_full_disk_is_reported_before_a_download(hub: FakeHub) -> None:
    with pytest.raises(
        SourceError, match=r"has 0 MB free, and \d+ MB are needed\); make room there, or set TFHUB_CACHE_DIR"
    ):
        had(free_bytes=lambda _: 0)


def test_bytes_are_reported_while_they_come(hub: FakeHub) -> None:
    told: list[tuple[int, int | None]] = []
    steps: list[str] = []

    class Told(Progress):
        def step(self, what: str) -> None:
            steps.append(what)

        def received(self, done: int, total: int | None) -> None:
            told.append((done, total))

    had(progress=Told())
    assert steps == [f"downloading {fake_hub.PATH}/4 on TensorFlow Hub"]
    assert told[-1] == (len(hub.archive), len(hub.archive))


class TestCredentials:
    def test_a_public_model_is_asked_for_without_any(self, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KAGGLE_API_TOKEN", fake_hub.TOKEN)
        had(ON_KAGGLE)
        assert not any("Authorization" in headers for _, _, headers in hub.requests)

    def test_a_private_one_gets_them_and_the_storage_does_not(
        self, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hub.private = True
        monkeypatch.setenv("KAGGLE_API_TOKEN", fake_hub.TOKEN)
        assert had(ON_KAGGLE).name.endswith("on Kaggle Models")
        sent = [(service, headers.get("Authorization")) for service, _, headers in hub.requests]
        assert sent == [
            ("kaggle", None),
            ("kaggle", f"Bearer {fake_hub.TOKEN}"),
            ("kaggle", None),
            ("kaggle", f"Bearer {fake_hub.TOKEN}"),
            ("storage", None),
        ]

    def test_without_any_the_message_says_where_to_put_them(self, hub: FakeHub) -> None:
        hub.private, hub.faults = True, {"tfhub": "404"}
        with pytest.raises(SourceError, match=r"put a token from Kaggle's settings into ~/\.kaggle/access_token"):
            had(ON_KAGGLE)

    def test_no_message_shows_them(self, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
        hub.faults = {"tfhub": "expired", "kaggle": "403"}
        monkeypatch.setenv("KAGGLE_API_TOKEN", fake_hub.TOKEN)
        with pytest.raises(SourceError, match="as the user whose credentials are in KAGGLE_API_TOKEN") as raised:
            had(ON_KAGGLE)
        shown = str(raised.value) + repr(credentials.find())
        assert fake_hub.TOKEN not in shown
        assert fake_hub.SIGNATURE not in shown

    @pytest.mark.parametrize(
        ("files", "variables", "place"),
        [
            ({}, {"KAGGLE_USERNAME": "me", "KAGGLE_KEY": "key"}, "KAGGLE_USERNAME and KAGGLE_KEY"),
            ({"kaggle.json": '{"username": "me", "key": "key"}'}, {}, ".kaggle/kaggle.json"),
            ({"access_token": "token\n"}, {"KAGGLE_USERNAME": "me", "KAGGLE_KEY": "key"}, ".kaggle/access_token"),
            ({"access_token": "token"}, {"KAGGLE_API_TOKEN": "other"}, "KAGGLE_API_TOKEN"),
            ({"access_token": " ", "access_token.txt": "token"}, {}, ".kaggle/access_token.txt"),
        ],
    )
    def test_they_are_found_where_kagglehub_finds_them(
        self,
        caches: Caches,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        files: dict[str, str],
        variables: dict[str, str],
        place: str,
    ) -> None:
        (tmp_path / ".kaggle").mkdir()
        for name, text in files.items():
            (tmp_path / ".kaggle" / name).write_text(text)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        found = credentials.find()
        assert found is not None
        assert found.place.endswith(place)
        if "USERNAME" in place or place.endswith(".json"):
            assert found.authorization == "Basic bWU6a2V5"

    def test_a_broken_file_is_named_and_not_shown(self, caches: Caches, tmp_path: Path) -> None:
        (tmp_path / ".kaggle").mkdir()
        (tmp_path / ".kaggle" / "kaggle.json").write_text('{"username": "me", "key": secret}')
        with pytest.raises(SourceError, match=r"kaggle\.json cannot be read as Kaggle's credentials") as raised:
            credentials.find()
        assert "secret" not in str(raised.value)


def test_a_proxy_of_the_environment_is_taken(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with pytest.raises(SourceError, match="the proxy does not lead to localhost"):
        had()


def test_a_certificate_that_is_not_trusted_is_reported(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    with pytest.raises(SourceError, match=r"the certificate of localhost:.* is not trusted"):
        had()


def test_a_hub_that_cannot_be_reached_names_the_three_remedies(caches: Caches) -> None:
    with pytest.raises(SourceError, match="cannot be downloaded") as raised:
        had(NOBODY)
    assert all(remedy in str(raised.value) for remedy in ("check the network", "TFHUB_CACHE_DIR", ".tar.gz"))


def test_an_unknown_name_gets_a_suggestion(hub: FakeHub) -> None:
    with pytest.raises(
        SourceError, match=r"answers 404\); did you mean google/imagenet/pnasnet_large/classification/5"
    ):
        had("google/imagenet/pnasnet_large/clasification/4")


def test_a_missing_path_that_looks_like_a_name_is_reported_as_both(hub: FakeHub) -> None:
    with pytest.raises(
        SourceError, match=r"^models/mine/1 is not a file or folder here, and as a handle of the hub, it cannot"
    ):
        had("models/mine/1")


def test_a_file_that_is_not_an_archive_is_reported(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "archive", b"\x1f\x8bnothing")
    with pytest.raises(
        SourceError, match=r"is not an archive of a whole model; .*download its \.tar\.gz from .* with a browser"
    ):
        had()


def test_a_source_of_the_hub_says_how_it_was_downloaded(hub: FakeHub) -> None:
    with open_source(PNASNET) as source:
        assert (source.kind, source.handle) == ("hub", PNASNET)
        assert source.fetched is not None
        assert source.fetched.recorded() == {
            "name": f"{fake_hub.PATH}/4 on TensorFlow Hub",
            "version": 4,
            "url": f"{hub.storage}/kagglesdsdata/models/1/2/a.tar.gz",
            "sha256": hashlib.sha256(hub.archive).hexdigest(),
        }
        kept = json.loads(source.path.with_name(f"{source.path.name}.hubserve.json").read_text())
        assert not re.search("Signature", json.dumps(kept))


@pytest.mark.parametrize(
    ("fault", "name", "version"),
    [
        (None, f"{fake_hub.PATH}/4 on TensorFlow Hub", 4),
        ("403", f"{ON_KAGGLE}/1 on Kaggle Models", 1),
        ("expired", f"{ON_KAGGLE}/1 on Kaggle Models", 1),
    ],
)
def test_the_default_model_is_tried_on_the_hub_and_then_on_kaggle(
    hub: FakeHub, fault: str | None, name: str, version: int
) -> None:
    (argument,) = [parameter for parameter in export.params if parameter.name == "model"]
    hub.faults = {} if fault is None else {"tfhub": fault}
    module = had(str(argument.default))
    assert module.handle == PNASNET
    assert module.recorded() == {
        "name": name,
        "version": version,
        "url": f"{hub.storage}/kagglesdsdata/models/1/2/a.tar.gz",
        "sha256": hashlib.sha256(hub.archive).hexdigest(),
    }
    assert module.described().startswith(f"{name}, from {hub.storage}/kagglesdsdata/models/1/2/a.tar.gz")
    assert ("because" in module.described()) == (fault is not None)
    asked = [service for service, _, _ in hub.requests]
    assert asked[0] == "tfhub"
    assert ("kaggle" in asked) == (fault is not None)


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (
            "google/pnasnet",
            "as a page of Kaggle Models it has several variations: choose one: google/pnasnet/tensorFlow2/",
        ),
        (
            "google/imagenet/pnasnet_large/classification",
            "as a module of TensorFlow Hub it needs a version: give one of",
        ),
        ("google/imagenet/pnasnet_large/clasification", "did you mean google/imagenet/pnasnet_large/classification/5"),
    ],
)
def test_what_is_missing_in_a_name_without_a_service_is_asked_for_too(model: str, says: str) -> None:
    with pytest.raises(SourceError) as raised, open_source(model):
        pass
    assert says in str(raised.value)
