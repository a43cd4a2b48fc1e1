"""Well-known clients and what they speak, to tell who is locked out or let in when an App's TLS changes.

Read off the clients' own ClientHellos. Sources, by the mark in the table:

* SSL_LABS: the handshake simulations of Qualys SSL Labs (https://api.ssllabs.com/api/v3/getClients, CC BY 3.0 US), in
  the copy that testssl.sh 3.0.8 ships as etc/client-simulation.txt.
* TESTSSL: captures by the authors of testssl.sh, in the same file of 3.0.8.
* TESTSSL_NEWER: the same file in commit 0d6ab6b of github.com/testssl/testssl.sh, for what came out later.

A row that stands for several versions does so because their hellos agree in all that a profile can offer. What none
offers is left out: SSL 3, finite-field key exchange, RC4, other groups. Clients whose hello depends on how they were
built or set up (curl, Python, .NET) are not here: look for their TLS library.
"""

from dataclasses import dataclass
from itertools import chain
from typing import Final, Literal

from certward.model.profiles import Profile, expected, versions
from certward.model.suites import SUITES, VERSIONS

Source = Literal["SSL Labs", "testssl.sh 3.0.8", "testssl.sh 0d6ab6b"]
SSL_LABS: Final = "SSL Labs"
TESTSSL: Final = "testssl.sh 3.0.8"
TESTSSL_NEWER: Final = "testssl.sh 0d6ab6b"

#: Elliptic curve of the certificate's key, by key type.
_CURVES = {"ECDSA-P256": "P-256", "ECDSA-P384": "P-384"}


@dataclass(frozen=True, slots=True)
class Client:
    """What a client offers in its ClientHello.

    Attributes:
        name: product and version, for people.
        versions: the protocol versions that it speaks, oldest first.
        suites: IANA names.
        groups: named groups.
        source: where the facts come from; see the module.
        sends_sni: whether it says which host it wants (RFC 6066, 3).
    """

    name: str
    versions: tuple[str, ...]
    suites: frozenset[str]
    groups: frozenset[str]
    source: Source
    sends_sni: bool = True


def accepts_key(client: Client, key_type: str) -> bool:
    """Tell whether a client can check signatures by such a key: it must know the curve (RFC 8422, 5.1).

    For TLS 1.3 the signature algorithms decide (RFC 8446, 4.2.3); every client in the table offers those for the
    curves among its groups.
    """
    curve = _CURVES.get(key_type)
    return curve is None or curve in client.groups


def negotiates(client: Client, profile: Profile, key_type: str) -> str | None:
    """Return the protocol version with which a client connects to a host, None where it cannot.

    The server takes the highest version that both speak and looks for a suite and a group there only; it does not
    go down again when there is none (RFC 8446, 4.1.1 and 4.2.1). A client that does not name its host cannot be told
    from others, so it meets the ingress's default certificate and settings and never those of a profile.

    Args:
        client: one of `CLIENTS`.
        profile: what the host is served with.
        key_type: of its certificate, such as "ECDSA-P256" or "RSA-2048".
    """
    common = [version for version in versions(profile) if version in client.versions]
    if not common or not client.sends_sni or not accepts_key(client, key_type):
        return None
    has_group = not client.groups.isdisjoint(profile.groups)
    for name in expected(profile, key_type)[common[-1]]:
        if name in client.suites and (has_group or SUITES[name].kx == "RSA"):
            return common[-1]
    return None


def _family(*auth: str, ciphers: tuple[str, ...]) -> frozenset[str]:
    return frozenset(f"TLS_{a}_WITH_{cipher}" for a in auth for cipher in ciphers)


_EC = ("ECDHE_ECDSA", "ECDHE_RSA")
_128_GCM, _GCM = ("AES_128_GCM_SHA256",), ("AES_128_GCM_SHA256", "AES_256_GCM_SHA384")
_128_SHA, _SHA = ("AES_128_CBC_SHA",), ("AES_128_CBC_SHA", "AES_256_CBC_SHA")
_128_SHA2 = ("AES_128_CBC_SHA256",)
EC_GCM = _family(*_EC, ciphers=_GCM)
EC_128_GCM = _family(*_EC, ciphers=_128_GCM)
EC_CHACHA = _family(*_EC, ciphers=("CHACHA20_POLY1305_SHA256",))
EC_SHA2 = _family(*_EC, ciphers=("AES_128_CBC_SHA256", "AES_256_CBC_SHA384"))
EC_128_SHA2 = _family(*_EC, ciphers=_128_SHA2)
EC_SHA = _family(*_EC, ciphers=_SHA)
EC_128_SHA = _family(*_EC, ciphers=_128_SHA)
RSA_GCM = _family("RSA", ciphers=_GCM)
RSA_128_GCM = _family("RSA", ciphers=_128_GCM)
RSA_SHA2 = _family("RSA", ciphers=("AES_128_CBC_SHA256", "AES_256_CBC_SHA256"))
RSA_128_SHA2 = _family("RSA", ciphers=_128_SHA2)
RSA_SHA = _family("RSA", ciphers=_SHA)
RSA_128_SHA = _family("RSA", ciphers=_128_SHA)
TRIPLE_DES = _family("RSA", ciphers=("3DES_EDE_CBC_SHA",))
TLS13 = frozenset({"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"})

_TLS10_SUITES = (EC_SHA, RSA_SHA, TRIPLE_DES)
_TLS12_SUITES = (EC_GCM, EC_SHA2, EC_SHA, RSA_GCM, RSA_SHA2, RSA_SHA)
_CHROME_SUITES = (TLS13, EC_GCM, EC_CHACHA, _family("ECDHE_RSA", ciphers=_SHA), RSA_GCM, RSA_SHA)
_OPENSSL_SUITES = (EC_CHACHA, *_TLS12_SUITES)
_JAVA_8_SUITES = (EC_128_GCM, EC_128_SHA2, EC_128_SHA, RSA_128_GCM, RSA_128_SHA2, RSA_128_SHA, TRIPLE_DES)

_P256 = ("P-256",)
_P384 = ("P-256", "P-384")
_P521 = ("P-256", "P-384", "P-521")
_X25519 = ("X25519", *_P384)
_X25519_P521 = ("X25519", *_P521)
_HYBRID = ("X25519MLKEM768", *_X25519_P521)


def _row(
    name: str, lowest: str, highest: str, groups: tuple[str, ...], suites: tuple[frozenset[str], ...], source: Source
) -> Client:
    return Client(
        name=name,
        versions=VERSIONS[VERSIONS.index(f"TLSv{lowest}") : VERSIONS.index(f"TLSv{highest}") + 1],
        suites=frozenset(chain.from_iterable(suites)),
        groups=frozenset(groups),
        source=source,
    )


def _without_sni(name: str, *suites: frozenset[str]) -> Client:
    return Client(name, ("TLSv1.0",), frozenset(chain.from_iterable(suites)), frozenset(), SSL_LABS, sends_sni=False)


#: Every client, by name and age.
CLIENTS: Final[tuple[Client, ...]] = (
    _without_sni("Android 2.3", RSA_128_SHA, TRIPLE_DES),
    _row("Android 4.0 to 4.3", "1.0", "1.0", _P521, _TLS10_SUITES, SSL_LABS),
    _row("Android 4.4", "1.0", "1.2", _P521, (EC_GCM, EC_128_SHA2, *_TLS10_SUITES, RSA_GCM, RSA_SHA2), SSL_LABS),
    _row("Android 5 and 6", "1.0", "1.2", _P384, (EC_128_GCM, RSA_128_GCM, *_TLS10_SUITES), SSL_LABS),
    _row("Android 7", "1.0", "1.2", _P256, _CHROME_SUITES[1:], TESTSSL),
    _row("Android 8", "1.0", "1.2", _X25519, (EC_GCM, EC_CHACHA, EC_SHA, RSA_GCM, RSA_SHA), TESTSSL),
    _row("Android 10", "1.0", "1.3", _X25519, (*_CHROME_SUITES, TRIPLE_DES), TESTSSL),
    _row("Android 11 and 12", "1.0", "1.3", _X25519, (*_CHROME_SUITES, EC_SHA), TESTSSL),
    _row(
        "Chrome 49 on Windows XP",
        "1.0",
        "1.2",
        _P384,
        (
            _family("ECDHE_RSA", ciphers=(*_128_GCM, *_SHA, "CHACHA20_POLY1305_SHA256")),
            RSA_128_GCM,
            RSA_SHA,
            TRIPLE_DES,
        ),
        SSL_LABS,
    ),
    _row("Chrome 49", "1.0", "1.2", _P384, (EC_128_GCM, EC_CHACHA, RSA_128_GCM, *_TLS10_SUITES), SSL_LABS),
    _row("Chrome 70", "1.0", "1.3", _X25519, (*_CHROME_SUITES, TRIPLE_DES), SSL_LABS),
    _row("Chrome and Edge 101", "1.2", "1.3", _X25519, _CHROME_SUITES, TESTSSL),
    _row("Edge 15", "1.0", "1.2", _X25519, (*_TLS12_SUITES, TRIPLE_DES), SSL_LABS),
    _row("Firefox 31.3", "1.0", "1.2", _P521, (EC_128_GCM, *_TLS10_SUITES), SSL_LABS),
    _row("Firefox 66", "1.0", "1.3", _X25519_P521, (TLS13, EC_GCM, EC_CHACHA, *_TLS10_SUITES), TESTSSL),
    _row("Firefox 100", "1.2", "1.3", _X25519_P521, (*_CHROME_SUITES, EC_SHA), TESTSSL),
    _row("Firefox 137", "1.2", "1.3", _HYBRID, (*_CHROME_SUITES, EC_SHA), TESTSSL_NEWER),
    _row("Go 1.17", "1.0", "1.3", _X25519_P521, (*_CHROME_SUITES, EC_SHA, TRIPLE_DES), TESTSSL),
    _without_sni("IE 8 on Windows XP", TRIPLE_DES),
    _row("IE 8 to 10 on Windows 7", "1.0", "1.0", _P384, _TLS10_SUITES, SSL_LABS),
    _row(
        "IE 11 on Windows 7 and 8.1",
        "1.0",
        "1.2",
        _P384,
        (_family("ECDHE_ECDSA", ciphers=_GCM), *_TLS12_SUITES[1:], TRIPLE_DES),
        SSL_LABS,
    ),
    _row("IE 11 on Windows 10", "1.0", "1.2", _P384, (*_TLS12_SUITES, TRIPLE_DES), SSL_LABS),
    _without_sni("Java 6u45", RSA_128_SHA, TRIPLE_DES),
    _row("Java 7u25", "1.0", "1.0", _P521, (EC_128_SHA, RSA_128_SHA, TRIPLE_DES), SSL_LABS),
    _row("Java 8u31", "1.0", "1.2", _P521, _JAVA_8_SUITES, SSL_LABS),
    _row("Java 8u161", "1.0", "1.2", _P521, (*_TLS12_SUITES, TRIPLE_DES), SSL_LABS),
    _row(
        "Java 11",
        "1.0",
        "1.3",
        _P521,
        (TLS13 - {"TLS_CHACHA20_POLY1305_SHA256"}, *_TLS12_SUITES),
        TESTSSL,
    ),
    _row("Java 17", "1.2", "1.3", _X25519_P521, (TLS13, *_OPENSSL_SUITES), TESTSSL),
    _row("LibreSSL 2.8 of macOS", "1.0", "1.2", _X25519, (*_OPENSSL_SUITES, TRIPLE_DES), TESTSSL),
    _row("OpenSSL 0.9.8", "1.0", "1.0", (), (RSA_SHA, TRIPLE_DES), SSL_LABS),
    _row("OpenSSL 1.0.1 and 1.0.2", "1.0", "1.2", _P521, (*_TLS12_SUITES, TRIPLE_DES), SSL_LABS),
    _row("OpenSSL 1.1.0", "1.0", "1.2", _X25519_P521, _OPENSSL_SUITES, TESTSSL),
    _row("OpenSSL 1.1.1 of Debian", "1.2", "1.3", _X25519_P521, (TLS13, *_OPENSSL_SUITES), TESTSSL),
    _row("OpenSSL 3.0", "1.0", "1.3", _X25519_P521, (TLS13, *_OPENSSL_SUITES), TESTSSL),
    _row("OpenSSL 3.5", "1.2", "1.3", _HYBRID, (TLS13, *_OPENSSL_SUITES), TESTSSL_NEWER),
    _row("Safari 6 on OS X 10.8", "1.0", "1.0", _P521, _TLS10_SUITES, SSL_LABS),
    _row("Safari 6 to 8", "1.0", "1.2", _P521, (EC_SHA2, RSA_SHA2, *_TLS10_SUITES), SSL_LABS),
    _row("Safari 9", "1.0", "1.2", _P521, (*_TLS12_SUITES, TRIPLE_DES), SSL_LABS),
    _row(
        "Safari 12.1 on iOS 12.2",
        "1.0",
        "1.3",
        _X25519_P521,
        (TLS13, *_OPENSSL_SUITES, TRIPLE_DES),
        TESTSSL,
    ),
    _row("Safari 15.4", "1.0", "1.3", _X25519_P521, (*_CHROME_SUITES, EC_SHA, TRIPLE_DES), TESTSSL),
)
