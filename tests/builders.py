"""Values for tests, each with sensible defaults, so that a test names only what it is about."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from certward.model import profiles
from certward.model.pki import CertificateFacts
from certward.model.resources import App, Domain, Meta, PathRoute, ServiceRef, TLSPolicy
from certward.plan.checks import SecretState
from certward.plan.observed import Observed, Proof, label

#: The time at which tests take place.
NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
DAY = timedelta(days=1)

MODERN = profiles.profile("2026-11", "modern")
DEFAULT = profiles.profile("2026-11", "default")
#: A profile with a protocol version that no ECDSA key can be used at.
RSA_ONLY = profiles.profile("2018-06", "default")


def meta(name: str = "www", namespace: str = "team-a", **changes: Any) -> Meta:
    """Metadata of an object that is one day old."""
    given = {
        "uid": f"uid-{namespace}-{name}",
        "generation": 1,
        "resource_version": 1,
        "created_at": NOW - DAY,
    } | changes
    return Meta(namespace=namespace, name=name, **given)


def app(name: str = "shop", namespace: str = "team-a", *, of: Mapping[str, Any] | None = None, **changes: Any) -> App:
    """An App that asks for automatic certificates; `of` changes its metadata."""
    given = {
        "service": ServiceRef("shop", 8080),
        "paths": (),
        "is_automatic": True,
        "issuer": None,
        "acme_profile": None,
        "key_type": None,
        "manual_secrets": (),
        "trusted_ranges": (),
        "ingress_class": None,
        "https_redirect": True,
        "status": {},
    } | changes
    return App(meta=meta(name, namespace, **(of or {})), **given)


def path_route(path: str, service: str, port: int | str = 8080) -> PathRoute:
    """A path and the Service behind it."""
    return PathRoute(path, ServiceRef(service, port))


def domain(
    name: str = "www",
    namespace: str = "team-a",
    *,
    hostname: str = "www.example.com",
    app: str = "shop",
    status: Mapping[str, Any] | None = None,
    **of: Any,
) -> Domain:
    """A Domain of the App `shop`; further arguments change its metadata."""
    return Domain(meta=meta(name, namespace, **of), hostname=hostname, app=app, status=status or {})


def policy(name: str = "modern", namespace: str = "team-a", **changes: Any) -> TLSPolicy:
    """A TLSPolicy for every App in its namespace."""
    given = {
        "targets": None,
        "selector": None,
        "profile": "modern",
        "revision": None,
        "hsts": None,
        "status": {},
    } | changes
    return TLSPolicy(meta=meta(name, namespace), **given)


def facts(serial: int = 1, **changes: Any) -> CertificateFacts:
    """A leaf for 90 days, one day old; different serial numbers are different certificates with different keys."""
    given = {
        "subject": "",
        "issuer": "CN=Test CA",
        "serial_number": f"{serial:02x}",
        "fingerprint_sha256": f"{serial:064x}",
        "key_type": "ECDSA-P256",
        "hostnames": ("www.example.com",),
        "not_before": NOW - DAY,
        "not_after": NOW + 89 * DAY,
        "spki_sha256": f"{serial + 0x5000:064x}",
    } | changes
    return CertificateFacts(**given)


def secret(of: CertificateFacts | None = None, **changes: Any) -> SecretState:
    """The Secret that Certward made with a certificate in it."""
    given = {
        "exists": True,
        "is_managed": True,
        "facts": of or facts(),
        "issuer": "main",
        "is_trusted": True,
        "resource_version": "7",
    } | changes
    return SecretState(**given)


def broken_secret(problem: str = "The certificate has expired.") -> SecretState:
    """A Secret of Certward's that cannot be served."""
    return SecretState(exists=True, is_managed=True, problem=problem, issuer="main", resource_version="8")


def foreign_secret() -> SecretState:
    """A Secret of somebody else's in the place of Certward's."""
    return SecretState(exists=True, problem="The Secret is not Certward's.", resource_version="9")


def proof(of: CertificateFacts | None = None, **changes: Any) -> Proof:
    """A handshake just now that showed this certificate and found the newest default profile enforced."""
    given = {
        "at": NOW,
        "fingerprint": (of or facts()).fingerprint_sha256,
        "versions": ("TLSv1.2", "TLSv1.3"),
        "policy_reason": "Enforced",
        "profile": label(DEFAULT),
    } | changes
    return Proof(**given)


def observed(**changes: Any) -> Observed:
    """A Domain with its App and nothing else: the beginning."""
    given: dict[str, Any] = {
        "domain": domain(),
        "app": app(),
        "profile": DEFAULT,
        "issuers": ("main", "spare"),
    } | changes
    if "issuer" not in given:
        given["issuer"] = first_choice(given["issuers"], given.get("order_issuer", ""))
    return Observed(**given)


def first_choice(issuers: tuple[str, ...], order_issuer: str) -> str:
    """The issuer that is asked while all of them can issue."""
    return order_issuer if order_issuer in issuers else next(iter(issuers), "")


def with_order(**changes: Any) -> Observed:
    """A Domain whose order is open, with its key at hand."""
    given: dict[str, Any] = {
        "order_url": "https://ca.test/order/1",
        "order_issuer": "main",
        "order_created_at": "2026-11-23T11:59:00Z",
        "next_key_type": "ECDSA-P256",
        "next_spki": "ab" * 32,
        "is_preflighted": True,
    } | changes
    return observed(**given)


def attempts(failures: int, *, until: datetime | None, reason: str, state: str = "Failing") -> dict[str, Any]:
    """The status that remembers failed attempts."""
    kept: dict[str, Any] = {"failures": failures}
    if until is not None:
        kept["nextAttempt"] = until.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"state": state, "reason": reason, "message": "It did not work.", "attempts": kept}


def body(kind: str, spec: Mapping[str, Any], **metadata: Any) -> dict[str, Any]:
    """An object as the API server sends it."""
    return {
        "apiVersion": "certward.dev/v1alpha1",
        "kind": kind,
        "metadata": {
            "name": "www",
            "namespace": "team-a",
            "uid": "0b5e",
            "generation": 3,
            "resourceVersion": "1234",
            "creationTimestamp": "2026-11-22T12:00:00Z",
        }
        | metadata,
        "spec": dict(spec),
    }
