"""Dynamic updates of one TXT value (RFC 2136), signed with TSIG (RFC 8945)."""

import socket
import time
from ipaddress import ip_address
from typing import Final

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.update

from certward.errors import OperatorError, Transient
from certward.nameserver.key import TsigKey

#: Short, since another value may come under the same name in a moment, and caches would keep the old set.
_TTL: Final = 10
#: Seconds for one exchange.
_TIMEOUT: Final = 5.0


class UpdateServer:
    """The server that takes updates of a zone.

    Args:
        host: its address or name.
        port: its port, TCP.
        zone: the zone that is updated.
        key: which the server knows, too.
    """

    def __init__(self, host: str, port: int, zone: str, key: TsigKey) -> None:
        self._host, self._port, self._zone, self._key = host, port, zone, key

    def add(self, name: str, value: str) -> None:
        """Put one value into the TXT records of a name, beside those that are there; doing it twice does no harm.

        Raises:
            Transient: the server could not or would not; a sentence for the administrator.
        """
        update = self._update()
        update.add(_absolute(name), _TTL, "TXT", _quoted(value))
        self._send(update, name)

    def remove(self, name: str, value: str) -> None:
        """Take exactly one value out of the TXT records of a name; fine where it is not there.

        Raises:
            Transient: as `add`.
        """
        update = self._update()
        update.delete(_absolute(name), "TXT", _quoted(value))
        self._send(update, name)

    def check(self) -> None:
        """See that the server answers, knows the key and has the zone, without changing anything.

        Raises:
            Transient: as `add`.
        """
        query = dns.message.make_query(_absolute(self._zone), "SOA")
        query.use_tsig(self._key.of_library())
        answer = self._send(query, self._zone)
        if not any(rrset.rdtype == dns.rdatatype.SOA for rrset in answer.answer):
            raise self._trouble(f"does not have the zone {self._zone}", "check server and zone")

    def _update(self) -> dns.update.UpdateMessage:
        update = dns.update.UpdateMessage(_absolute(self._zone))
        update.use_tsig(self._key.of_library())
        return update

    def _send(self, message: dns.message.Message, name: str) -> dns.message.Message:
        try:
            answer = _exchange(message, address_of(self._host, self._port), self._port)
        except dns.tsig.PeerError as error:
            raise self._refused(error) from None
        except (dns.tsig.BadTime, dns.tsig.BadSignature, dns.tsig.BadKey, dns.tsig.BadAlgorithm):
            raise self._trouble("answers with a wrong signature", "check the key and both clocks") from None
        except TimeoutError:
            raise self._trouble("does not answer", "check that it runs and that TCP reaches it") from None
        except OSError as error:
            words = f"cannot be reached ({error.strerror.lower()})" if error.strerror else "cannot be reached"
            raise self._trouble(words, "check that it runs and that TCP reaches it") from None
        except EOFError:
            raise self._trouble("closes connections without an answer", "look into its log") from None
        except (dns.exception.DNSException, ValueError):
            raise self._trouble("answers with something that is not DNS", "check server") from None
        self._judge(answer, name)
        return answer

    def _judge(self, answer: dns.message.Message, name: str) -> None:
        code = answer.rcode()
        if code == dns.rcode.NOERROR:
            if not answer.had_tsig:
                raise self._trouble("answers without a signature", "let it require TSIG for updates")
            return
        unknown = (f"answers {dns.rcode.to_text(code)} to an update of {{name}}", "look into its log")
        what, remedy = (
            words.format(name=name, zone=self._zone, key=self._key.name) for words in _CODES.get(code, unknown)
        )
        raise self._trouble(what, remedy)

    def _refused(self, error: dns.tsig.PeerError) -> OperatorError:
        key = f"the TSIG key {self._key.name}"
        if isinstance(error, dns.tsig.PeerBadKey):
            return self._trouble(f"does not know {key} with algorithm {self._key.algorithm} (BADKEY)", "check the key")
        if isinstance(error, dns.tsig.PeerBadSignature):
            return self._trouble(f"has another secret for {key} (BADSIG)", "check the key")
        if isinstance(error, dns.tsig.PeerBadTime):
            return self._trouble("finds the operator's clock wrong (BADTIME)", "set both clocks")
        return self._trouble(f"does not accept signatures with {key}", "check the key")

    def _trouble(self, what: str, remedy: str) -> Transient:
        where = f"[{self._host}]:{self._port}" if ":" in self._host else f"{self._host}:{self._port}"
        return Transient(
            "ChallengeUnreachable",
            f"The DNS server {where} that records of DNS-01 are written to {what}; the administrator has to look at "
            f"challenge.dns01.rfc2136: {remedy}.",
        )


_CODES: Final = {
    dns.rcode.REFUSED: (
        "refuses to have {name} changed with the TSIG key {key} (REFUSED)",
        "let the key update TXT records of the zone {zone}",
    ),
    dns.rcode.NOTAUTH: ("is not the primary of the zone {zone} (NOTAUTH)", "check server and zone"),
    dns.rcode.NOTZONE: ("says that {name} is not in the zone {zone} (NOTZONE)", "check zone"),
    dns.rcode.NOTIMP: ("takes no dynamic updates (NOTIMP)", "let it take them, or name another server"),
    dns.rcode.SERVFAIL: ("fails (SERVFAIL)", "look into its log"),
}


def _absolute(name: str) -> dns.name.Name:
    return dns.name.from_text(name)


def _quoted(value: str) -> str:
    return f'"{value}"'


def _exchange(message: dns.message.Message, address: str, port: int) -> dns.message.Message:
    """Send a signed message by TCP, where what is lost comes again, and read the answer.

    A refusal need not be signed (RFC 8945, 5.2), which the library's own exchange takes for no answer at all.
    """
    deadline = time.monotonic() + _TIMEOUT
    wire = message.to_wire()
    with socket.create_connection((address, port), _TIMEOUT) as connection:
        connection.sendall(len(wire).to_bytes(2, "big") + wire)
        length = int.from_bytes(_read(connection, 2, deadline), "big")
        raw = _read(connection, length, deadline)
    answer = dns.message.from_wire(raw, keyring=False)
    if answer.had_tsig:
        answer = dns.message.from_wire(raw, keyring=message.keyring, request_mac=message.mac)
    if answer.id != message.id or not answer.flags & dns.flags.QR or answer.opcode() != message.opcode():
        raise dns.exception.FormError
    return answer


def _read(connection: socket.socket, count: int, deadline: float) -> bytes:
    data = b""
    while len(data) < count:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        connection.settimeout(left)
        part = connection.recv(count - len(data))
        if not part:
            raise EOFError
        data += part
    return data


def address_of(host: str, port: int) -> str:
    """The address of a server that may be named; raises OSError where the system does not know the name."""
    try:
        return str(ip_address(host))
    except ValueError:
        return str(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0])
