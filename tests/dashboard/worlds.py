"""Objects as the API server would send them, in every state, as many as are asked for; the same each time."""

from datetime import UTC, datetime, timedelta
from typing import Any

from certward.dashboard.store import Budget, Store
from certward.model.resources import format_time

Body = dict[str, Any]
DAY = timedelta(days=1)
_STATES: tuple[tuple[str, str, str], ...] = (
    ("Failed", "CAARejected", ""),
    (
        "Failing",
        "DNSWrongTarget",
        "{} resolves to 203.0.113.9, which is not the ingress. Point it to edge.example.net, or remove the Domain.",
    ),
    ("Failed", "HostnameNotAllowed", "Namespace {ns} may not have names below this domain. Ask whoever runs Certward."),
    (
        "CertIssued",
        "ManualCertificateExpiring",
        "The manual certificate ends soon. Bring a new one, or turn automatic on.",
    ),
    ("InProgress", "", ""),
    ("Waiting", "WaitingForBudget", "It waits for its turn: the CA allows 50 certificates in 7 days for example.com."),
    ("Waiting", "AutomaticDisabled", "Automatic certificates are off for its App."),
)


def meta(name: str, namespace: str, now: datetime) -> Body:
    return {
        "name": name,
        "namespace": namespace,
        "uid": f"uid-{namespace}-{name}",
        "generation": 1,
        "resourceVersion": "7",
        "creationTimestamp": format_time(now - 200 * DAY),
    }


def app(name: str, namespace: str, now: datetime, *, automatic: bool = True, **tls: Any) -> Body:
    told = {"profile": "default", "revision": "2026-11", "minVersion": "TLSv1.2", "maxVersion": "TLSv1.3", "grade": "A"}
    return {
        "apiVersion": "certward.dev/v1alpha1",
        "kind": "App",
        "metadata": meta(name, namespace, now),
        "spec": {"service": {"name": name, "port": 8080}, "certificates": {"automatic": automatic}},
        "status": {
            "tls": told | tls,
            "conditions": [{"type": "PolicyEnforced", "status": "True", "reason": "Enforced", "message": ""}],
        },
    }


def domain(hostname: str, app: str, namespace: str, now: datetime, **status: Any) -> Body:
    expires = status.pop("expires", now + 60 * DAY)
    told = {
        "state": "CertIssued",
        "lastUpdated": format_time(now - 3 * DAY),
        "dns": {"target": "edge.example.net", "recordType": "CNAME", "verified": True},
        "certificate": {
            "source": "Automatic",
            "secretName": f"{hostname.replace('.', '-')}-tls",
            "issuer": "CN=Example Intermediate R11,O=Example Trust",
            "serialNumber": "0445a1b2c3d4e5f60718293a4b5c6d7e8f90",
            "fingerprintSHA256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "keyType": "ECDSA-P256",
            "notBefore": format_time(expires - 90 * DAY),
            "notAfter": format_time(expires),
            "renewalTime": format_time(expires - 30 * DAY),
        },
        "served": {"observedAt": format_time(now - 3 * DAY), "minVersion": "TLSv1.2", "maxVersion": "TLSv1.3"},
        "conditions": [{"type": "Ready", "status": "True", "reason": "Served", "message": ""}],
    } | status
    return {
        "apiVersion": "certward.dev/v1alpha1",
        "kind": "Domain",
        "metadata": meta(hostname.replace(".", "-").replace("*", "wildcard"), namespace, now),
        "spec": {"hostname": hostname, "appRef": {"name": app}},
        "status": {name: value for name, value in told.items() if value is not None},
    }


def policy(name: str, namespace: str, now: datetime, profile: str = "modern", **status: Any) -> Body:
    told = {
        "apps": {"targeted": 1, "inForce": 1, "enforced": 1},
        "conditions": [
            {"type": "Accepted", "status": "True", "reason": "Accepted", "message": ""},
            {"type": "Enforced", "status": "True", "reason": "Enforced", "message": ""},
        ],
    }
    return {
        "apiVersion": "certward.dev/v1alpha1",
        "kind": "TLSPolicy",
        "metadata": meta(name, namespace, now),
        "spec": {"profile": profile, "targetRefs": [{"kind": "App", "name": name}]},
        "status": told | status,
    }


def conflicted(name: str, namespace: str, now: datetime, other: str) -> Body:
    message = f"TLSPolicy {other} is older and stays in force for shop. Delete one of the two."
    return policy(
        name,
        namespace,
        now,
        conditions=[
            {"type": "Accepted", "status": "False", "reason": "Conflicted", "message": message},
            {"type": "Enforced", "status": "False", "reason": "Conflicted", "message": message},
        ],
        apps={"targeted": 1, "inForce": 0, "enforced": 0},
    )


def small(now: datetime) -> Store:
    """Three Domains of two Apps; all is well but for one."""
    apps = [app("shop", "team-a", now), app("blog", "team-b", now, automatic=False, grade="B", gradeCappedBy="TLS 1.1")]
    domains = [
        domain("shop.example.com", "shop", "team-a", now, expires=now + 72 * DAY),
        domain("www.shop.example.com", "shop", "team-a", now, expires=now + 58 * DAY),
        domain(
            "blog.example.org",
            "blog",
            "team-b",
            now,
            expires=now + 12 * DAY,
            reason="AutomaticDisabled",
            message="Automatic certificates are off, so the last one is served until it ends. Turn them on.",
        ),
    ]
    return filled(apps, domains, [policy("shop", "team-a", now)])


def big(now: datetime, size: int = 1000) -> Store:
    """Many Domains: nine of ten are well, the others are in every other state."""
    apps, domains = [], []
    for number in range(size // 5):
        namespace, name = f"team-{number % 20:02}", f"{_WORDS[number % len(_WORDS)]}-{number}"
        grade = "A" if number % 11 else "B"
        apps.append(
            app(
                name,
                namespace,
                now,
                automatic=number % 9 != 0,
                grade=grade,
                gradeCappedBy="" if grade == "A" else "TLS 1.1",
            )
        )
        for index in range(5):
            count = number * 5 + index
            hostname = f"{_HOSTS[index]}.{name}.example.{('com', 'org', 'net')[number % 3]}"
            expires = now + timedelta(days=31 + count * 37 % 58, hours=count % 24)
            if count % 41 == 7:
                domains.append(
                    domain(hostname, name, namespace, now, **_troubled(count // 41, hostname, namespace, now))
                )
            else:
                domains.append(domain(hostname, name, namespace, now, expires=expires))
    policies = [policy(one["metadata"]["name"], one["metadata"]["namespace"], now) for one in apps[:12]]
    policies.append(conflicted("newer", "team-00", now, policies[0]["metadata"]["name"]))
    return filled(apps, domains, policies)


def filled(apps: list[Body], domains: list[Body], policies: list[Body]) -> Store:
    store = Store()
    for kind, bodies in (("App", apps), ("Domain", domains), ("TLSPolicy", policies)):
        store.replace(kind, "", bodies)
        store.tell_scope(kind, "all namespaces")
    store.tell_budgets(
        (
            Budget(
                "letsencrypt",
                "https://acme.example.com/directory",
                (("orders in 3 hours", 41, 300), ("certificates in 7 days for example.com", 46, 50)),
            ),
        )
    )
    return store


def now() -> datetime:
    return datetime.now(UTC)


_WORDS = ("shop", "checkout", "blog", "docs", "search", "media", "login", "billing", "status", "api", "support", "maps")
_HOSTS = ("www", "api", "cdn", "admin", "m")


def _troubled(number: int, hostname: str, namespace: str, now: datetime) -> Body:
    state, reason, message = _STATES[number % len(_STATES)]
    status: Body = {"state": state, "reason": reason, "message": message.format(hostname, ns=namespace)}
    if reason == "CAARejected":
        status |= {
            "reason": "CARejected",
            "message": f"The CA refuses {hostname} by its policy. Choose another hostname.",
        }
    if state == "CertIssued":
        ends = format_time(now + 9 * DAY)
        manual = {"source": "Manual", "secretName": "bought", "issuer": "CN=Example CA", "notAfter": ends}
        return status | {"certificate": manual}
    if state == "Failing" and number % 2:
        return status | {"expires": now + 6 * DAY}
    not_ready = [{"type": "Ready", "status": "False", "reason": reason or "InProgress", "message": ""}]
    return status | {"certificate": None, "served": None, "conditions": not_ready}
