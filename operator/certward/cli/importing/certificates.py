"""What a Certificate asks for, or the annotations from which cert-manager would make one."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from certward.cli.importing.findings import Body, Note, Ref, lost, ref_of, stops, told
from certward.cli.words import listed
from certward.model import hostnames

CERT_MANAGER = "cert-manager.io/"
ACME = "acme.cert-manager.io/"
TLS_ACME = "kubernetes.io/tls-acme"

_EXACT = {
    ("ECDSA", 256): "ECDSA-P256",
    ("ECDSA", 384): "ECDSA-P384",
    ("RSA", 2048): "RSA-2048",
    ("RSA", 3072): "RSA-3072",
    ("RSA", 4096): "RSA-4096",
}
#: RSA keys beyond this many bits become RSA-4096.
_MIDDLE = 3072
_SIZES = {"RSA": 2048, "ECDSA": 256}
#: Usages of any server certificate.
_USUAL = {"server auth", "digital signature", "key encipherment", "key agreement"}
#: Fields that say nothing which would be missed.
_HARMLESS = {
    "secretName",
    "issuerRef",
    "dnsNames",
    "commonName",
    "privateKey",
    "usages",
    "isCA",
    "revisionHistoryLimit",
    "encodeUsagesInRequest",
}
_OTHER_NAMES = ("ipAddresses", "uris", "emailAddresses", "otherNames")


class IssuerKey(NamedTuple):
    """Which issuer is meant; `namespace` is empty for those of the whole cluster."""

    kind: str
    namespace: str
    name: str
    group: str = "cert-manager.io"

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for.

    Attributes:
        source: the Certificate, or the annotated object.
        secret_name: where cert-manager puts it.
        names: the valid hostnames, in lower case.
        issuer: None where none is named.
        key_type: None where no key is asked for.
        notes: what has no counterpart.
        owner: the Ingress or Gateway that a Certificate was made for; None where a person wrote it.
    """

    source: Ref
    secret_name: str
    names: tuple[str, ...]
    issuer: IssuerKey | None
    key_type: str | None
    notes: tuple[Note, ...]
    owner: Ref | None = None

    def covers(self, hostname: str) -> bool:
        """Whether it is for a hostname."""
        return any(hostnames.covers(name, hostname) for name in self.names)

    @property
    def stopped(self) -> bool:
        """Whether none of its hosts can be taken over."""
        return any(note.weight == stops("").weight and not note.host for note in self.notes)


def of_certificate(body: Body) -> Wish:
    """What a Certificate asks for."""
    ref, spec, meta = ref_of(body), body.get("spec") or {}, body.get("metadata") or {}
    owner = next((o for o in meta.get("ownerReferences") or () if o.get("kind") in ("Ingress", "Gateway")), None)
    issuer = spec.get("issuerRef") or {}
    return _wish(
        ref,
        spec,
        issuer_key(issuer.get("kind"), ref.namespace, issuer.get("name"), issuer.get("group")),
        Ref(owner["kind"], ref.namespace, owner["name"]) if owner else None,
    )


def of_annotations(source: Ref, annotations: Mapping[str, str], secret_name: str, hosts: Sequence[str]) -> Wish:
    """What cert-manager would ask for because of an annotated Ingress or Gateway."""
    return _wish(
        source, {**_spec_of(annotations), "secretName": secret_name, "dnsNames": _all_names(hosts, annotations)}, None
    )


def _all_names(hosts: Sequence[str], annotations: Mapping[str, str]) -> list[str]:
    more = annotations.get(f"{CERT_MANAGER}alt-names", "")
    return [*hosts, *(name.strip() for name in more.split(",") if name.strip())]


def issuer_of(annotations: Mapping[str, str], namespace: str, default: str) -> IssuerKey | None:
    """The issuer that annotations name; for kubernetes.io/tls-acme the default one, None where that is not known."""
    kind, group = annotations.get(f"{CERT_MANAGER}issuer-kind"), annotations.get(f"{CERT_MANAGER}issuer-group")
    if name := annotations.get(f"{CERT_MANAGER}cluster-issuer"):
        return issuer_key("ClusterIssuer", namespace, name, None)
    if name := annotations.get(f"{CERT_MANAGER}issuer"):
        return issuer_key(kind, namespace, name, group)
    if default:
        kind, _, name = default.rpartition("/")
        return issuer_key(kind or "ClusterIssuer", namespace, name, None)
    return None


def is_annotated(annotations: Mapping[str, str]) -> bool:
    """Whether cert-manager makes Certificates for an Ingress or Gateway."""
    named = annotations.get(f"{CERT_MANAGER}issuer") or annotations.get(f"{CERT_MANAGER}cluster-issuer")
    return bool(named) or annotations.get(TLS_ACME) == "true"


def issuer_key(kind: str | None, namespace: str, name: str | None, group: str | None) -> IssuerKey | None:
    """An issuer as a reference names it; None where it names none."""
    if not name:
        return None
    kind = kind or "Issuer"
    return IssuerKey(kind, "" if kind.startswith("Cluster") else namespace, name, group or "cert-manager.io")


def _spec_of(annotations: Mapping[str, str]) -> dict[str, Any]:
    """The part of a Certificate's spec that annotations stand for."""

    def get(name: str) -> str:
        return annotations.get(CERT_MANAGER + name, "")

    spec: dict[str, Any] = {
        "commonName": get("common-name"),
        "duration": get("duration"),
        "renewBefore": get("renew-before"),
        "renewBeforePercentage": get("renew-before-percentage"),
        "usages": [usage.strip() for usage in get("usages").split(",") if usage.strip()],
        "ipAddresses": get("ip-sans"),
        "uris": get("uri-sans"),
        "emailAddresses": get("email-sans"),
        "secretTemplate": get("secret-template"),
        "subject": [key for key in annotations if key.startswith(f"{CERT_MANAGER}subject-")],
        "privateKey": {
            "algorithm": get("private-key-algorithm"),
            "size": int(size) if (size := get("private-key-size")).isdigit() else 0,
            "rotationPolicy": get("private-key-rotation-policy"),
            "encoding": get("private-key-encoding"),
        },
    }
    return {key: value for key, value in spec.items() if value}


def _wish(source: Ref, spec: Body, issuer: IssuerKey | None, owner: Ref | None = None) -> Wish:
    common = str(spec.get("commonName") or "")
    named = [str(name) for name in spec.get("dnsNames") or ()]
    asked = list(dict.fromkeys(name.lower() for name in [*named, *([common] if common else [])]))
    names = tuple(name for name in asked if not hostnames.problem(name))
    # A common name that is none is a title, where there are others.
    odd = [name for name in asked if name not in names and (name != common.lower() or not names)]
    notes = list(_notes(spec))
    notes += [lost(f"{name} is no hostname that a Domain can have. {hostnames.problem(name)}") for name in odd]
    if common and common.lower() in names and not named:
        notes.append(
            told(
                f"The name {common} stands in commonName only; certificates of Certward have it as a DNS name, as "
                "clients ask for it."
            )
        )
    if spec.get("isCA"):
        notes.append(
            stops(
                "It is the certificate of a CA (isCA).",
                "Keep cert-manager for it: Certward obtains certificates of hosts only.",
            )
        )
    elif not names:
        notes.append(
            stops(
                "It is for no hostname.",
                "Keep cert-manager for it: Certward obtains certificates of hosts that an ingress serves.",
            )
        )
    key_type, key_notes = _key(spec.get("privateKey") or {})
    notes += key_notes
    return Wish(source, str(spec.get("secretName") or ""), names, issuer, key_type, tuple(notes), owner)


def _key(private_key: Body) -> tuple[str | None, list[Note]]:
    """The key type that is asked for, None where none is; and what is lost."""
    notes = []
    if private_key.get("rotationPolicy") == "Never":
        notes.append(
            lost(
                "privateKey.rotationPolicy Never: automatic certificates of Certward have a new key at each renewal.",
                "Where the key is pinned (TLSA records, apps), change that before you turn automatic certificates on.",
            )
        )
    if private_key.get("encoding") == "PKCS1":
        notes.append(
            lost(
                "privateKey.encoding PKCS1: Certward stores keys as PKCS #8.",
                "Whatever else reads the key has to understand it; ingress controllers do.",
            )
        )
    algorithm, size = str(private_key.get("algorithm") or ""), int(private_key.get("size") or 0)
    if not algorithm and not size:
        return None, notes
    algorithm = algorithm or "RSA"
    size = size or _SIZES.get(algorithm, 0)
    if exact := _EXACT.get((algorithm, size)):
        return exact, notes
    nearest = {"ECDSA": "ECDSA-P384", "RSA": "RSA-4096" if size > _MIDDLE else "RSA-3072"}.get(algorithm)
    notes.append(
        lost(
            f"A key of {algorithm} {size or ''}".rstrip()
            + f" cannot be asked for; the App asks for {nearest or 'what fits its TLS profile'}.",
            "Nothing to do, unless somebody checks the type of the key.",
        )
    )
    return nearest, notes


def _notes(spec: Body) -> Iterator[Note]:
    for name in _OTHER_NAMES:
        if spec.get(name):
            yield lost(
                f"{name}: certificates of Certward are for hostnames only.",
                "If somebody needs these names, keep cert-manager for a Certificate of their own.",
            )
    if any(spec.get(name) for name in ("duration", "renewBefore", "renewBeforePercentage", "renewal")):
        yield lost(
            "Lifetime and time of renewal (duration, renewBefore): the CA says how long its certificates are valid, "
            "and Certward renews by the CA's advice or when a third of the life is left.",
            "Nothing to do; for short-lived certificates choose an ACME profile (spec.certificates.profile).",
        )
    odd = [str(usage) for usage in spec.get("usages") or () if usage not in _USUAL]
    if odd:
        yield lost(
            f"usages {listed(odd)}: certificates of Certward are for servers.",
            "If clients show it as theirs, keep cert-manager for a Certificate of their own.",
        )
    if spec.get("keystores"):
        yield lost(
            f"keystores ({listed(sorted(spec['keystores']))}): Certward writes tls.crt and tls.key only.",
            "Whatever reads the keystore goes on reading it from cert-manager's Secret: keep the Certificate as long.",
        )
    if spec.get("additionalOutputFormats"):
        yield lost(
            "additionalOutputFormats: Certward writes tls.crt and tls.key only.",
            "Whatever reads the other entries goes on reading cert-manager's Secret: keep the Certificate as long.",
        )
    if spec.get("secretTemplate"):
        yield lost(
            "secretTemplate: Certward puts no labels and annotations of your choice on its Secrets.",
            "Where they copy the Secret elsewhere (reflector, replicator, kubed), give each namespace Domains of its "
            "own.",
        )
    if spec.get("subject") or spec.get("literalSubject"):
        yield lost(
            "subject: certificates of Certward name hosts and nothing else, as those of public CAs do.",
            "Nothing to do.",
        )
    known = _HARMLESS | set(_OTHER_NAMES)
    known |= {"duration", "renewBefore", "renewBeforePercentage", "renewal", "keystores", "additionalOutputFormats"}
    known |= {"secretTemplate", "subject", "literalSubject"}
    for name in sorted(set(spec) - known):
        yield lost(f"{re.sub(r'[^A-Za-z0-9]', '', name)} has no counterpart.", "See whether somebody relies on it.")
