import json
import os
import re
import shlex
import socket
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from cluster import binaries, environment, kube, pki, web
from cluster.backend import Backend
from cluster.dataplane import entry
from cluster.errors import BuildFailed, ClusterError
from cluster.own_address import own_address
from cluster.paths import State, service_network, write_atomically
from cluster.ports import Ports, is_free
from cluster.waiting import NotInTime, wait_for
from cluster.wish import Wish


def _fake_go(folder: Path, monkeypatch: pytest.MonkeyPatch, does: str) -> None:
    """Put a Go command on PATH that is new enough and does this, and take an empty cache."""
    go = folder / "bin" / "go"
    go.parent.mkdir()
    go.write_text(f"#!/bin/sh\n[ $1 = version ] && echo go version go9.9.9 x/y && exit\n{does}\n")
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{go.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))


def test_ports_are_remembered(tmp_path: Path) -> None:
    first = Ports(tmp_path / "ports.json")
    port = first.get("etcd")

    assert first.get("etcd") == port
    assert Ports(tmp_path / "ports.json").get("etcd") == port
    assert Ports(tmp_path / "ports.json").get("apiserver") != port


def test_a_damaged_memory_of_ports_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "ports.json").write_text("{")

    assert Ports(tmp_path / "ports.json").get("etcd") > 1024


def test_a_port_with_a_listener_is_not_free(tmp_path: Path) -> None:
    port = Ports(tmp_path / "ports.json").get("etcd")
    assert is_free(port)
    with socket.create_server(("127.0.0.1", port)):
        assert not is_free(port)


def test_the_service_network_is_loopback_and_differs_between_checkouts() -> None:
    networks = {service_network(State(Path(f"/somewhere/{number}/.cluster"))) for number in range(40)}

    assert len(networks) > 20
    for network in networks:
        first, second = network.split(".")
        assert first == "127"
        assert 64 <= int(second) <= 191


def test_the_environment_file_says_the_same_to_a_shell_and_to_us(tmp_path: Path) -> None:
    state = State(tmp_path / "a folder" / ".cluster")
    written = environment.write(state, Ports(state.root / "ports.json"), pki.Pki(state.pki), Wish(operators=2))

    assert environment.read(state) == written
    script = f'set -a; . {shlex.quote(str(state.env))}; printf "%s\\n%s\\n" "$KUBECONFIG" "$CLUSTER_OPERATOR_LOGS"'
    told = subprocess.run(["/bin/sh", "-euc", script], capture_output=True, text=True, check=True, env={})
    assert told.stdout.splitlines() == [written["KUBECONFIG"], written["CLUSTER_OPERATOR_LOGS"]]


def test_the_environment_file_names_the_entries_of_every_data_plane(tmp_path: Path) -> None:
    state = State(tmp_path / ".cluster")
    ports = Ports(state.root / "ports.json")
    written = {
        ingress: environment.write(state, ports, pki.Pki(state.pki), Wish(ingress=ingress))
        for ingress in ("traefik", "none")
    }

    web, tls = f"127.0.0.1:{ports.get('web')}", f"127.0.0.1:{ports.get('websecure')}"
    entries = {"CLUSTER_HTTP": web, "CLUSTER_HTTPS": tls}
    assert written["none"].items() >= entries.items()
    assert written["traefik"].items() >= {**entries, "CLUSTER_HTTP_TRAEFIK": web, "CLUSTER_HTTPS_TRAEFIK": tls}.items()
    assert not [key for key in written["none"] if key.startswith("CLUSTER_HTTP_")]
    assert {told["CLUSTER_ENDPOINT_ADDRESS"] for told in written.values()} == {""}


@pytest.mark.parametrize(
    ("number", "http"), [pytest.param(0, "127.0.0.1:{}", id="first"), pytest.param(2, "127.0.0.3:{}", id="third")]
)
def test_data_planes_share_ports_on_addresses_of_their_own(number: int, http: str, tmp_path: Path) -> None:
    ports = Ports(tmp_path / "ports.json")

    assert entry(number, ports).http == http.format(ports.get("web"))
    assert entry(number, ports).https == http.format(ports.get("websecure"))


_LOOPBACK = """Local:
           |-- 127.0.0.0
              /8 host LOCAL
           |-- 127.0.0.1
              /32 host LOCAL
           |-- 169.254.9.9
              /32 host LOCAL
"""
_NETWORK = """        +-- 198.51.100.0/24 2 0 2
           |-- 198.51.100.0
              /24 link UNICAST
           |-- 198.51.100.7
              /32 host LOCAL
        |-- 198.51.100.255
           /32 link BROADCAST
"""


def test_the_own_address_is_one_that_an_endpoint_slice_may_hold(tmp_path: Path) -> None:
    table = tmp_path / "fib_trie"
    table.write_text(_LOOPBACK + _NETWORK)

    assert own_address(table) == "198.51.100.7"


@pytest.mark.parametrize("text", [pytest.param(_LOOPBACK, id="loopback only"), pytest.param(None, id="no table")])
def test_a_machine_without_an_own_address_is_told_so(text: str | None, tmp_path: Path) -> None:
    table = tmp_path / "fib_trie"
    if text is not None:
        table.write_text(text)

    with pytest.raises(ClusterError, match=r"no IPv4 address but loopback ones.*use INGRESS=traefik"):
        own_address(table)


def test_replicas_have_one_endpoint_where_it_is_contacted() -> None:
    def addresses(replicas: int, address: str) -> list[str]:
        slice_ = kube.operator_endpoints(replicas, 8089, address)
        return [address for each in slice_["endpoints"] for address in each["addresses"]]

    assert addresses(2, "") == ["192.0.2.10", "192.0.2.11"]
    assert addresses(2, "198.51.100.7") == ["198.51.100.7"]
    assert addresses(0, "198.51.100.7") == []


def test_a_backend_listens_at_its_endpoint_as_well() -> None:
    backend = Backend("127.0.0.1", 0, {"backend": "shop"}, "127.0.0.2")
    try:
        status, body = web.get(f"http://127.0.0.2:{backend.endpoint_port}/path")
    finally:
        backend.stop()

    assert (status, json.loads(body)["backend"], backend.requests) == (200, "shop", ["/path"])
    with pytest.raises(ConnectionRefusedError):
        web.get(f"http://127.0.0.2:{backend.endpoint_port}/path")


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        pytest.param("LICENSE.md", "MIT", id="a file"),
        pytest.param("crds/*.yaml", "one\n---\ntwo", id="a pattern"),
    ],
)
def test_files_come_out_of_a_go_module(
    pattern: str, wanted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "module"
    (module / "crds").mkdir(parents=True)
    for name, text in (("LICENSE.md", "MIT"), ("crds/a.yaml", "one"), ("crds/b.yaml", "two")):
        (module / name).write_text(text)
    _fake_go(tmp_path, monkeypatch, f"""echo '{{"Dir": "{module}"}}'""")

    assert binaries.module_file("contour", "example.com/m", pattern).read_text() == wanted
    with pytest.raises(BuildFailed, match="has no nothing"):
        binaries.module_file("contour", "example.com/m", "nothing")


def test_no_environment_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="make cluster-up"):
        environment.read(State(tmp_path))


def test_writing_leaves_nothing_but_the_file(tmp_path: Path) -> None:
    write_atomically(tmp_path / "below" / "file", "text", 0o600)

    assert [entry.name for entry in (tmp_path / "below").iterdir()] == ["file"]
    assert (tmp_path / "below" / "file").stat().st_mode & 0o777 == 0o600


def test_the_certificates_hold_in_a_real_handshake_and_are_kept(tmp_path: Path) -> None:
    files = pki.ensure(tmp_path / "pki", "127.99")
    before = files.ca.read_bytes()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.both("apiserver"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(files.ca)
    subjects: list[object] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            subjects.append(self.request.getpeercert()["subject"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        url = f"https://127.0.0.1:{server.server_port}/"
        assert web.get(url, ca=files.ca, client=files.both("admin"))[0] == 204
        thread.join()

    assert (("organizationName", "system:masters"),) in subjects[0]
    assert pki.ensure(tmp_path / "pki", "127.99").ca.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["pki"]


def test_waiting_returns_the_first_true_value() -> None:
    values = iter(["", 0, "here"])

    assert wait_for(lambda: next(values), 10, "a value", every=0) == "here"


def test_waiting_in_vain_says_for_what_and_what_was_seen() -> None:
    def asked() -> str:
        raise KeyError("not yet")

    with pytest.raises(NotInTime, match=r"the lamp did not happen within 0 s .last: KeyError.'not yet'"):
        wait_for(asked, 0, "the lamp", ignore=(KeyError,))


def test_assets_of_the_user_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "etcd").touch()
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))

    assert binaries.binary("etcd") == tmp_path / "etcd"


def test_a_failed_build_says_which_and_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fake_go(tmp_path, monkeypatch, "echo no space left; exit 1")
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)

    with pytest.raises(BuildFailed, match=r"(?s)building etcd failed.*no space left.*run the same again"):
        binaries.binary("etcd")
    assert not [file for file in (tmp_path / "cache").rglob("etcd*") if file.is_file()]


def test_cert_manager_has_one_version_in_its_modules_and_in_what_it_says_of_itself() -> None:
    sources = Path(binaries.__file__).parent
    files = [(sources / folder / "go.mod").read_text() for folder in ("cert-manager", "cert-manager-controller")]
    pinned = {found for text in files for found in re.findall(r"cert-manager/cert-manager (v[\d.]+)", text)}
    assert len(pinned) == 1
    assert binaries._CERT_MANAGER_FLAGS.endswith(f"AppVersion={pinned.pop()}")
