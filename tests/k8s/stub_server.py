"""As much of a Kubernetes API server as `kubectl apply` and `kubectl delete` talk to: it keeps what it is given."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_CLUSTER_SCOPED = {"Namespace", "PriorityClass"}
_OBJECT = re.compile(
    r"(?P<version>/api/v1|/apis/[^/]+/[^/]+)(?:/namespaces/(?P<namespace>[^/]+))?/(?P<plural>[^/]+)(?:/(?P<name>[^/]+))?"
)


def plural(kind: str) -> str:
    return kind.lower()[:-1] + "ies" if kind.endswith("y") else kind.lower() + ("es" if kind.endswith("ss") else "s")


class StubServer(ThreadingHTTPServer):
    """Knows the kinds of some objects; `kept` are the objects that it has, by their path."""

    daemon_threads = True

    def __init__(self, known: list[dict[str, Any]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.kinds = {(item["apiVersion"], item["kind"]) for item in known}
        self.kept: dict[str, dict[str, Any]] = {}
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def stub_server(known: list[dict[str, Any]]) -> Iterator[StubServer]:
    with StubServer(known) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: StubServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def _answer(self, body: dict[str, Any], code: int = 200) -> None:
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _fail(self, code: int, reason: str) -> None:
        self._answer({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code}, code)

    def _body(self) -> dict[str, Any]:
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def _discovery(self, path: str) -> dict[str, Any] | None:
        versions = sorted({version for version, _ in self.server.kinds if "/" in version})
        if path == "/api":
            return {"kind": "APIVersions", "versions": ["v1"]}
        if path == "/apis":
            groups = [
                {"name": version.partition("/")[0], "versions": [one], "preferredVersion": one}
                for version in versions
                for one in [{"groupVersion": version, "version": version.partition("/")[2]}]
            ]
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
        version = path.removeprefix("/apis/").removeprefix("/api/")
        kinds = [kind for known, kind in self.server.kinds if known == version]
        if not kinds:
            return None
        resources = [
            {
                "name": plural(kind),
                "singularName": kind.lower(),
                "kind": kind,
                "namespaced": kind not in _CLUSTER_SCOPED,
                "verbs": ["create", "delete", "get", "list", "patch", "watch"],
            }
            for kind in sorted(kinds)
        ]
        return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": resources}

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        found = self._discovery(path) or self.server.kept.get(path)
        if found is None:
            self._fail(404, "NotFound")
        else:
            self._answer(found)

    def do_POST(self) -> None:
        item = self._body()
        match = _OBJECT.fullmatch(self.path.partition("?")[0])
        # A real server puts nothing into a namespace that is not there, or somewhere else than the object says.
        namespace = match["namespace"] if match else None
        if namespace and f"/api/v1/namespaces/{namespace}" not in self.server.kept:
            self._fail(404, "NotFound")
        elif not match or item["metadata"].get("namespace") != namespace or match["plural"] != plural(item["kind"]):
            self._fail(400, "BadRequest")
        else:
            self.server.kept[f"{match[0]}/{item['metadata']['name']}"] = item
            self._answer(item, 201)

    def do_PATCH(self) -> None:
        # Nothing of ours changes between two applies: what kubectl patches is what is there.
        self._body()
        self._answer(self.server.kept[self.path.partition("?")[0]])

    def do_DELETE(self) -> None:
        self._body()
        path = self.path.partition("?")[0]
        if self.server.kept.pop(path, None) is None:
            self._fail(404, "NotFound")
        else:
            self._answer({"kind": "Status", "apiVersion": "v1", "status": "Success"})
