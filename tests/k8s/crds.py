"""The custom resources that the manifests use, from their projects' published Go modules.

python tests/k8s/crds.py     makes tests/k8s/schemas/*.json anew; needs Go
"""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

# Apache-2.0, each of them.
_CRDS = {
    "github.com/kserve/kserve@v0.17.0": [
        "config/crd/full/serving.kserve.io_servingruntimes.yaml",
        "config/crd/full/serving.kserve.io_inferenceservices.yaml",
    ],
    "github.com/cert-manager/cert-manager@v1.20.3": [
        "deploy/crds/cert-manager.io_certificates.yaml",
        "deploy/crds/cert-manager.io_issuers.yaml",
    ],
    "github.com/kedacore/keda/v2@v2.21.0": ["config/crd/bases/keda.sh_scaledobjects.yaml"],
    "github.com/prometheus-operator/prometheus-operator@v0.85.0": [
        "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml",
        "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
    ],
    "sigs.k8s.io/gateway-api@v1.4.0": ["config/crd/standard/gateway.networking.k8s.io_grpcroutes.yaml"],
}
# Megabytes, which stay out of the repository: only a control plane takes them.
_LARGE = {"serving.kserve.io"}
SCHEMAS = Path(__file__).parent / "schemas"


def download() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each CRD, with where it is from."""
    for module, paths in _CRDS.items():
        with tempfile.TemporaryDirectory() as elsewhere:
            done = subprocess.run(
                ["go", "mod", "download", "-json", module], cwd=elsewhere, stdout=subprocess.PIPE, check=True
            )
        folder = Path(json.loads(done.stdout)["Dir"])
        for path in paths:
            yield f"{module}/{path}", yaml.safe_load((folder / path).read_text(encoding="utf-8"))


def without_words(schema: Any) -> Any:
    """Leaves the descriptions out: nine tenths of a CRD, and nothing to validate with."""
    if isinstance(schema, dict):
        # A property may be called description, and is a schema then.
        kept = {key: value for key, value in schema.items() if key != "description" or isinstance(value, dict)}
        return {key: without_words(value) for key, value in kept.items()}
    return [without_words(item) for item in schema] if isinstance(schema, list) else schema


def main() -> None:
    for origin, crd in download():
        if crd["spec"]["group"] in _LARGE:
            continue
        (version,) = (item for item in crd["spec"]["versions"] if item["storage"])
        kept = {
            "from": origin,
            "apiVersion": f"{crd['spec']['group']}/{version['name']}",
            "kind": crd["spec"]["names"]["kind"],
            "openAPIV3Schema": without_words(version["schema"]["openAPIV3Schema"]),
        }
        text = json.dumps(kept, sort_keys=True, separators=(",", ":"))
        (SCHEMAS / f"{kept['kind'].lower()}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
