"""What a preflight is asked and what it tells."""

from dataclasses import dataclass, field
from typing import Literal

from certward.probe.caa import CAAPolicy

RecordType = Literal["", "CNAME", "ALIAS", "A", "AAAA"]
Mode = Literal["enforce", "warn", "off"]
Reason = Literal[
    "",
    "DNSNotFound",
    "DNSWrongTarget",
    "DNSStrayAAAA",
    "CAAForbids",
    "ChallengeUnreachable",
    "ChallengeBlocked",
    "CDNInterferes",
]


@dataclass(frozen=True, slots=True)
class Preflight:
    """What is asked.

    Attributes:
        caa: the CA and the method; with dns-01 only CAA can block, since a name need not point here then.
        target: where hostnames should point: one hostname, or addresses; none: not known.
        thumbprint: of the ACME account's key (RFC 8555, 8.1), which the challenge path answers with.
        mode: `warn` lets everything through with a warning, `off` asks nobody anything.
    """

    caa: CAAPolicy
    target: tuple[str, ...] = ()
    thumbprint: str = ""
    mode: Mode = "enforce"


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found out.

    Attributes:
        addresses: where the hostname points, sorted.
        aliases: the names that its CNAME records lead through.
        record_type: the record to set: CNAME, ALIAS (at the apex of a zone, where no CNAME can stand), A or AAAA;
            empty when the target is not known. Only told ALIAS from CNAME when the hostname points elsewhere.
        record_values: what it should hold.
        is_at_target: the DNS leads to the target; None: not known.
        is_answering: the challenge was answered rightly at every address that could be asked.
    """

    addresses: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    record_type: RecordType = ""
    record_values: tuple[str, ...] = ()
    is_at_target: bool | None = None
    is_answering: bool = False

    @property
    def verified(self) -> bool:
        """The hostname leads here, by its records or through something that passes requests on."""
        return self.is_answering or self.is_at_target is True


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it.

    Attributes:
        verdict: whether the CA may be asked; it may with a warning.
        reason: why not; with a warning the one that mode `enforce` would block for, if any.
        message: one or two sentences for the owner of the domain; empty when passed.
        facts: what was found out.
    """

    verdict: Literal["passed", "warning", "blocked"] = "passed"
    reason: Reason = ""
    message: str = ""
    facts: Facts = field(default_factory=Facts)
