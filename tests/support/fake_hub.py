"""TensorFlow Hub and Kaggle Models on this machine, over TLS, with the answers of the real ones.

tfhub.dev redirects a program that asks for tf-hub-format=compressed to an address at storage.googleapis.com that is
signed for some time (github.com/tensorflow/hub/issues/931), and a browser to the model's page on Kaggle.
Kaggle's REST API has .../get, which answers JSON, and .../N/download, which redirects to that storage (kagglehub 0.3).
The storage tells an MD5 in x-goog-hash, takes Range, and answers XML when a signature does not hold.
"""

import base64
import hashlib
import http.server
import io
import json
import ssl
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import trustme

from hubserve_export.hub.fetching import Services

PATH = "google/imagenet/pnasnet_large/classification"
VARIATION = "google/pnasnet/tensorFlow2/large-classification"
NEWEST = 2
TOKEN = "a-token-that-nothing-may-show"  # noqa: S105 - made up
SIGNATURE = "a-signature-that-nothing-may-show"
FAULTS = ("403", "404", "429", "500", "html", "expired", "cut", "checksum", "stall", "no version")

_EXPIRED = (
    b"<?xml version='1.0' encoding='UTF-8'?><Error><Code>SignatureDoesNotMatch</Code>"
    b"<Message>Access denied.</Message></Error>"
)
_PAGE = b"<!DOCTYPE html><html><head><title>PNASNet</title></head><body>Please sign in</body></html>"


def packed(folder: Path | None = None) -> bytes:
    """A .tar.gz as the hub has it; without a folder, one that no TensorFlow can load, and that is soon unpacked."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        if folder is not None:
            tar.add(folder, ".")
        else:
            files = {"saved_model.pb": b"graph", "variables/variables.index": b"index"}
            # What cannot be compressed, so that there is something to cut.
            files["variables/variables.data-00000-of-00001"] = hashlib.shake_128(b"weights").digest(40_000)
            for name, data in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


class FakeHub:
    """Both services and their storage.

    Attributes:
        services: Their addresses.
        faults: What is wrong with "tfhub" and with "kaggle"; one of FAULTS.
        once: Faults of the storage happen at the first request only.
        private: Whether Kaggle demands the token.
        requests: The service, the path and the headers of every request.
    """

    def __init__(self, archive: bytes) -> None:
        self.archive = archive
        self.faults: dict[str, str] = {}
        self.once = self.private = False
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.over = threading.Event()
        self.services = Services()
        self.storage = ""

    def asked(self, service: str) -> list[tuple[str, dict[str, str]]]:
        return [(path, headers) for name, path, headers in self.requests if name == service]


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        service: str = self.server.service  # type: ignore[attr-defined]
        self.hub: FakeHub = self.server.hub  # type: ignore[attr-defined]
        self.hub.requests.append((service, self.path, dict(self.headers)))
        getattr(self, f"_{service}")(urlsplit(self.path))

    def _tfhub(self, url: Any) -> None:
        path, _, version = url.path.strip("/").rpartition("/")
        if self._refused("tfhub"):
            return
        if path != PATH or version not in ("4", "5") or self.hub.faults.get("tfhub") == "no version":
            self._answer(404, _PAGE, {"Content-Type": "text/html"})
        elif "tf-hub-format=compressed" in url.query:
            self._to_the_storage("tfhub")
        else:
            page = f"{self.hub.services.kaggle}/models/{VARIATION}/{int(version) - 3}?tfhub-redirect=true"
            self._answer(302, headers={"Location": page})

    def _kaggle(self, url: Any) -> None:
        name, _, action = url.path.removeprefix("/api/v1/models/").rpartition("/")
        if not url.path.startswith("/api/v1/models/"):
            self._answer(200, _PAGE, {"Content-Type": "text/html; charset=utf-8"})
            return
        if self._refused("kaggle"):
            return
        if self.hub.private and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._json(403, {"code": 403, "message": "Permission 'models.get' was denied"})
        elif action == "get" and name == VARIATION:
            known = {} if self.hub.faults.get("kaggle") == "no version" else {"versionNumber": NEWEST}
            self._json(200, {"id": 1, "slug": "large-classification", "framework": "tensorFlow2", **known})
        elif action == "download" and name in (f"{VARIATION}/1", f"{VARIATION}/2"):
            self._to_the_storage("kaggle")
        else:
            self._json(404, {"code": 404, "message": "Not found"})

    def _refused(self, service: str) -> bool:
        fault = self.hub.faults.get(service)
        if fault == "html":
            self._answer(200, _PAGE, {"Content-Type": "text/html"})
        elif fault in ("403", "404", "429", "500"):
            after = {"Retry-After": "30"} if fault == "429" else {}
            self._answer(int(fault), b'{"code":0}', {"Content-Type": "application/json", **after})
        else:
            return False
        return True

    def _to_the_storage(self, service: str) -> None:
        signed = f"?X-Goog-Expires=259200&X-Goog-Signature={SIGNATURE}&for={service}"
        self._answer(302, headers={"Location": f"{self.hub.storage}/kagglesdsdata/models/1/2/a.tar.gz{signed}"})

    def _storage(self, url: Any) -> None:
        asked_by = parse_qs(url.query)["for"][0]
        fault = self.hub.faults.get(asked_by, "")
        if self.hub.once and fault in ("expired", "cut", "checksum", "stall"):
            del self.hub.faults[asked_by]
        if fault == "expired":
            self._answer(403, _EXPIRED, {"Content-Type": "application/xml"})
            return
        data = self.hub.archive
        md5 = hashlib.md5(data + b"changed" * (fault == "checksum"), usedforsecurity=False).digest()
        headers = {
            "Content-Type": "application/x-tar",
            "ETag": f'"{hashlib.sha256(data).hexdigest()[:16]}"',
            "x-goog-hash": f"crc32c=AAAAAA==,md5={base64.b64encode(md5).decode()}",
            "Accept-Ranges": "bytes",
        }
        begin = 0
        if (wanted := self.headers.get("Range")) and self.headers.get("If-Range") == headers["ETag"]:
            begin = int(wanted.removeprefix("bytes=").rstrip("-"))
            headers["Content-Range"] = f"bytes {begin}-{len(data) - 1}/{len(data)}"
        headers["Content-Length"] = str(len(data) - begin)
        part = data[begin:]
        if fault in ("cut", "stall"):
            part = part[: len(data) // 10]
        self._answer(206 if begin else 200, part, headers)
        if fault == "stall":
            self.wfile.flush()
            self.hub.over.wait()
        self.close_connection = fault in ("cut", "stall")

    def _json(self, status: int, document: dict[str, Any]) -> None:
        self._answer(status, json.dumps(document).encode(), {"Content-Type": "application/json"})

    def _answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, hub: FakeHub, service: str, certificate: trustme.LeafCert) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.hub, self.service = hub, service
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(self.context)

    def finish_request(self, request: Any, client_address: Any) -> None:
        # The handshake is done in the request's thread: one slow client keeps no other waiting.
        with self.context.wrap_socket(request, server_side=True) as encrypted:
            super().finish_request(encrypted, client_address)  # type: ignore[arg-type]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients go away on purpose here."""


@contextmanager
def running(folder: Path, archive: bytes | None = None) -> Iterator[tuple[FakeHub, Path]]:
    """Run the services; gives them, and the authority of their certificates, a file for REQUESTS_CA_BUNDLE."""
    authority = trustme.CA()
    bundle = folder / "authority.pem"
    authority.cert_pem.write_to_path(bundle)
    certificate = authority.issue_cert("localhost")
    hub = FakeHub(packed() if archive is None else archive)
    servers = {service: _Server(hub, service, certificate) for service in ("tfhub", "kaggle", "storage")}
    addresses = {service: f"https://localhost:{server.server_port}" for service, server in servers.items()}
    hub.services, hub.storage = Services(addresses["tfhub"], addresses["kaggle"]), addresses["storage"]
    for server in servers.values():
        threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub, bundle
    finally:
        hub.over.set()
        for server in servers.values():
            server.shutdown()
            server.server_close()
