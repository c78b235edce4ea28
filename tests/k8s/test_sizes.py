"""The manifests stay small enough to be read: the base in one sitting, a component at a glance."""

import pytest

from k8s.manifests import COMPONENTS, JOBS, K8S


def lines(*folders: str, suffixes: tuple[str, ...] = (".yaml", ".config")) -> int:
    files = [file for folder in folders for file in (K8S / folder).rglob("*") if file.suffix in suffixes]
    return sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files)


def test_the_base_is_under_210_lines():
    assert 100 < lines("base") < 210


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_component_is_under_60_lines(name):
    # The alerts are counted apart: there are several, each with its reason.
    alerts = K8S / "components" / name / "prometheusrule.yaml"
    more = len(alerts.read_text(encoding="utf-8").splitlines()) if alerts.exists() else 0
    assert more < 80
    assert 0 < lines(f"components/{name}") - more < 60


@pytest.mark.parametrize("name", JOBS)
def test_a_job_is_under_80_lines(name):
    assert 0 < lines(f"jobs/{name}") < 80
