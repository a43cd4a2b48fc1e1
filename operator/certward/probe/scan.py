"""What a server accepts: TLS versions, suites and groups, found by repeated offers; `hello` makes one."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from certward.model.suites import GROUPS, SUITES, VERSIONS, usable
from certward.probe.hello import Answer, hello
from certward.probe.link import ProbeFailed

__all__ = ["Answer", "ProbeFailed", "ScanResult", "confirms", "hello", "scan", "scan_versions"]

_TLS13: Final = "TLSv1.3"
#: How many times the timeout of one connection a scan may last: no slow server holds a worker for minutes.
_SCAN_TIMEOUTS: Final = 10
#: ML-KEM hybrids are defined for TLS 1.3 alone (draft-ietf-tls-ecdhe-mlkem).
_TLS13_GROUPS: Final = frozenset({"X25519MLKEM768"})


@dataclass(frozen=True)
class ScanResult:
    """Everything that a server accepts for one name.

    Attributes:
        versions: accepted protocol versions, oldest first.
        suites: for each accepted version the suites in the order in which the server chose them.
        groups_tls13: groups for TLS 1.3 in the order in which the server chose them.
        groups_tls12: the same for ECDHE at TLS 1.2 and below.
        server_order: whether the server goes by its own order of suites (else the client's); None where it
            accepts too few to tell.
        complete: the scan reached its end; if not, the rest is what was found until then.
        error: why not, in words.
        connections: how many were made.
    """

    versions: tuple[str, ...] = ()
    suites: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    groups_tls13: tuple[str, ...] = ()
    groups_tls12: tuple[str, ...] = ()
    server_order: bool | None = None
    complete: bool = True
    error: str = ""
    connections: int = 0

    @property
    def min_version(self) -> str:
        """The oldest accepted version; empty for none."""
        return self.versions[0] if self.versions else ""

    @property
    def max_version(self) -> str:
        """The newest accepted version; empty for none."""
        return self.versions[-1] if self.versions else ""


def scan_versions(
    address: tuple[str, int], server_name: str, *, timeout: float = 3.0, proxy_protocol: bool = False
) -> tuple[str, ...]:
    """Find the accepted versions, oldest first. Four connections; one more for each refusal without an alert.

    Args:
        address: host (better an IP address) and port.
        server_name: see `hello`.
        timeout: seconds for each connection.
        proxy_protocol: start with a PROXY protocol v1 header.

    Raises:
        ProbeFailed: as from `hello`, or every offer ended in a reset or a close, as behind a balancer that
            has no backend.
    """
    scanner = _Scanner(address, server_name, timeout, proxy_protocol=proxy_protocol)
    accepted = tuple(version for version in VERSIONS if scanner.offer(version, _suites_for(version)).accepted)
    scanner.check_spoke()
    return accepted


def scan(
    address: tuple[str, int], server_name: str, *, timeout: float = 3.0, proxy_protocol: bool = False
) -> ScanResult:
    """Find everything that a server accepts for a name: offer all, take out what it chose, until it refuses.

    Connections: 1 for each refused version; for each accepted one 1 a suite and 1 for the refusal of the
    rest; for TLS 1.3, and once below it, 1 a group and 1 or 2 for the refusal of the rest; 1 for the order.
    For a server with TLS 1.2 (6 suites) and 1.3 (3 suites) and three groups at both: 21; for an OpenSSL
    with everything switched on, 42. A refusal without an alert costs one more. Only what stands in `SUITES`
    and `GROUPS` is found.

    Below TLS 1.3 the groups must also include the curve of an ECDSA certificate, so a server that goes by its
    own order can keep some hidden; no client of the same kind is given those either.

    Args:
        address: host (better an IP address) and port.
        server_name: see `hello`.
        timeout: seconds for each connection; all together may take ten times as long.
        proxy_protocol: start with a PROXY protocol v1 header.

    Returns:
        What was found; a server that cannot be asked to the end is an incomplete result, never an error.
    """
    scanner = _Scanner(address, server_name, timeout, proxy_protocol=proxy_protocol)
    server_order: bool | None = None
    error = ""
    try:
        for version in VERSIONS:
            scanner.find_suites(version)
        scanner.check_spoke()
        for version in scanner.versions_with_groups():
            scanner.find_groups(version)
        server_order = scanner.has_own_order()
    except ProbeFailed as failed:
        error = failed.message
    suites = {version: tuple(found) for version, found in scanner.suites.items()}
    return ScanResult(
        versions=tuple(suites),
        suites=suites,
        groups_tls13=tuple(scanner.groups.get(_TLS13, ())),
        groups_tls12=tuple(name for version, found in scanner.groups.items() if version != _TLS13 for name in found),
        server_order=server_order,
        complete=not error,
        error=error,
        connections=scanner.connections,
    )


def confirms(
    address: tuple[str, int],
    server_name: str,
    expected: ScanResult,
    *,
    timeout: float = 3.0,
    proxy_protocol: bool = False,
) -> bool:
    """Whether a server accepts nothing beyond what another scan has found, and each version of it.

    For a host with the settings of one that was scanned in full: half as many connections or less (9 instead of 21 for
    TLS 1.2 and 1.3 with three suites each). Not seen is when it refuses a suite or group that the other one accepts,
    as long as one of them is left.

    Args:
        address: host (better an IP address) and port.
        server_name: see `hello`.
        expected: from a complete scan.
        timeout: seconds for each connection; all together may take ten times as long.
        proxy_protocol: start with a PROXY protocol v1 header.

    Returns:
        False also where the server could not be asked to the end: a full scan says why.
    """
    scanner = _Scanner(address, server_name, timeout, proxy_protocol=proxy_protocol)
    try:
        return all(scanner.is_as_expected(version, expected.suites.get(version, ())) for version in VERSIONS) and all(
            scanner.has_no_other_groups(
                version, expected.groups_tls13 if version == _TLS13 else expected.groups_tls12, expected
            )
            for version in _with_groups(expected.suites)
        )
    except ProbeFailed:
        return False


class _Scanner:
    """Makes offers to one address for one name and remembers what they cost."""

    def __init__(self, address: tuple[str, int], server_name: str, timeout: float, *, proxy_protocol: bool) -> None:
        self._address = address
        self._server_name = server_name
        self._timeout = timeout
        self._deadline = time.monotonic() + _SCAN_TIMEOUTS * timeout
        self._proxy_protocol = proxy_protocol
        self._silent_refusal = ""
        self._has_spoken = False
        self.connections = 0
        self.suites: dict[str, list[str]] = {}
        self.groups: dict[str, list[str]] = {}

    def offer(self, version: str, suites: Sequence[str], groups: Sequence[str] = ()) -> Answer:
        """Offer one version; after a refusal without an alert once more, for it may have been an accident."""
        for _ in range(2):
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise ProbeFailed("timeout", "the server answers too slowly for a whole scan")
            self.connections += 1
            answer = hello(
                self._address,
                self._server_name,
                versions=(version,),
                suites=suites,
                groups=groups or _groups_for(version),
                timeout=min(self._timeout, left),
                proxy_protocol=self._proxy_protocol,
            )
            if answer.error not in {"reset", "closed"}:
                self._has_spoken = True
                break
            self._silent_refusal = answer.error
        return answer

    def check_spoke(self) -> None:
        """Raise when nothing was ever answered: that is no TLS server that refuses, but none at all."""
        if not self._has_spoken:
            kind: Literal["reset", "closed"] = "reset" if self._silent_refusal == "reset" else "closed"
            raise ProbeFailed(kind, f"the server answered no ClientHello, each connection was {kind}")

    def find_suites(self, version: str) -> None:
        """Offer all suites of a version, take out the chosen one, until the rest is refused."""
        rest = _suites_for(version)
        while rest:
            answer = self.offer(version, rest)
            if not answer.accepted:
                break
            self.suites.setdefault(version, []).append(answer.suite)
            rest.remove(answer.suite)

    def versions_with_groups(self) -> list[str]:
        """Name the versions to ask for groups: TLS 1.3, and the newest below it that has ECDHE."""
        return _with_groups(self.suites)

    def find_groups(self, version: str) -> None:
        """Find the groups of a version in the same way, with suites that need one."""
        rest = _groups_for(version)
        found = self.groups.setdefault(version, [])
        suites = _ecdhe(self.suites[version])
        needs_curve = any(SUITES[name].auth == "ECDSA" for name in suites)
        while rest:
            answer = self.offer(version, suites, rest)
            if not answer.accepted and needs_curve and found:
                # Perhaps only the curve of the certificate is missing (RFC 8422, 5.1), taken out before.
                answer = self.offer(version, suites, rest + found)
            if answer.group not in rest:
                break
            found.append(answer.group)
            rest.remove(answer.group)

    def is_as_expected(self, version: str, suites: Sequence[str]) -> bool:
        """Offer what should be refused, and what should not."""
        others = [name for name in _suites_for(version) if name not in suites]
        if others and self.offer(version, others).accepted:
            return False
        return not suites or self.offer(version, suites).accepted

    def has_no_other_groups(self, version: str, groups: Sequence[str], expected: ScanResult) -> bool:
        """Offer the groups that should be refused: alone, and below TLS 1.3 also with the certificate's curve."""
        others, suites = [name for name in _groups_for(version) if name not in groups], _ecdhe(expected.suites[version])
        if not others:
            return True
        answer = self.offer(version, suites, others)
        if not answer.accepted and any(SUITES[name].auth == "ECDSA" for name in suites):
            answer = self.offer(version, suites, [*others, *groups])
        return not answer.accepted or answer.group not in others

    def has_own_order(self) -> bool | None:
        """Offer the suites of one version backwards; a server with its own order chooses as before.

        ChaCha20 is left out: many servers put it first for a client that does (which then has no fast AES)
        and go by their own order in all else.
        """
        for version in sorted(self.suites, key=lambda name: (name == _TLS13, -VERSIONS.index(name))):
            found = [name for name in self.suites[version] if "CHACHA20" not in SUITES[name].enc]
            if len(found) > 1:
                return self.offer(version, found[::-1]).suite == found[0]
        return None


def _ecdhe(suites: Sequence[str]) -> list[str]:
    """Those that go with a group; at TLS 1.3 all do."""
    return [name for name in suites if SUITES[name].kx in {"ECDHE", "any"}]


def _with_groups(suites: Mapping[str, Sequence[str]]) -> list[str]:
    """TLS 1.3, and the newest version below it that has ECDHE."""
    older = [version for version in suites if version != _TLS13 and _ecdhe(suites[version])]
    return older[-1:] + [version for version in suites if version == _TLS13]


def _suites_for(version: str) -> list[str]:
    return [name for name, suite in SUITES.items() if usable(suite, version)]


def _groups_for(version: str) -> list[str]:
    return [name for name in GROUPS if version == _TLS13 or name not in _TLS13_GROUPS]
