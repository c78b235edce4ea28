"""Try every form of a hub name with every fault: the download works, or one line says the right next step.

    PYTHONPATH=tests python -m trust.hub

Each cell is tried twice: with the fault at the service that the name is of, and with the fault at both. The services
are stand-ins (support/fake_hub.py); TensorFlow is not needed.
"""

import os
import re
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from hubserve_export import SourceError
from hubserve_export.hub.downloader import Downloader
from hubserve_export.hub.fetching import fetch
from hubserve_export.hub.module_cache import Caches
from support import fake_hub
from support.fake_hub import PATH, VARIATION, FakeHub

_LONG = "https://www.kaggle.com/models/google/pnasnet/frameworks/tensorFlow2/variations/large-classification"
FORMS = (
    f"https://tfhub.dev/{PATH}/4",
    f"https://tfhub.dev/{PATH}/4?tf-hub-format=compressed",
    f"https://tfhub.dev/{PATH}/4?tfhub-redirect=true",
    f"{PATH}/4",
    f"tfhub:{PATH}/4",
    f"{_LONG}/versions/1",
    _LONG,
    f"https://www.kaggle.com/models/{VARIATION}/1?tfhub-redirect=true",
    "https://kaggle.com/models/google/pnasnet/TensorFlow2/large-classification",
    f"{VARIATION}/1",
    VARIATION,
    f"kaggle:{VARIATION}/1",
)
# What the line says when both services have the fault. The alternatives are of names of tfhub.dev and of Kaggle.
FAULTS = {
    "403": r"accept the model's terms on https://www\.kaggle\.com/models/.* and put a token",
    "404": r"the public index has it, and the hub does not any more: look at https://www\.kaggle\.com/models/",
    "429": r"run the command again in 30 seconds$",
    "html": r"download its \.tar\.gz from https://www\.kaggle\.com/models/.* with a browser, and give that file$",
    "expired": r"the hub's storage fails at times: run the command again later, or download",
    "cut": r"run the command again, which goes on where it stopped$",
    "checksum": r"run the command again without the proxy that may change it, or download its \.tar\.gz",
    "stall": r"run the command again, which goes on where it stopped$",
    "no version": r"give a version, as https://www\.kaggle\.com/models/.*/VERSION$",
    "full disk": r"make room there, or set (TFHUB_CACHE_DIR|KAGGLEHUB_CACHE) to a folder with room$",
}
_WORKS = "works"
# What no message may show.
_SECRETS = (fake_hub.SIGNATURE, fake_hub.TOKEN)


@dataclass(frozen=True)
class Cell:
    """The outcome of a form and a fault: with one service at fault, and with both."""

    form: str
    fault: str
    one: str
    both: str

    @property
    def wrong(self) -> str:
        """The fault of a cell; empty if there is none."""
        if self.fault != "full disk" and self.one != _WORKS:
            return f"one service at fault: {self.one}"
        if self.fault == "no version" and re.search(r"/\d+(\?|$)", self.form):
            # A name with a version never asks for the newest one; and tfhub.dev has its twin's.
            return "" if self.both == _WORKS else f"both at fault: {self.both}"
        for said in {self.one, self.both} - {_WORKS}:
            if "\n" in said or not re.search(FAULTS[self.fault], said) or any(secret in said for secret in _SECRETS):
                return said
        return "" if self.both != _WORKS else "works, though both are at fault"


def tried(hub: FakeHub, form: str, fault: str, both: bool, folder: Path) -> str:
    """Ask for a name with a fault; gives "works" or the error's text."""
    downloader = Downloader(
        read_seconds=1 if fault == "stall" else 60,
        attempts=2,
        pause=lambda _: None,
        free_bytes=(lambda _: 0) if fault == "full disk" else (lambda _: 1 << 40),
    )
    caches = Caches(folder / "tfhub", folder / "kagglehub")
    try:
        fetched = fetch(form, None, downloader, hub.services, caches)
    except SourceError as error:
        return str(error)
    whole = (fetched.folder / "saved_model.pb").read_bytes() == b"graph"
    return _WORKS if whole and not fetched.cached else "something else than the module came"


def of_fault(fault: str, folder: Path) -> list[Cell]:
    """Try all forms with one fault, several at once."""
    with fake_hub.running(folder) as (hub, bundle), ThreadPoolExecutor(len(FORMS)) as pool:
        os.environ["REQUESTS_CA_BUNDLE"] = str(bundle)
        outcomes: dict[tuple[str, bool], str] = {}
        for asked in ("tfhub", "kaggle", "both"):
            services = ("tfhub", "kaggle") if asked == "both" else (asked,)
            hub.faults = dict.fromkeys(services, fault) if fault != "full disk" else {}
            forms = [form for form in FORMS if asked in ("both", _service(form))]
            folders = [folder / asked / str(at) for at in range(len(forms))]
            said = pool.map(lambda form, at, both=asked == "both": tried(hub, form, fault, both, at), forms, folders)
            outcomes |= {(form, asked == "both"): text for form, text in zip(forms, said, strict=True)}
    return [Cell(form, fault, outcomes[form, False], outcomes[form, True]) for form in FORMS]


def cells() -> list[Cell]:
    """Try every cell, without the credentials and the caches of the user."""
    kept = dict(os.environ)
    with tempfile.TemporaryDirectory() as folder:
        try:
            for variable in ("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_CONFIG_DIR"):
                os.environ.pop(variable, None)
            os.environ |= {"HOME": folder, "NO_PROXY": "localhost"}
            made = []
            for at, fault in enumerate(FAULTS):
                (Path(folder) / str(at)).mkdir()
                made += of_fault(fault, Path(folder) / str(at))
            return made
        finally:
            os.environ.clear()
            os.environ.update(kept)


def _service(form: str) -> str:
    return "tfhub" if PATH in form else "kaggle"


def lines(tried: list[Cell]) -> list[str]:
    """Write the table, and below it what is wrong and how many cells are right."""
    by_cell: Mapping[tuple[str, str], Cell] = {(cell.form, cell.fault): cell for cell in tried}
    width = max(map(len, FORMS))
    table = [f"{'':{width}}  " + "  ".join(f"{fault:>10}" for fault in FAULTS)]
    for form in FORMS:
        words = (_word(by_cell[form, fault]) for fault in FAULTS)
        table.append(f"{form:{width}}  " + "  ".join(f"{word:>10}" for word in words))
    wrong = [cell for cell in tried if cell.wrong]
    table += [f"wrong: {cell.form}, {cell.fault}: {cell.wrong}" for cell in wrong]
    return [*table, f"{len(tried) - len(wrong)} of {len(tried)} work, or say the right next step"]


def _word(cell: Cell) -> str:
    if cell.wrong:
        return "WRONG"
    return {(True, True): "works", (True, False): "works/says"}.get((cell.one == _WORKS, cell.both == _WORKS), "says")


if __name__ == "__main__":
    outcome = cells()
    print("\n".join(lines(outcome)))
    sys.exit(any(cell.wrong for cell in outcome))
