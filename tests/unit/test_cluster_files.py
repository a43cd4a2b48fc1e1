import os
import shlex
import socket
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from cluster import binaries, environment, pki, web
from cluster.errors import BuildFailed, ClusterError
from cluster.paths import State, service_network, write_atomically
from cluster.ports import Ports, is_free
from cluster.waiting import NotInTime, wait_for
from cluster.wish import Wish


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
    go = tmp_path / "bin" / "go"
    go.parent.mkdir()
    go.write_text("#!/bin/sh\n[ $1 = version ] && echo go version go9.9.9 x/y && exit\necho no space left; exit 1\n")
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{go.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)

    with pytest.raises(BuildFailed, match=r"(?s)building etcd failed.*no space left.*run the same again"):
        binaries.binary("etcd")
    assert not [file for file in (tmp_path / "cache").rglob("etcd*") if file.is_file()]
