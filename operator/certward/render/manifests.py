"""The objects that do not depend on the ingress controller: Secrets, the challenge Service and its EndpointSlices."""

import base64
import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

from certward.model.resources import App, Domain
from certward.names import (
    ANNOTATION_REFRESH,
    ANNOTATION_REVOKE,
    API_VERSION,
    CHALLENGE_SERVICE,
    GROUP,
    LABEL_APP,
    LABEL_DOMAIN,
    LABEL_MANAGED_BY,
    MANAGED_BY,
)

Manifest = dict[str, Any]
ANNOTATION_ISSUER = f"{GROUP}/issuer"
ANNOTATION_INSTEAD_OF = f"{GROUP}/issued-instead-of"
ANNOTATION_HOSTNAME = f"{GROUP}/hostname"
#: The fingerprint of the certificate that was revoked; says nothing of another one.
ANNOTATION_REVOKED = f"{GROUP}/revoked"
#: A revocation that was asked for the certificate before, and that could not be done in time.
ANNOTATION_NOT_REVOKED = f"{GROUP}/not-revoked"
#: When the certificate was stored, by the operator's clock; and how many replacements, each by time or advice and each
#: too early, have led to it. By these a certificate that has only just come is not replaced for such a reason.
ANNOTATION_ISSUED_AT = f"{GROUP}/issued-at"
ANNOTATION_IN_A_ROW = f"{GROUP}/renewed-early"
#: What is kept beside a certificate when its Secret is written anew: it holds for the certificate.
CERTIFICATE_MARKS = (
    ANNOTATION_REFRESH,
    ANNOTATION_REVOKE,
    ANNOTATION_REVOKED,
    ANNOTATION_NOT_REVOKED,
    ANNOTATION_ISSUED_AT,
    ANNOTATION_IN_A_ROW,
)


def owner(resource: App | Domain) -> Manifest:
    """An ownerReference, so that deleting the owner deletes what was made for it."""
    return {
        "apiVersion": API_VERSION,
        "kind": resource.kind,
        "name": resource.meta.name,
        "uid": resource.meta.uid,
        "controller": True,
    }


def domain_meta(domain: Domain, name: str, annotations: Mapping[str, str] | None = None) -> Manifest:
    """Metadata of an object that belongs to one Domain."""
    return {
        "name": name,
        "namespace": domain.meta.namespace,
        "labels": {
            LABEL_MANAGED_BY: MANAGED_BY,
            **({LABEL_DOMAIN: domain.meta.name} if domain.kind == "Domain" else {}),
            LABEL_APP: domain.app,
        },
        **({"annotations": dict(annotations)} if annotations else {}),
        "ownerReferences": [owner(domain)],
    }


def shared_meta(namespace: str, name: str) -> Manifest:
    """Metadata of an object that many Domains use."""
    return {"name": name, "namespace": namespace, "labels": {LABEL_MANAGED_BY: MANAGED_BY}}


def certificate_secret(
    domain: Domain,
    *,
    chain_pem: bytes,
    key_pem: bytes,
    issuer: str,
    instead_of: str = "",
    marks: Mapping[str, str] | None = None,
) -> Manifest:
    """`<domain>-tls`: certificate and key in one object, so that they change together.

    Args:
        domain: whose.
        chain_pem: the certificate and its chain.
        key_pem: its key.
        issuer: the configured issuer that it came from.
        instead_of: the issuer that was to be asked and why it could not issue.
        marks: of CERTIFICATE_MARKS, those that hold for this certificate; of a new one what its Domain has asked for so
            far, which thereby is behind it. So a Domain that comes back without its status does not ask again.
    """
    annotations = {ANNOTATION_ISSUER: issuer, ANNOTATION_HOSTNAME: domain.hostname}
    annotations |= requests_of(domain) if marks is None else marks
    if instead_of:
        annotations[ANNOTATION_INSTEAD_OF] = instead_of
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": domain_meta(domain, domain.secret_name, annotations),
        "type": "kubernetes.io/tls",
        "data": {"tls.crt": _encode(chain_pem), "tls.key": _encode(key_pem)},
    }


def requests_of(domain: Domain) -> dict[str, str]:
    """The annotations by which a Domain asks for something."""
    given = domain.meta.annotations
    return {name: given[name] for name in (ANNOTATION_REFRESH, ANNOTATION_REVOKE) if given.get(name)}


def next_key_secret(domain: Domain, *, key_pem: bytes) -> Manifest:
    """`<domain>-tls-next`: the key of an open order, stored before the CA sees its public half."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": domain_meta(domain, domain.next_secret_name),
        "type": "Opaque",
        "data": {"tls.key": _encode(key_pem)},
    }


def challenge_objects(namespace: str, *, port: int, addresses: Iterable[str]) -> list[Manifest]:
    """The way from a namespace to the operator's answerer: a Service without a selector and its EndpointSlices.

    Args:
        namespace: where the challenge routes are.
        port: the answerer's, also the Service's.
        addresses: where the replicas answer; one EndpointSlice per address family.
    """
    objects: list[Manifest] = [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": shared_meta(namespace, CHALLENGE_SERVICE),
            "spec": {"ports": [{"name": "http01", "port": port, "targetPort": port, "protocol": "TCP"}]},
        }
    ]
    by_family: dict[str, list[str]] = {}
    for address in addresses:
        family = f"IPv{ipaddress.ip_address(address).version}"
        by_family.setdefault(family, []).append(address)
    for family in sorted(by_family):
        meta = shared_meta(namespace, f"{CHALLENGE_SERVICE}-{family.lower()}")
        meta["labels"] |= {
            "kubernetes.io/service-name": CHALLENGE_SERVICE,
            "endpointslice.kubernetes.io/managed-by": MANAGED_BY,
        }
        objects.append(
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": meta,
                "addressType": family,
                "ports": [{"name": "http01", "port": port, "protocol": "TCP"}],
                "endpoints": [
                    {"addresses": [address], "conditions": {"ready": True}} for address in sorted(by_family[family])
                ],
            }
        )
    return objects


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()
