"""An API server in a few lines, for what a real one cannot be brought to: somebody who is quicker by a request, rights
that go while one looks, refusals with markup in them. What does not need that is tried on the cluster.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from certward.model.resources import format_time
from integration.plugin import write_kubeconfig

Body = dict[str, Any]
#: plural, namespace, name
Key = tuple[str, str, str]
_PLURALS = {
    "App": "apps",
    "Domain": "domains",
    "TLSPolicy": "tlspolicies",
    "ConfigMap": "configmaps",
    "Secret": "secrets",
    "Namespace": "namespaces",
}
_KINDS = {plural: kind for kind, plural in _PLURALS.items()}


@dataclass
class ApiServer:
    """Its objects, and how it behaves.

    Attributes:
        port: on 127.0.0.1.
        objects: what there is.
        may: whether the user may: verb, plural, namespace, name.
        before: called with verb and plural before a request is answered; to be quicker than whoever asks.
        is_known: whether it accepts the user's credentials.
        refusal: status and message with which every request is answered; None where they are answered.
        asked: verb, plural and namespace of each request.
    """

    port: int = 0
    objects: dict[Key, Body] = field(default_factory=dict)
    may: Callable[[str, str, str, str], bool] = lambda *_: True
    before: Callable[[str, str], None] = lambda *_: None
    is_known: bool = True
    refusal: tuple[int, str] | None = None
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    _version: int = 100
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _events: list[tuple[int, str, Key, Body]] = field(default_factory=list)

    def put(self, *bodies: Body) -> None:
        """Write objects as somebody else does."""
        for body in bodies:
            meta = body["metadata"]
            key = (_PLURALS[body["kind"]], meta.get("namespace", ""), meta["name"])
            with self._changed:
                self._version += 1
                old = self.objects.get(key)
                generation = meta.get("generation", 1)
                if old and old.get("spec") != body.get("spec"):
                    generation = old["metadata"]["generation"] + 1
                meta = {
                    "uid": f"uid-{'-'.join(key)}",
                    "creationTimestamp": format_time(datetime.now(UTC)),
                    **meta,
                    "resourceVersion": str(self._version),
                    "generation": generation,
                }
                self.objects[key] = {**body, "metadata": meta}
                self._tell("MODIFIED" if old else "ADDED", key)

    def get(self, kind: str, namespace: str, name: str) -> Body:
        """A copy of an object."""
        copy: Body = json.loads(json.dumps(self.objects[_PLURALS[kind], namespace, name]))
        return copy

    def change(self, kind: str, namespace: str, name: str, **parts: Any) -> None:
        """Change an object as somebody else does: metadata, spec and status are merged."""
        body = self.get(kind, namespace, name)
        self.put(_merged(body, parts))

    def drop(self, kind: str, namespace: str, name: str) -> None:
        """Delete an object as somebody else does."""
        key = (_PLURALS[kind], namespace, name)
        with self._changed:
            self._version += 1
            self._tell("DELETED", key)
            del self.objects[key]

    def refuse(self, status: int, message: str) -> None:
        """Answer every request so from now on, and end every watch."""
        self.refusal = (status, message)
        with self._changed:
            self._changed.notify_all()

    def kubeconfig(self, folder: Path) -> Path:
        """A kubeconfig for it."""
        return write_kubeconfig(
            folder / "kubeconfig", server=f"http://127.0.0.1:{self.port}", bearer="x", namespace="team-a"
        )

    def _tell(self, event: str, key: Key) -> None:
        self._events.append((self._version, event, key, self.objects[key]))
        self._changed.notify_all()


@contextmanager
def api_server(*bodies: Body) -> Iterator[ApiServer]:
    """Run it with these objects."""
    world = ApiServer()
    world.put(*bodies)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("It", (_Handler,), {"world": world}))
    world.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield world
    finally:
        world.refuse(503, "it ends")
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    """One connection for each request: none is left open when the server ends."""

    world: ApiServer
    protocol_version = "HTTP/1.1"

    def end_headers(self) -> None:
        self.send_header("Connection", "close")
        super().end_headers()

    def do_GET(self) -> None:
        self._answered("get")

    def do_POST(self) -> None:
        self._answered("create")

    def do_PATCH(self) -> None:
        self._answered("patch")

    def do_DELETE(self) -> None:
        self._answered("delete")

    def _answered(self, verb: str) -> None:
        sent = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        address = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(address.query).items()}
        plural, namespace, name = _target(address.path)
        if verb == "get" and not name:
            verb = "watch" if "watch" in query else "list"
        self.world.asked.append((verb, plural, namespace))
        self.world.before(verb, plural)
        if not self.world.is_known:
            self._status(401, "Unauthorized")
        elif self.world.refusal:
            self._status(*self.world.refusal)
        elif plural == "selfsubjectaccessreviews":
            asked = sent["spec"]["resourceAttributes"]
            wanted = (asked.get(part, "") for part in ("verb", "resource", "namespace", "name"))
            self._send(201, {"status": {"allowed": self.world.may(*wanted)}})
        elif not self.world.may(verb, plural, namespace, name):
            where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
            self._status(
                403,
                f'{plural}.certward.dev is forbidden: User "ann" cannot {verb} resource "{plural}" in API group '
                f'"certward.dev" {where}',
            )
        elif verb == "watch":
            self._watched(plural, namespace, int(query["resourceVersion"]), float(query["timeoutSeconds"]))
        elif verb == "list":
            self._listed(plural, namespace, query)
        else:
            self._one(verb, (plural, namespace, name), sent)

    def _listed(self, plural: str, namespace: str, query: dict[str, str]) -> None:
        with self.world._changed:
            version = str(self.world._version)
            found = [
                body
                for (of, where, _), body in sorted(self.world.objects.items())
                if of == plural and namespace in ("", where)
            ]
        rest = {"continue": "more"} if len(found) > int(query.get("limit", 1000)) else {}
        items = found[: int(query.get("limit", 1000))]
        self._send(200, {"apiVersion": "v1", "metadata": {"resourceVersion": version, **rest}, "items": items})

    def _one(self, verb: str, key: Key, sent: Body) -> None:
        if verb == "create":
            key = (key[0], key[1], sent["metadata"]["name"])
            if key in self.world.objects:
                self._status(409, f"{key[2]} already exists", reason="AlreadyExists")
                return
            self.world.put({"kind": _KINDS[key[0]], **sent})
        elif key not in self.world.objects:
            self._status(404, f'{key[0]} "{key[2]}" not found', details={"name": key[2]})
            return
        elif verb != "get":
            body = self.world.objects[key]
            given = sent.get("metadata") if verb == "patch" else sent.get("preconditions")
            if any(body["metadata"][part] != value for part, value in (given or {}).items() if part in _LOCKS):
                self._status(409, "the object has been modified", reason="Conflict")
                return
            if verb == "delete":
                self.world.drop(_KINDS[key[0]], *key[1:])
                self._send(200, {"kind": "Status", "status": "Success"})
                return
            self.world.put(_merged(json.loads(json.dumps(body)), sent))
        self._send(200, self.world.objects[key])

    def _watched(self, plural: str, namespace: str, version: int, seconds: float) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        ended = False
        while not ended and self.world.refusal is None and self.world.is_known:
            with self.world._changed:
                fresh = [event for event in self.world._events if event[0] > version]
                if not fresh:
                    ended = not self.world._changed.wait(seconds)
                    continue
            version = fresh[-1][0]
            for _, event, (of, where, _), body in fresh:
                if of == plural and namespace in ("", where):
                    line = json.dumps({"type": event, "object": body}).encode() + b"\n"
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
        self.wfile.write(b"0\r\n\r\n")

    def _status(self, code: int, message: str, **more: Any) -> None:
        self._send(code, {"kind": "Status", "status": "Failure", "code": code, "message": message, **more})

    def _send(self, code: int, body: Body) -> None:
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


_LOCKS = ("uid", "resourceVersion")


def _target(path: str) -> Key:
    """Plural, namespace and name of a path of the API; what is empty is not named."""
    parts = path.strip("/").split("/")
    rest = parts[3:] if parts[0] == "apis" else parts[2:]
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    return rest[0], namespace, rest[1] if len(rest) > 1 else ""


def _merged(body: Body, patch: Body) -> Body:
    """A merge patch (RFC 7386)."""
    for name, value in patch.items():
        if value is None:
            body.pop(name, None)
        elif isinstance(value, dict):
            body[name] = _merged(body[name] if isinstance(body.get(name), dict) else {}, value)
        else:
            body[name] = value
    return body
