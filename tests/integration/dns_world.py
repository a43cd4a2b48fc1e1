"""DNS servers on loopback: pebble-challtestsrv, and a small one of our own for what that cannot do."""

import json
import os
import socket
import socketserver
import struct
import subprocess
import threading
import urllib.request
from contextlib import ExitStack, suppress

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from cluster.binaries import binary
from integration.pebble_world import end, free_ports, until

ROOT_SOA = "ns.test. hostmaster.test. 1 1 1 1 1"


class Challtestsrv:
    """The DNS server of Pebble's project; every name is at 127.0.0.1 until told otherwise."""

    def __init__(self, folder):
        port, self._management = free_ports(2)
        self.server = ("127.0.0.1", port)
        flags = ["-dnsserver", f"127.0.0.1:{port}", "-management", f"127.0.0.1:{self._management}"]
        flags += ["-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""]
        flags += [word for listener in ("-doh", "-http01", "-https01", "-tlsalpn01") for word in (listener, "")]
        log = folder / "challtestsrv.log"
        with log.open("wb") as output:
            command = [binary("pebble-challtestsrv"), *flags]
            self._process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=dict(os.environ))
        until(lambda: socket.create_connection(("127.0.0.1", self._management), 1).close(), self._process, log)

    def tell(self, endpoint, host, **what):
        """Set something; host and CNAME targets are made absolute."""
        what = {key: f"{value}." if key == "target" else value for key, value in what.items()}
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._management}/{endpoint}", json.dumps({"host": f"{host}.", **what}).encode()
        )
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=5) as response:
            assert response.status == 200

    def close(self):
        end(self._process)


class Zone:
    """An authoritative server for every name: those it has records for exist, others do not.

    `odd` holds a function (query, is_tcp) -> bytes or None for a name: what is answered instead, None: nothing.
    """

    def __init__(self):
        self.records = {}
        self.odd = {}
        self.asked = []
        self._stack = ExitStack()
        (port,) = free_ports(1)
        self.server = ("127.0.0.1", port)
        for kind, handler in ((_Udp, _UdpHandler), (_Tcp, _TcpHandler)):
            server = self._stack.enter_context(kind(self.server, handler))
            server.zone = self
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            self._stack.callback(thread.join)
            self._stack.callback(server.shutdown)

    def close(self):
        self._stack.close()

    def set(self, name, kind, *values, ttl=0):
        """Give a name records; none of a kind: it exists without them."""
        self.records.setdefault(name, {})[kind] = (ttl, values)

    def asked_for(self, name, kind):
        return self.asked.count((name, kind))

    def answer(self, wire, *, is_tcp):
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name, kind = question.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        odd = self.odd.get(name)
        return odd(query, is_tcp) if odd else self.reply(query, name, kind).to_wire()

    def reply(self, query, name, kind):
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        followed = set()
        while name not in followed and (alias := self.records.get(name, {}).get("CNAME")):
            followed.add(name)
            response.answer.append(_rrset(name, "CNAME", alias))
            name = alias[1][0].rstrip(".").lower()
        if name in followed:
            return response
        if name not in self.records:
            response.set_rcode(dns.rcode.NXDOMAIN)
        elif found := self.records[name].get(kind):
            response.answer.append(_rrset(name, kind, found))
            return response
        response.authority.append(dns.rrset.from_text("test.", 30, "IN", "SOA", ROOT_SOA))
        return response


def failing(code):
    """A server that answers with this response code."""

    def answer(query, _is_tcp):
        response = dns.message.make_response(query)
        response.set_rcode(code)
        return response.to_wire()

    return answer


def silent(_query, _is_tcp):
    """A server that does not answer."""


def garbage(_query, _is_tcp):
    """A server that answers with anything but DNS."""
    return b"HTTP/1.1 400 Bad Request\r\n\r\n"


def foreign(query, _is_tcp):
    """A server whose answers are for a question that nobody asked, as a forger's are."""
    other = dns.message.make_query("elsewhere.test.", query.question[0].rdtype)
    other.id = query.id
    response = dns.message.make_response(other)
    response.answer.append(dns.rrset.from_text("elsewhere.test.", 60, "IN", "A", "192.0.2.66"))
    return response.to_wire()


def truncated(zone):
    """A server whose answers do not fit into UDP."""

    def answer(query, is_tcp):
        question = query.question[0]
        name, kind = question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype)
        response = zone.reply(query, name, kind)
        if not is_tcp:
            response.answer.clear()
            response.flags |= dns.flags.TC
        return response.to_wire(max_size=65535)

    return answer


def _rrset(name, kind, entry):
    ttl, values = entry
    return dns.rrset.from_text(dns.name.from_text(name), ttl, "IN", kind, *values)


class _Udp(socketserver.ThreadingUDPServer):
    daemon_threads = False


class _Tcp(socketserver.ThreadingTCPServer):
    daemon_threads = False
    allow_reuse_address = True


class _UdpHandler(socketserver.BaseRequestHandler):
    def handle(self):
        wire, sock = self.request
        answer = self.server.zone.answer(wire, is_tcp=False)
        if answer is not None:
            sock.sendto(answer, self.client_address)


class _TcpHandler(socketserver.StreamRequestHandler):
    timeout = 5

    def handle(self):
        with suppress(OSError):
            (length,) = struct.unpack("!H", self.rfile.read(2))
            answer = self.server.zone.answer(self.rfile.read(length), is_tcp=True)
            if answer is not None:
                self.wfile.write(struct.pack("!H", len(answer)) + answer)
