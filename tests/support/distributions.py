"""Check the content of the sdist and the wheel: all needed files are inside, and no others."""

import re
import sys
import tarfile
import zipfile
from pathlib import Path

PACKAGES = (
    "hubserve",
    "hubserve_bench",
    "hubserve_cli",
    "hubserve_export",
    "hubserve_k8s",
    "hubserve_model",
    "hubserve_serve",
)
NEEDED_TO_BUILD = ("LICENSE", "README.md", "hatch_build.py", "pyproject.toml", "client/hubserve/_version.py")


def problems(sdist: Path, wheel: Path) -> list[str]:
    """Return a line for each file that is missing or does not belong there."""
    with tarfile.open(sdist) as archive:
        sources = {name.partition("/")[2] for name in archive.getnames()}
    with zipfile.ZipFile(wheel) as archive:
        installed = set(archive.namelist())
        metadata = archive.read(next(name for name in installed if name.endswith("/METADATA"))).decode()
    found = [f"{sdist.name}: {name} is missing" for name in NEEDED_TO_BUILD if name not in sources]
    for package in PACKAGES:
        if not any(name.startswith(f"{package}/") for name in installed):
            found.append(f"{wheel.name}: package {package} is missing")
    found += [
        f"{wheel.name}: {name} does not belong into a wheel"
        for name in sorted(installed)
        if name.partition("/")[0] not in PACKAGES and ".dist-info/" not in name
    ]
    for package in PACKAGES:
        tracked = {name for name in sources if f"/{package}/" in name and not name.endswith("/")}
        for name in sorted(tracked):
            inside = name.partition("/")[2]
            if "." in Path(name).name and inside not in installed:
                found.append(f"{wheel.name}: {inside} is missing")
    required = re.findall(r"^Requires-Dist: ([\w-]+)(?!.*extra ==).*$", metadata, flags=re.MULTILINE)
    relative = re.findall(r"\]\((?!https?://|#)[^)]+\)|src(?:set)?=\"(?!https?://)[^\"]+", metadata)
    found += [f"{wheel.name}: the readme has the relative link {link}" for link in relative]
    for field in ("Author:", "Project-URL: Repository,", "Project-URL: Documentation,"):
        if not re.search(f"^{re.escape(field)}", metadata, flags=re.MULTILINE):
            found.append(f"{wheel.name}: the metadata does not have {field}")
    if "tensorflow" in required:
        found.append(f"{wheel.name}: the client requires TensorFlow")
    return found


if __name__ == "__main__":
    if found := problems(Path(sys.argv[1]), Path(sys.argv[2])):
        sys.exit("\n".join(found))
    print(f"{Path(sys.argv[1]).name} and {Path(sys.argv[2]).name}: all files are there")
