"""Every overlay builds, with every component and every pair of them, and nothing is wrong with what comes out."""

import itertools

import pytest

from hubserve_k8s._selection import ALTERNATIVES
from k8s.checks import problems
from k8s.manifests import (
    K8S,
    OVERLAYS,
    PARTS,
    BuildError,
    compatible,
    kustomize,
    overlay,
    with_components,
)

PAIRS = [pair for pair in itertools.combinations(PARTS, 2) if compatible(pair)]
CHOICES = sorted(set().union(*ALTERNATIVES))
# All that goes together: of each group of alternatives one, and everything else.
SETS = [
    (*chosen, *(name for name in PARTS if name not in CHOICES and compatible((*chosen, name))))
    for size in range(len(ALTERNATIVES), 0, -1)
    for chosen in itertools.combinations(CHOICES, size)
    if compatible(chosen) and not any(compatible((*chosen, name)) for name in CHOICES if name not in chosen)
]
# What asks for a GPU, or for the code of one, has no place where there is none.
ON_CPU = [name for name in PARTS if compatible(("cpu", name)) and name != "cpu"]


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_is_in_order(name):
    assert problems(overlay(name)) == []


@pytest.mark.parametrize("name", PARTS)
def test_a_component_is_in_order(name):
    assert problems(with_components(name)) == []


@pytest.mark.parametrize("name", ON_CPU)
def test_a_component_is_in_order_without_a_gpu(name):
    assert problems(with_components(name, base="cpu")) == []


@pytest.mark.slow
@pytest.mark.parametrize("pair", PAIRS, ids="+".join)
def test_two_components_go_together(pair):
    assert problems(with_components(*pair)) == []


@pytest.mark.parametrize("names", SETS, ids="+".join)
def test_all_that_goes_together_does_so(names):
    assert problems(with_components(*names)) == []


@pytest.mark.slow
@pytest.mark.parametrize("names", SETS, ids="+".join)
def test_all_that_goes_together_does_so_in_the_other_order(names):
    assert problems(with_components(*reversed(names))) == []


def test_what_excludes_each_other_is_named_so_in_the_readme():
    readme = (K8S / "README.md").read_text(encoding="utf-8")
    for alternatives in ALTERNATIVES:
        assert any(all(f"`{name}`" in line for name in alternatives) for line in readme.splitlines()), alternatives


@pytest.mark.parametrize("patches", ["[patch.yaml]", "[{path: nowhere.yaml}]"])
def test_a_kustomization_that_does_not_build_is_noticed(tmp_path, patches):
    (tmp_path / "patch.yaml").write_text("{}")
    (tmp_path / "kustomization.yaml").write_text(f"patches: {patches}")
    with pytest.raises(BuildError):
        kustomize(tmp_path)


def test_a_deprecated_field_is_noticed(tmp_path):
    (tmp_path / "kustomization.yaml").write_text("commonLabels: {app: pnasnet}")
    with pytest.raises(BuildError, match="deprecated"):
        kustomize(tmp_path)
