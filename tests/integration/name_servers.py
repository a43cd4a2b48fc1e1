"""Authoritative name servers that take signed updates: one of our own and Knot, and a resolver that leads to them."""

import base64
import os
import shutil
import socket
import struct
import subprocess
import threading
import time
from contextlib import suppress

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.query
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.TSIG
import dns.rrset
import dns.tsig
import dns.update

from integration.dns_world import Zone
from integration.pebble_world import end, free_ports, until

KEY_NAME = "certward-key"
SECRET = base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
OTHER_SECRET = base64.b64encode(b"fedcba9876543210fedcba9876543210").decode()
NSUPDATE_KEY = f"hmac-sha256:{KEY_NAME}:{SECRET}"
KEY_FILE = f'# made by tsig-keygen\nkey "{KEY_NAME}" {{\n\talgorithm hmac-sha256;\n\tsecret "{SECRET}";\n}};\n'

_TTL = 5


class Primary(Zone):
    """The primary of zones, written in Python: it checks TSIG (RFC 8945) and takes updates of TXT records (RFC 2136).

    Args:
        zones: their names; each has an SOA and an NS record, and every other name in it is at 127.0.0.1.
        refuses: names for which it answers REFUSED.

    Attributes:
        updates: what was asked for, (verb, name, value), once it was done; the verb is add, remove or remove all.
        stops: nothing is answered while it is set.
        clock: seconds by which its clock is ahead.
    """

    def __init__(self, *zones, refuses=()):
        self.updates, self.refuses, self.stops, self.clock = [], set(refuses), threading.Event(), 0.0
        self._zones = zones
        self._lock = threading.RLock()
        self._keyring = {
            dns.name.from_text(KEY_NAME): dns.tsig.Key(KEY_NAME, SECRET, dns.tsig.HMAC_SHA256),
        }
        super().__init__()
        for zone in zones:
            self.set(zone, "SOA", f"ns1.{zone}. hostmaster.{zone}. 1 60 60 3600 1", ttl=_TTL)
            self.set(zone, "NS", f"ns1.{zone}.", ttl=_TTL)
            self.set(f"ns1.{zone}", "A", "127.0.0.1", ttl=_TTL)

    def txt(self, name):
        """The TXT values of a name."""
        with self._lock:
            return set(self.records.get(name, {}).get("TXT", (0, ()))[1])

    def answer(self, wire, *, is_tcp):
        if self.stops.is_set():
            return None
        if dns.opcode.from_flags(struct.unpack("!H", wire[2:4])[0]) == dns.opcode.UPDATE or _is_signed(wire):
            return self._answer_signed(wire)
        return super().answer(wire, is_tcp=is_tcp)

    def reply(self, query, name, kind):
        with self._lock:
            if not any(name == zone or name.endswith(f".{zone}") for zone in self._zones):
                response = dns.message.make_response(query)
                response.set_rcode(dns.rcode.REFUSED)
                return response
            if name not in self.records and not any(part.startswith("_") for part in name.split(".")):
                response = dns.message.make_response(query)
                if kind == "A":
                    response.answer.append(dns.rrset.from_text(f"{name}.", _TTL, "IN", "A", "127.0.0.1"))
            else:
                response = super().reply(query, name, kind)
            response.flags = (response.flags | dns.flags.AA) & ~dns.flags.RA
            return response

    def _answer_signed(self, wire):
        try:
            query = dns.message.from_wire(wire, keyring=self._keyring)
        except dns.message.UnknownTSIGKey:
            return _tsig_error(wire, dns.rcode.BADKEY)
        except dns.tsig.BadSignature:
            return _tsig_error(wire, dns.rcode.BADSIG)
        except dns.exception.DNSException:
            return None
        if query.had_tsig and abs(self.clock) > query.tsig[0].fudge:
            return _tsig_error(wire, dns.rcode.BADTIME)
        if not isinstance(query, dns.update.UpdateMessage):
            question = query.question[0]
            name = question.name.to_text(omit_final_dot=True).lower()
            signed = self.reply(query, name, dns.rdatatype.to_text(question.rdtype))
            return signed.to_wire()
        response = dns.message.make_response(query)
        response.set_rcode(self._update(query) if query.had_tsig else dns.rcode.REFUSED)
        return response.to_wire()

    def _update(self, query):
        zone = query.zone[0].name.to_text(omit_final_dot=True).lower()
        if zone not in self._zones:
            return dns.rcode.NOTAUTH
        changes = []
        for rrset in query.update:
            name = rrset.name.to_text(omit_final_dot=True).lower()
            if name != zone and not name.endswith(f".{zone}"):
                return dns.rcode.NOTZONE
            if name in self.refuses or rrset.rdtype != dns.rdatatype.TXT:
                return dns.rcode.REFUSED
            if rrset.deleting == dns.rdataclass.ANY:
                changes.append(("remove all", name, ""))
            verb = "remove" if rrset.deleting == dns.rdataclass.NONE else "add"
            changes += [(verb, name, b"".join(data.strings).decode()) for data in rrset]
        with self._lock:
            for change in changes:
                self._do(*change)
        return dns.rcode.NOERROR

    def _do(self, verb, name, value):
        values = self.txt(name)
        values = values | {value} if verb == "add" else values - {value} if verb == "remove" else set()
        if values:
            self.set(name, "TXT", *sorted(values), ttl=_TTL)
        else:
            self.records.pop(name, None)
        self.updates.append((verb, name, value))


class Knot:
    """Knot DNS (knotd) as the primary of zones, with the same key."""

    def __init__(self, folder, *zones):
        (port,) = free_ports(1)
        self.server = ("127.0.0.1", port)
        (folder / "run").mkdir()
        for zone in zones:
            (folder / f"{zone}.zone").write_text(
                f"$ORIGIN {zone}.\n$TTL {_TTL}\n@ SOA ns1 hostmaster 1 60 60 3600 1\n@ NS ns1\n"
                "ns1 A 127.0.0.1\n* A 127.0.0.1\n"
            )
        listed = "\n".join(
            f"  - domain: {zone}\n    file: {folder}/{zone}.zone\n    acl: update\n    zonefile-sync: -1\n"
            f"    journal-content: all\n"
            for zone in zones
        )
        (folder / "knot.conf").write_text(
            f"server:\n  rundir: {folder}/run\n  listen: 127.0.0.1@{port}\n"
            f"log:\n  - target: stderr\n    any: info\n"
            f"database:\n  storage: {folder}/run\n"
            f"key:\n  - id: {KEY_NAME}\n    algorithm: hmac-sha256\n    secret: {SECRET}\n"
            f"acl:\n  - id: update\n    key: {KEY_NAME}\n    action: update\n    update-type: TXT\n"
            f"zone:\n{listed}"
        )
        log = folder / "knot.log"
        with log.open("wb") as output:
            command = [knotd(), "-c", str(folder / "knot.conf")]
            self._process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=dict(os.environ))
        until(lambda: self._soa(zones[-1]), self._process, log)

    def txt(self, name):
        """The TXT values of a name."""
        answer = dns.query.udp(dns.message.make_query(name, "TXT"), self.server[0], 2, self.server[1])
        return {b"".join(data.strings).decode() for rrset in answer.answer for data in rrset}

    def _soa(self, zone):
        try:
            answer = dns.query.udp(dns.message.make_query(zone, "SOA"), self.server[0], 0.5, self.server[1])
        except dns.exception.Timeout as error:
            raise OSError("no answer yet") from error
        if not answer.answer:
            raise OSError("no zone yet")

    def close(self):
        end(self._process)


def knotd():
    """The program, or None where it is not installed."""
    return shutil.which("knotd") or shutil.which("knotd", path="/usr/sbin:/usr/local/sbin")


class Front(Zone):
    """A resolver: names under `zones` are asked of their server, all others of the DNS behind it.

    Args:
        behind: host and port of the DNS for all other names.
        zones: suffix -> host and port of the authoritative server.
    """

    def __init__(self, behind, zones):
        self._behind, self._zones_at = behind, zones
        super().__init__()

    def answer(self, wire, *, is_tcp):
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name, kind = question.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        if odd := self.odd.get(name):
            return odd(query, is_tcp)
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        for _ in range(8):
            told = self._ask(name, kind)
            if told is None:
                return None
            response.set_rcode(told.rcode())
            response.answer += [each for each in told.answer if each not in response.answer]
            response.authority = told.authority
            alias = next((each[0].target for each in reversed(told.answer) if each.rdtype == dns.rdatatype.CNAME), None)
            if alias is None or any(each.rdtype == question.rdtype for each in told.answer):
                break
            name = alias.to_text(omit_final_dot=True).lower()
        return response.to_wire()

    def _ask(self, name, kind):
        query = dns.message.make_query(name, kind)
        if name in self.records:
            return self.reply(query, name, kind)
        at = next(
            (at for zone, at in self._zones_at.items() if name == zone or name.endswith(f".{zone}")), self._behind
        )
        with suppress(dns.exception.DNSException, OSError):
            return dns.query.udp(query, at[0], 2, at[1])
        return None


class Silent:
    """A server that takes connections and never answers."""

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.server = self._listener.getsockname()

    def close(self):
        self._listener.close()


def _is_signed(wire):
    with suppress(dns.exception.DNSException):
        return dns.message.from_wire(wire, keyring=False).had_tsig
    return True


def _tsig_error(wire, code):
    """NOTAUTH with a TSIG error, unsigned (RFC 8945, 5.2)."""
    query = dns.message.from_wire(wire, keyring=False)
    response = dns.message.Message(id=query.id)
    response.flags = dns.flags.QR
    response.set_opcode(query.opcode())
    response.set_rcode(dns.rcode.NOTAUTH)
    other = struct.pack("!Q", int(time.time()))[2:] if code == dns.rcode.BADTIME else b""
    data = dns.rdtypes.ANY.TSIG.TSIG(
        dns.rdataclass.ANY, dns.rdatatype.TSIG, dns.tsig.HMAC_SHA256, int(time.time()), 300, b"", query.id, code, other
    )
    body = data.to_wire()
    record = dns.name.from_text(KEY_NAME).to_wire() + struct.pack("!HHIH", 250, 255, 0, len(body)) + body
    raw = bytearray(response.to_wire() + record)
    raw[10:12] = struct.pack("!H", 1)
    return bytes(raw)
