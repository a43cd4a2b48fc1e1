"""Issuers and ClusterIssuers become issuers of the operator's configuration, as far as they speak ACME."""

import base64
import binascii
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from certward.cli.importing.certificates import IssuerKey
from certward.cli.importing.findings import Body, Finding, Note, Ref, finding, lost, ref_of, stops, told
from certward.cli.importing.names import with_digest
from certward.cli.words import listed

_LABEL = 63
_HTTPS = "https://"
_STAGING = "staging"

#: Kinds of issuers that speak no ACME, and what to do about each.
_OTHERS = {
    "ca": "Put an ACME server before this CA (step-ca, for instance) and name its directory in the operator's issuers",
    "selfSigned": "Choose an ACME issuer for these hosts",
    "vault": "Vault's PKI engine speaks ACME since 1.14: name its directory (.../v1/<mount>/acme/directory) in the "
    "operator's issuers",
    "venafi": "Ask whether your CA behind it speaks ACME (most do), and name its directory in the operator's issuers",
}


class AccountKey(NamedTuple):
    """Where cert-manager keeps the key of an ACME account."""

    namespace: str
    name: str
    key: str


@dataclass(frozen=True, slots=True)
class Account:
    """An ACME account that can go on under Certward.

    Attributes:
        issuer: the name in the operator's configuration.
        directory: of the CA.
        held: where cert-manager keeps its key.
        binding: where it keeps the key of the external account; None where there is none.
    """

    issuer: str
    directory: str
    held: AccountKey
    binding: AccountKey | None = None

    @property
    def secret(self) -> str:
        """The Secret in the operator's namespace that its key belongs into."""
        return f"certward-account-{self.issuer}"


@dataclass(frozen=True, slots=True)
class Issuers:
    """What has become of all issuers.

    Attributes:
        names: their names in the operator's configuration; empty for those that have no counterpart.
        new: entries for the configuration that are not in it yet.
        accounts: of those that have become entries, or are entries already.
        findings: for the report.
        by_dns: those that prove hostnames by DNS-01 only.
    """

    names: Mapping[IssuerKey, str] = field(default_factory=dict)
    new: tuple[Body, ...] = ()
    accounts: tuple[Account, ...] = ()
    findings: tuple[Finding, ...] = ()
    by_dns: frozenset[IssuerKey] = frozenset()


def key_of(body: Body) -> IssuerKey:
    """How Certificates name it."""
    ref = ref_of(body)
    return IssuerKey(ref.kind, "" if ref.kind == "ClusterIssuer" else ref.namespace, ref.name)


def translate(
    bodies: Sequence[Body], there: Sequence[Body], resource_namespace: str, used: Mapping[IssuerKey, int]
) -> Issuers:
    """Translate all issuers; those that mean the same account at the same CA become one.

    An App that names no issuer is served by the first one that can issue. So those that are used most come first, and
    a CA for trying things out is left out where nobody uses it.

    Args:
        bodies: Issuers and ClusterIssuers.
        there: what the operator's configuration has already, as it is written there.
        resource_namespace: where ClusterIssuers have their Secrets.
        used: by how many Certificates each is used.
    """
    taken = {str(one.get("name")) for one in there}
    known = {_identity(one): str(one["name"]) for one in there if one.get("name")}
    names: dict[IssuerKey, str] = {}
    new: list[Body] = []
    accounts: dict[str, Account] = {}
    findings = []
    # Those of the whole cluster first, so that theirs are the names.
    for body in sorted(bodies, key=lambda one: (ref_of(one).kind != "ClusterIssuer", ref_of(one))):
        key, ref = key_of(body), ref_of(body)
        acme = (body.get("spec") or {}).get("acme")
        notes = list(_notes(body, is_used=bool(used.get(key))))
        if not isinstance(acme, Mapping) or any(note.weight == stops("").weight for note in notes):
            names[key] = ""
            findings.append(finding(ref, (), notes))
            continue
        entry = _entry(acme)
        name = known.get(_identity(entry), "")
        if not name:
            name = _name(key, taken)
            taken.add(name)
            known[_identity(entry)] = name
            new.append({"name": name, **entry})
        names[key] = name
        if account := _account(name, acme, ref, resource_namespace):
            if name in accounts and accounts[name].held != account.held:
                notes.append(told(f"Another issuer with the same CA and address is {name}, too; that account goes on."))
            accounts.setdefault(name, account)
        findings.append(finding(ref, [f"issuer {name}"], notes))
    by_dns = frozenset(key_of(body) for body in bodies if _is_by_dns(body))
    uses: Counter[str] = Counter()
    for key, name in names.items():
        uses[name] += used.get(key, 0)
    new.sort(key=lambda entry: (-uses[entry["name"]], entry["name"]))
    return Issuers(names, tuple(new), tuple(accounts.values()), tuple(findings), by_dns)


def _identity(entry: Body) -> tuple[str, str, str, str]:
    binding = entry.get("externalAccountBinding") or {}
    return (
        str(entry.get("directory") or ""),
        str(entry.get("email") or ""),
        str(entry.get("profile") or ""),
        str(binding.get("keyID") or ""),
    )


def _name(key: IssuerKey, taken: Iterable[str]) -> str:
    plain = re.sub(r"[^a-z0-9-]+", "-", key.name.lower()).strip("-") or "acme"
    plain = plain if len(plain) <= _LABEL else with_digest(plain, key.name)
    if plain not in taken:
        return plain
    longer = f"{key.namespace}-{plain}" if key.namespace else plain
    return (
        longer if len(longer) <= _LABEL and longer not in taken else with_digest(plain, f"{key.namespace}/{key.name}")
    )


def _entry(acme: Body) -> dict[str, Any]:
    """One of `issuers` in the operator's configuration, without its name."""
    entry: dict[str, Any] = {"directory": acme["server"]}
    if acme.get("email"):
        entry["email"] = acme["email"]
    if acme.get("profile"):
        entry["profile"] = acme["profile"]
    if bundle := _pem(acme.get("caBundle")):
        entry["caBundle"] = bundle
    if binding := acme.get("externalAccountBinding"):
        ref = binding.get("keySecretRef") or {}
        entry["externalAccountBinding"] = {
            "keyID": str(binding.get("keyID") or ""),
            "hmacKeySecretRef": {"name": str(ref.get("name") or ""), "key": str(ref.get("key") or "secret")},
        }
    return entry


def _pem(bundle: object) -> str:
    try:
        return base64.b64decode(str(bundle or "")).decode()
    except (binascii.Error, ValueError):
        return ""


def _account(name: str, acme: Body, ref: Ref, resource_namespace: str) -> Account | None:
    held = acme.get("privateKeySecretRef") or {}
    if not held.get("name"):
        return None
    namespace = ref.namespace or resource_namespace
    bound = (acme.get("externalAccountBinding") or {}).get("keySecretRef") or {}
    return Account(
        name,
        str(acme["server"]),
        AccountKey(namespace, str(held["name"]), str(held.get("key") or "tls.key")),
        AccountKey(namespace, str(bound["name"]), str(bound.get("key") or "secret")) if bound.get("name") else None,
    )


def _notes(body: Body, *, is_used: bool) -> Iterator[Note]:
    spec = body.get("spec") or {}
    acme = spec.get("acme")
    if not isinstance(acme, Mapping):
        kind = next((name for name in _OTHERS if name in spec), "")
        yield stops(
            f"It is of the kind {kind or 'unknown'} and speaks no ACME.",
            f"{_OTHERS.get(kind, 'Choose an ACME issuer')}; or keep cert-manager for its Certificates: what it renews "
            "is served all the same.",
        )
        return
    if not str(acme.get("server") or "").startswith(_HTTPS):
        yield stops("Its server is no https:// URL.", "Name the CA's ACME directory in the operator's issuers.")
        return
    if _STAGING in str(acme["server"]) and not is_used:
        yield stops(
            "It is for trying things out, nothing uses it, and an App that names no issuer would fall back to it.",
            "Add it to the operator's issuers when you need it; then name an issuer in every App.",
        )
        return
    if acme.get("skipTLSVerify"):
        yield lost(
            "skipTLSVerify: Certward always verifies the CA's own TLS.",
            "Put the roots that its server has into the issuer's caBundle in the operator's configuration.",
        )
    if acme.get("preferredChain"):
        yield lost(
            f"preferredChain {acme['preferredChain']}: Certward takes the chain that the CA offers first.",
            "Nothing to do, unless very old clients need another chain.",
        )
    if acme.get("externalAccountBinding"):
        ref = acme["externalAccountBinding"].get("keySecretRef") or {}
        yield told(
            f"The key of its external account is read from Secret {ref.get('name')} in the operator's namespace.",
            "Copy the Secret there; --adopt-accounts does.",
        )
    yield from _solver_notes(acme.get("solvers") or ())


def _solver_notes(solvers: Sequence[Body]) -> Iterator[Note]:
    for solver in solvers:
        dns, http = solver.get("dns01"), solver.get("http01")
        if isinstance(dns, Mapping):
            yield _dns_note(dns, _selected(solver.get("selector")))
        parts = [one for one in http.values() if isinstance(one, Mapping)] if isinstance(http, Mapping) else []
        if any(one.get("podTemplate") for one in parts):
            yield told("podTemplate of http01: the operator answers challenges by itself; there are no pods.")


def _dns_note(dns: Body, selected: str) -> Note:
    provider = next((name for name in sorted(dns) if name != "cnameStrategy"), "unknown")
    what = f"dns01 ({provider}){selected}: "
    if provider != "rfc2136":
        return lost(
            f"{what}Certward has no such solver; hosts that the CA can reach at port 80 need none (HTTP-01).",
            "For others and for wildcards, lead _acme-challenge by CNAME into a small zone whose server takes updates "
            "(challenge.dns01.rfc2136), or use DNS-PERSIST-01 (challenge.dnsPersist01); until then keep cert-manager "
            "for them.",
        )
    update = dns["rfc2136"] or {}
    return lost(
        f"{what}the operator has a setting of its own for this, challenge.dns01.rfc2136.",
        f"Set it there by hand: the server {update.get('nameserver')}, its zone, and the TSIG key "
        f"{update.get('tsigKeyName') or ''} as a Secret of the operator's namespace.".replace("  ", " "),
    )


def _selected(selector: object) -> str:
    if not isinstance(selector, Mapping):
        return ""
    names = [*(selector.get("dnsZones") or ()), *(selector.get("dnsNames") or ())]
    labels = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    return f" for {listed([*names, *labels], 4)}" if names or labels else ""


def _is_by_dns(body: Body) -> bool:
    solvers = ((body.get("spec") or {}).get("acme") or {}).get("solvers") or ()
    return bool(solvers) and all("dns01" in solver for solver in solvers)
