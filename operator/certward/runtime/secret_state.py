"""What a Secret holds that is to be a Domain's; the key in it is looked at and goes nowhere."""

import base64
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from certward.model import pki
from certward.model.keys import CertificateProblem
from certward.model.resources import Domain, parse_time
from certward.names import ANNOTATION_REFRESH, ANNOTATION_REVOKE, GROUP, LABEL_DOMAIN, LABEL_MANAGED_BY, MANAGED_BY
from certward.plan.checks import SecretState
from certward.render.manifests import (
    ANNOTATION_IN_A_ROW,
    ANNOTATION_INSTEAD_OF,
    ANNOTATION_ISSUED_AT,
    ANNOTATION_ISSUER,
    ANNOTATION_NOT_REVOKED,
    ANNOTATION_REVOKED,
)

#: Of a number in an annotation.
_MOST_DIGITS = 9


def is_ours(live: Mapping[str, Any], domain: Domain) -> bool:
    """Whether Certward has written it, for a Domain of this name."""
    labels = live["metadata"].get("labels") or {}
    return labels.get(LABEL_MANAGED_BY) == MANAGED_BY and labels.get(LABEL_DOMAIN) == domain.meta.name


def _is_owned(live: Mapping[str, Any], domain: Domain) -> bool:
    """Whether it goes with its Domain, or with another object, or is of a type that Certward does not make."""
    owners = live["metadata"].get("ownerReferences") or ()
    has_owner = any(
        owner.get("uid") == domain.meta.uid or (owner.get("controller") and not _was_it(owner, domain))
        for owner in owners
    )
    return has_owner or live.get("type") != "kubernetes.io/tls"


def _was_it(owner: Mapping[str, Any], domain: Domain) -> bool:
    """Whether an owner is a Domain of the same name that is no more: Kubernetes is about to delete what it had."""
    group = str(owner.get("apiVersion") or "").partition("/")[0]
    return (group, owner.get("kind"), owner.get("name")) == (GROUP, "Domain", domain.meta.name)


def read(live: Mapping[str, Any], domain: Domain, now: datetime, roots_pem: bytes) -> SecretState:
    """Say what a Secret holds, for a Domain.

    Args:
        live: as the API server has it.
        domain: whose it is to be.
        now: aware UTC datetime, for the dates of the certificate.
        roots_pem: what counts as trusted.
    """
    annotations = live["metadata"].get("annotations") or {}
    state = SecretState(
        exists=True,
        is_managed=is_ours(live, domain),
        issuer=annotations.get(ANNOTATION_ISSUER, ""),
        instead_of=annotations.get(ANNOTATION_INSTEAD_OF, ""),
        resource_version=str(live["metadata"]["resourceVersion"]),
        is_owned=_is_owned(live, domain),
        refresh=annotations.get(ANNOTATION_REFRESH, ""),
        revoke=annotations.get(ANNOTATION_REVOKE, "").strip(),
        not_revoked=annotations.get(ANNOTATION_NOT_REVOKED, ""),
        issued_at=_moment(annotations.get(ANNOTATION_ISSUED_AT, "")),
        in_a_row=_count(annotations.get(ANNOTATION_IN_A_ROW, "")),
    )
    if not state.is_managed:
        return replace(state, problem="The Secret is not Certward's.")
    chain_pem = decode(live, "tls.crt")
    try:
        chain = pki.load_chain(chain_pem)
        # A CA whose clock is ahead of ours is no reason to throw its certificate away and ask for the next one.
        at = max(now, pki.facts_of(chain[0]).not_before)
        facts = pki.check_pair(chain_pem, decode(live, "tls.key"), [domain.hostname], at)
        is_trusted = pki.is_trusted(chain, roots_pem, at) if roots_pem else False
    except CertificateProblem as problem:
        return replace(state, problem=str(problem))
    is_revoked = annotations.get(ANNOTATION_REVOKED) == facts.fingerprint_sha256
    return replace(state, facts=facts, is_trusted=is_trusted, is_revoked=is_revoked)


def _moment(text: str) -> datetime | None:
    """A time that was noted; None where none is, or somebody has written something else there."""
    try:
        return parse_time(text) if text else None
    except (ValueError, OverflowError):
        return None


def _count(text: str) -> int:
    """A small number that was noted; 0 where none is, or somebody has written something else there."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else 0


def decode(live: Mapping[str, Any], name: str) -> bytes:
    """A value of a Secret; empty when it is not there or no base64."""
    try:
        return base64.b64decode((live.get("data") or {}).get(name) or "")
    except ValueError:
        return b""
