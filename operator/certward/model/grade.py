"""The SSL Labs grade of what a host serves, by the rating guide in force (2009r of 2025-05-16), trust aside.

The guide is https://github.com/ssllabs/research/wiki/SSL-Server-Rating-Guide: a score out of 100 gives a
letter, and rules cap it. Only rules that can apply to what Certward serves or observes are here (no SSL 2
or 3, no RC4).

One rule needed a decision: 64-bit block ciphers (3DES) with TLS 1.1 or later cap at C. SSL Labs penalizes
3DES that is *negotiated* by one of its simulated clients, and says that 3DES at the end of an ordered list
is not affected (announcement of 2016-11-16; ssllabs-scan issue 599). testssl.sh caps at C wherever 3DES is
accepted at TLS 1.1 or later. Here SSL Labs' own rule holds: C only where another suite stands behind 3DES,
or none besides it is offered.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from certward.model.suites import SUITES, VERSIONS, Suite

#: Letters from best to worst.
LETTERS: Final = ("A+", "A", "A-", "B", "C", "D", "E", "F")
#: HSTS for at least so many seconds (180 days) is asked for A+ (guide 2009e).
HSTS_FOR_A_PLUS: Final = 180 * 24 * 3600

_PROTOCOL_SCORE = {"TLSv1.0": 90, "TLSv1.1": 95, "TLSv1.2": 100, "TLSv1.3": 100}
_CIPHER_SCORE = ((256, 100), (128, 80), (1, 20))
_RSA_SCORE = ((4096, 100), (2048, 90), (1024, 80), (512, 40), (1, 20))
_LOWEST_SCORE = (("A", 80), ("B", 65), ("C", 50), ("D", 35), ("E", 20), ("F", 0))
_WEAK_RSA, _BROKEN_RSA = 2048, 1024


@dataclass(frozen=True)
class Grade:
    """A grade and what keeps it from being better.

    Attributes:
        letter: one of `LETTERS`; "" when nothing is served, so that there is nothing to grade.
        capped_by: what caps it, a clause without a full stop; "" when nothing does (an A lacks HSTS).
    """

    letter: str
    capped_by: str


def grade(
    versions: Collection[str],
    suites: Mapping[str, Sequence[str]],
    *,
    key_type: str,
    hsts_max_age: int = 0,
) -> Grade:
    """Grade a host.

    Args:
        versions: the protocol versions that it accepts.
        suites: for each version the suites that it accepts, IANA names, the server's preference first.
        key_type: of the certificate served, such as "ECDSA-P256" or "RSA-2048".
        hsts_max_age: seconds that the Strict-Transport-Security header announces; 0 for none.

    Raises:
        KeyError: a suite that is not in `suites.SUITES`.
    """
    accepted = {v: [SUITES[name] for name in suites[v]] for v in VERSIONS if v in versions and suites.get(v)}
    if not accepted:
        return Grade("", "No protocol version is offered")
    points = score(accepted, key_type)
    by_score = next(letter for letter, lowest in _LOWEST_SCORE if points >= lowest)
    reached = Grade(by_score, "" if by_score == "A" else f"The score is {points} out of 100")
    result = worst([reached, *_caps(accepted, key_type)])
    if result.letter == "A" and hsts_max_age >= HSTS_FOR_A_PLUS:
        # SSL Labs tests downgrades with TLS 1.2 handshakes and gives no A+ to a server where it can not.
        if accepted.keys() == {"TLSv1.3"}:
            return Grade("A", "TLS 1.3 alone is offered")
        return Grade("A+", "")
    return result


def score(accepted: Mapping[str, Sequence[Suite]], key_type: str) -> int:
    """Return the score out of 100: 30 % protocol, 30 % key exchange, 40 % cipher strength, rounded down."""
    protocol = [_PROTOCOL_SCORE[version] for version in accepted]
    every_suite = [suite for suites in accepted.values() for suite in suites]
    cipher = [next(points for bits, points in _CIPHER_SCORE if suite.bits >= bits) for suite in every_suite]
    exchange = _key_exchange_score(every_suite, key_type)
    total = 15 * (max(protocol) + min(protocol)) + 30 * exchange + 20 * (max(cipher) + min(cipher))
    return total // 100


def worst(grades: Iterable[Grade]) -> Grade:
    """Return the worst grade, among equals the same one whatever their order; what has none is left out."""
    letters = [g for g in grades if g.letter]
    return max(letters, key=lambda g: (LETTERS.index(g.letter), g.capped_by), default=Grade("", ""))


def _caps(accepted: Mapping[str, Sequence[Suite]], key_type: str) -> list[Grade]:
    """Return a grade for each rule that applies."""
    caps = []
    old = [v.removeprefix("TLSv") for v in ("TLSv1.0", "TLSv1.1") if v in accepted]
    best_version = max(accepted, key=VERSIONS.index)
    if best_version in {"TLSv1.0", "TLSv1.1"}:
        caps.append(Grade("C", "TLS 1.2 is not offered"))
    if old:
        caps.append(Grade("B", f"TLS {' and '.join(old)} {'are' if len(old) > 1 else 'is'} offered"))
    elif best_version == "TLSv1.2":
        caps.append(Grade("A-", "TLS 1.3 is not offered"))
    if any(_prefers_3des(suites) for version, suites in accepted.items() if version != "TLSv1.0"):
        caps.append(Grade("C", "3DES is negotiated with TLS 1.1 or later"))
    best_suites = accepted[best_version]
    if not any(suite.kx in {"ECDHE", "DHE", "any"} for suite in best_suites):
        caps.append(Grade("B", "No suite with forward secrecy is offered"))
    if not any(suite.aead for suite in best_suites):
        caps.append(Grade("B", "No suite with authenticated encryption (AEAD) is offered"))
    bits = _rsa_bits(key_type)
    if bits and bits < _BROKEN_RSA:
        caps.append(Grade("F", f"The certificate's RSA key has {bits} bits only"))
    elif bits and bits < _WEAK_RSA:
        caps.append(Grade("B", f"The certificate's RSA key has {bits} bits only"))
    return caps


def _prefers_3des(suites: Sequence[Suite]) -> bool:
    is_3des = [suite.enc == "3DES-CBC" for suite in suites]
    return any(is_3des) and (all(is_3des) or is_3des != sorted(is_3des))


def _key_exchange_score(suites: Sequence[Suite], key_type: str) -> int:
    """Score the weakest of the certificate's key and the ephemeral keys.

    Elliptic curves from 225 bits on count in full, as all groups of `suites.GROUPS` do. The size of a finite
    field can not be seen from a suite; it is taken for the 2048 bits that are the least in use.
    """
    scores = [90] if any(suite.kx == "DHE" for suite in suites) else []
    if bits := _rsa_bits(key_type):
        scores.append(next(points for lowest, points in _RSA_SCORE if bits >= lowest))
    return min(scores, default=100)


def _rsa_bits(key_type: str) -> int:
    """Return the length of an RSA key, 0 for a key of another kind."""
    algorithm, _, size = key_type.partition("-")
    return int(size) if algorithm == "RSA" else 0
