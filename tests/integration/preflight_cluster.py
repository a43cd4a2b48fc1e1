"""The world around a hostname as the operator of the local cluster sees it: DNS and web servers that go wrong."""

import socket
import threading
from contextlib import ExitStack, suppress

import dns.message
import dns.rdatatype

from certward.names import CHALLENGE_PATH
from cluster.ports import Ports
from integration.dns_world import Zone
from integration.web_world import Web, reply
from side_by_side import own_state

#: Targets as configured: the ingress, a listener that answers as it is told, one where nothing listens, one that hangs.
INGRESS, LISTENER, CLOSED, HANGING = "127.0.0.1", "127.0.0.41", "127.0.0.42", "127.0.0.43"
#: No target: whoever connects to it has been led where strangers must not lead. Each worker has another one, since what
#: listens at its port 80 is this worker's alone.
INSIDE = f"127.0.{own_state().number}.44"
PAGE = b"<html><form>Log in, please</form></html>"


class Outside:
    """A resolver before the cluster's DNS, with names that are odd, and web servers at the entry's port.

    Attributes:
        pages: what LISTENER answers under a hostname; every other request is passed on to the ingress.
        zone: the resolver. What is odd in it is so for the operator only; the CA asks the DNS behind it.
        inside: listens at INSIDE.
    """

    def __init__(self, cluster):
        self._cluster = cluster
        host, _, port = cluster.env["CLUSTER_HTTP"].rpartition(":")
        self.ingress = host, int(port)
        self.pages = {}
        self._stack = ExitStack()
        behind = "127.0.0.1", Ports(cluster.state.root / "ports.json").get("dns")
        self.zone = self._open(_Front(behind))
        self.web = self._open(Web(self.ingress[1]))
        self.web.serve(LISTENER, self._answer)
        self.web.serve(INSIDE, reply(200, b"inside"))
        self._stack.enter_context(_hanging(HANGING, self.ingress[1]))
        self.at_80 = self._open(Web(80))
        with suppress(PermissionError):  # where only an administrator may listen there
            self.at_80.serve(INSIDE, reply(200, b"inside"))

    def close(self):
        self._stack.close()

    def patch(self, mode="enforce", **further):
        """The part of the operator's configuration that makes it live in this world."""
        host, port = self.zone.server
        targets = [INGRESS, LISTENER, CLOSED, HANGING]
        return {"dns": {"target": targets, "resolvers": [f"{host}:{port}"], "preflight": mode}, **further}

    def tell(self, endpoint, hostname, **what):
        """Set something at the cluster's DNS."""
        self._cluster.tell_dns(endpoint, hostname, **what)

    def point(self, hostname, address):
        """Have a hostname lead somewhere, for everybody."""
        if ":" in address:
            self.tell("add-aaaa", hostname, addresses=[address])
        else:
            self.tell("add-a", hostname, addresses=[address])

    def right(self, hostname):
        """Undo all that was set for a hostname."""
        for endpoint in ("clear-a", "clear-aaaa", "clear-caa", "clear-servfail"):
            self.tell(endpoint, hostname)
        self.zone.odd.pop(hostname, None)
        self.pages.pop(hostname, None)

    def reached_inside(self):
        """The connections that came where nobody may be led."""
        return [address for web in (self.web, self.at_80) for address in web.connections if address == INSIDE]

    def asked_for(self, hostname):
        """The questions for a hostname that the operator asked."""
        return [kind for name, kind in self.zone.asked if name == hostname]

    def _answer(self, connection, host, path):
        page = self.pages.get(host)
        return page(connection, host, path) if page else self._pass_on(host, path)

    def _pass_on(self, host, path):
        with socket.create_connection(self.ingress, 5) as behind:
            behind.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            return b"".join(iter(lambda: behind.recv(65536), b""))

    def _open(self, closable):
        self._stack.callback(closable.close)
        return closable


class _Front(Zone):
    """Leads questions to the DNS behind it, but for names that are odd."""

    def __init__(self, behind):
        self._behind = behind
        super().__init__()

    def answer(self, wire, *, is_tcp):
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        self.asked.append((name, dns.rdatatype.to_text(question.rdtype)))
        if odd := self.odd.get(name):
            return odd(query, is_tcp)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as behind, suppress(OSError):
            behind.settimeout(2)
            behind.sendto(wire, self._behind)
            return behind.recv(65535)
        return None


class _hanging:  # noqa: N801 - a context manager
    """Takes every connection at an address and never answers."""

    def __init__(self, address, port):
        self._listener = socket.create_server((address, port), backlog=512)
        self._taken = []
        self._thread = threading.Thread(target=self._take)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        for each in (*self._taken, self._listener):
            each.close()

    def _take(self):
        with suppress(OSError):
            while True:
                self._taken.append(self._listener.accept()[0])


def answered(*records):
    """An odd name that has these records, each (type, value)."""

    def answer(query, _is_tcp):
        response = dns.message.make_response(query)
        question = query.question[0]
        for kind, value in records:
            if dns.rdatatype.to_text(question.rdtype) == kind:
                response.answer.append(dns.rrset.from_text(question.name, 1, "IN", kind, value))
        return response.to_wire()

    return answer


def redirect_to_itself(_connection, host, path):
    """A site that sends everybody in a circle."""
    assert path.startswith(CHALLENGE_PATH)
    return reply(302, Location=f"http://{host}{path}")(None, host, path)
