"""Mutual TLS: callers show a certificate, and certificates are for the names that are called."""

from collections.abc import Iterator

from k8s.manifests import Manifests, Pod, flags

_VARIABLES = ("HUBSERVE_TLS_CA", "HUBSERVE_TLS_CERT", "HUBSERVE_TLS_KEY")
# What cert-manager writes into a Secret.
_FILES = {"ca.crt", "tls.crt", "tls.key"}


def _environment(build: Manifests, pod: Pod) -> dict[str, str]:
    """Return the variables that ConfigMaps bring."""
    names = [source["configMapRef"]["name"] for source in pod.spec["containers"][0].get("envFrom", [])]
    return {
        key: value
        for item in build.of("ConfigMap")
        if item["metadata"]["name"] in names
        for key, value in item["data"].items()
    }


def callers(build: Manifests) -> Iterator[str]:
    """A Job that calls does so with a certificate where the server asks for one, and plainly where it speaks no TLS."""
    asked = any("ssl_config_file" in flags(container) for _, container in build.servers())
    for pod in build.pods():
        if "dns:///" not in str(pod.spec):
            continue
        environment = _environment(build, pod)
        if asked != all(name in environment for name in _VARIABLES):
            yield f"{pod.name} and the server do not agree on TLS"
        secrets = {volume["name"] for volume in pod.spec["volumes"] if "secret" in volume}
        mounted = {m["mountPath"] for m in pod.spec["containers"][0]["volumeMounts"] if m["name"] in secrets}
        for name in _VARIABLES:
            folder, _, file = environment.get(name, "").rpartition("/")
            if asked and (folder not in mounted or file not in _FILES):
                yield f"{pod.name}: {name} names {environment.get(name)}, which no Secret brings"


def issued(build: Manifests) -> Iterator[str]:
    """Certificates name what is called, are for one end only, and go into the Secrets that are mounted."""
    certificates = {item["spec"]["secretName"]: item["spec"] for item in build.of("Certificate")}
    if not certificates:
        return
    namespace = build.namespace
    issuers = {item["metadata"]["name"] for item in build.of("Issuer")}
    for name, spec in certificates.items():
        if spec["issuerRef"]["name"] not in issuers:
            yield f"the certificate {name} has no issuer"
        if not spec.get("isCA") and len(spec.get("usages", [])) != 1:
            yield f"the certificate {name} is for both ends"
    for issuer in build.of("Issuer"):
        if "ca" in issuer["spec"] and not certificates.get(issuer["spec"]["ca"]["secretName"], {}).get("isCA"):
            yield f"the issuer {issuer['metadata']['name']} has no authority's certificate"
    for pod in build.pods():
        for secret in (volume["secret"]["secretName"] for volume in pod.spec["volumes"] if "secret" in volume):
            end = "client auth" if "dns:///" in str(pod.spec) else "server auth"
            if end not in certificates.get(secret, {}).get("usages", []):
                yield f"{pod.name}: no certificate for {end} goes into the Secret {secret}"
    called = {
        f"{service['metadata']['name']}{suffix}"
        for service in build.of("Service")
        for suffix in ("", f".{namespace}.svc", f".{namespace}.svc.cluster.local")
    }
    for spec in certificates.values():
        if "server auth" in spec.get("usages", []) and set(spec.get("dnsNames", [])) != called:
            yield f"the server's certificate is for other names than {sorted(called)}"


CHECKS = (callers, issued)
