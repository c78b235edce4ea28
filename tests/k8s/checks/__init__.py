"""Checks of faults that schemas do not see: each check gives a line for everything that is wrong with a build."""

from collections.abc import Callable, Iterator

from k8s.checks import certificates, exposure, pods, scaling, serving, wiring
from k8s.manifests import Manifests

Check = Callable[[Manifests], Iterator[str]]

ALL: tuple[Check, ...] = (
    *certificates.CHECKS,
    *exposure.CHECKS,
    *pods.CHECKS,
    *scaling.CHECKS,
    *serving.CHECKS,
    *wiring.CHECKS,
)


def problems(build: Manifests) -> list[str]:
    return [f"{check.__name__}: {line}" for check in ALL for line in check(build)]
