"""The manifests stay small enough to be read: the base in one sitting, a component at a glance."""

import pytest

from k8s.manifests import COMPONENTS, JOBS, K8S


def lines(*folders: str, suffixes: tuple[str, ...] = (".yaml", ".config")) -> int:
    files = [file for folder in folders for file in (K8S / folder).rglob("*") if file.suffix in suffixes]
    return sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files)


def test_the_base_is_under_210_lines():
    assert 100 < lines("base") < 210


# A component may have one inside it, which is read by itself.
_FOLDERS = sorted(str(file.parent.relative_to(K8S)) for file in (K8S / "components").rglob("kustomization.yaml"))


def test_every_component_is_measured():
    assert {f"components/{name}" for name in COMPONENTS} <= set(_FOLDERS)


@pytest.mark.parametrize("folder", _FOLDERS)
def test_a_component_is_under_60_lines(folder):
    # The alerts are counted apart: there are several, each with its reason.
    alerts = K8S / folder / "prometheusrule.yaml"
    more = len(alerts.read_text(encoding="utf-8").splitlines()) if alerts.exists() else 0
    assert more < 80
    inside = sum(lines(other) for other in _FOLDERS if other.startswith(f"{folder}/"))
    assert 0 < lines(folder) - inside - more < 60


@pytest.mark.parametrize("name", JOBS)
def test_a_job_is_under_80_lines(name):
    assert 0 < lines(f"jobs/{name}") < 80
