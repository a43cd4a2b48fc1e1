"""What the API server accepts and refuses, and in which words; the files in crd_cases/ hold the tables."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.errors import ClusterError

API_VERSION = "certward.dev/v1alpha1"
TABLES = [
    yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in sorted((Path(__file__).parent / "crd_cases").glob("*.yaml"))
]
#: The API server adds this to a complaint about the form of an object; it says nothing of its own.
NOT_CHECKED = "some validation rules were not checked"

STATUS = {
    "App": {
        "observedGeneration": 3,
        "hostname": "shop-team-a-1a2b3c4d.apps.example.net",
        "ingressClassName": "traefik",
        "certificates": {"issuer": "letsencrypt", "profile": "classic", "keyType": "ECDSA-P256"},
        "tls": {
            "profile": "default",
            "revision": "2026-11",
            "policy": "",
            "minVersion": "TLSv1.2",
            "maxVersion": "TLSv1.3",
            "grade": "A",
            "gradeCappedBy": "",
        },
        "domains": {"total": 2, "issued": 1, "failing": 1},
    },
    "Domain": {
        "observedGeneration": 1,
        "state": "CertIssued",
        "reason": "",
        "message": "",
        "lastUpdated": "2026-11-23T12:00:00Z",
        "dns": {"target": "edge.example.net", "recordType": "CNAME", "verified": True},
        "certificate": {
            "source": "Automatic",
            "secretName": "www-tls",
            "issuer": "CN=R12",
            "serialNumber": "03af",
            "fingerprintSHA256": "ab" * 32,
            "keyType": "ECDSA-P256",
            "trusted": True,
            "notBefore": "2026-11-23T12:00:00Z",
            "notAfter": "2127-02-21T12:00:00Z",
            "renewalTime": "2127-01-21T12:00:00Z",
        },
        "order": {
            "url": "https://ca.example/order/1",
            "createdAt": "2026-11-23T12:00:00Z",
            "issuer": "letsencrypt",
        },
        "attempts": {"failures": 2, "nextAttempt": "2026-11-23T12:10:00Z"},
        "handled": {"refresh": "1", "revoke": "superseded"},
        "served": {
            "observedAt": "2026-11-23T12:00:00Z",
            "fingerprintSHA256": "ab" * 32,
            "minVersion": "TLSv1.2",
            "maxVersion": "TLSv1.3",
        },
    },
    "TLSPolicy": {"observedGeneration": 1, "apps": {"targeted": 3, "inForce": 2, "enforced": 2}},
}
#: Labels that no App of these tests has.
NOTHING = {"matchLabels": {"nobody": "has-this"}}
#: Specs that an operator at work beside the tests can do nothing with.
LEAST: dict[str, dict[str, Any]] = {
    "App": {"service": {"name": "nowhere", "port": 80}},
    "Domain": {"hostname": "kept.example.com", "appRef": {"name": "nowhere"}},
    "TLSPolicy": {"profile": "modern", "selector": NOTHING},
}
CONDITION = {
    "type": "Ready",
    "status": "True",
    "reason": "Served",
    "message": "",
    "observedGeneration": 1,
    "lastTransitionTime": "2026-11-23T12:00:00Z",
}


def cases() -> list[Any]:
    return [
        pytest.param(manifest(table["template"], case), case.get("refused", []), id=f"{kind}-{case['id']}")
        for table in TABLES
        for kind in [table["template"]["kind"]]
        for case in table["cases"]
    ]


def manifest(template: dict[str, Any], case: dict[str, Any]) -> dict[str, Any]:
    spec = overlaid(template["spec"], case.get("spec", {}))
    if repeat := case.get("repeat"):
        *parents, last = repeat["field"].split(".")
        holder = spec
        for name in parents:
            holder = holder.setdefault(name, {})
        holder[last] = [numbered(repeat["item"], number) for number in range(repeat["times"])]
    return {
        "apiVersion": API_VERSION,
        "kind": template["kind"],
        "metadata": {"name": case.get("name", template["name"])},
        "spec": spec,
    }


def overlaid(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Lay changes over a copy of base; None removes a field."""
    result = copy.deepcopy(base)
    for name, value in changes.items():
        if value is None:
            result.pop(name)
        elif isinstance(value, dict) and isinstance(result.get(name), dict):
            result[name] = overlaid(result[name], value)
        else:
            result[name] = value
    return result


def numbered(item: Any, number: int) -> Any:
    if isinstance(item, dict):
        return {name: numbered(value, number) for name, value in item.items()}
    return item.format(number) if isinstance(item, str) else item


def complaints(answer: str) -> list[str]:
    """Each single complaint in kubectl's words for a refusal."""
    lines = [line.removeprefix("* ") for line in answer.splitlines() if line.startswith("* ")] or [answer.strip()]
    return [line for line in lines if NOT_CHECKED not in line]


@pytest.fixture(scope="module")
def namespace(cluster):
    return cluster.namespace("crds")


def refusal(cluster, *arguments: str, **options: Any) -> str:
    """What kubectl says when the API server refuses."""
    with pytest.raises(ClusterError) as raised:
        cluster.kubectl(*arguments, **options)
    return str(raised.value)


def stored(cluster, namespace: str, kind: str, spec: dict[str, Any]) -> str:
    """Create an object for good; its kind and name as kubectl takes them."""
    body = {"apiVersion": API_VERSION, "kind": kind, "metadata": {"generateName": "kept-"}, "spec": spec}
    return cluster.kubectl("create", "-n", namespace, "-f", "-", "-o", "name", input=json.dumps(body)).strip()


def shown(cluster, namespace: str, name: str) -> dict[str, Any]:
    return json.loads(cluster.kubectl("get", "-n", namespace, name, "-o", "json"))


@pytest.mark.parametrize(("manifest", "refused"), cases())
def test_apply(cluster, namespace, manifest, refused):
    create = ("create", "--dry-run=server", "-n", namespace, "-f", "-")
    if not refused:
        cluster.kubectl(*create, input=json.dumps(manifest))
        return

    found = complaints(refusal(cluster, *create, input=json.dumps(manifest)))

    assert len(found) == len(refused), found
    for expected in refused:
        assert any(expected in complaint for complaint in found), found


def test_hostname_cannot_be_changed(cluster, namespace):
    name = stored(cluster, namespace, "Domain", {"hostname": "old.example.com", "appRef": {"name": "shop"}})
    patch = ("patch", "-n", namespace, name, "--type=merge", "-p")

    said = refusal(cluster, *patch, '{"spec": {"hostname": "new.example.com"}}')
    cluster.kubectl(*patch, '{"spec": {"appRef": {"name": "blog"}}}')

    assert "make a new Domain for the new hostname" in said
    assert shown(cluster, namespace, name)["spec"] == {
        "hostname": "old.example.com",
        "appRef": {"name": "blog"},
    }


def test_only_stated_defaults_are_filled_in(cluster, namespace):
    service = {"name": "shop", "port": 8080}
    app = stored(cluster, namespace, "App", {"service": service})
    partly = stored(cluster, namespace, "App", {"service": service, "certificates": {"issuer": "x"}})
    policy = stored(
        cluster, namespace, "TLSPolicy", {"profile": "modern", "selector": NOTHING, "hsts": {"maxAge": 300}}
    )

    assert shown(cluster, namespace, app)["spec"] == {
        "service": service,
        "certificates": {"automatic": False},
        "httpsRedirect": True,
    }
    assert shown(cluster, namespace, partly)["spec"]["certificates"] == {"automatic": False, "issuer": "x"}
    assert shown(cluster, namespace, policy)["spec"] == {
        "profile": "modern",
        "selector": NOTHING,
        "hsts": {"maxAge": 300, "includeSubDomains": False, "preload": False},
    }


@pytest.mark.parametrize("kind", LEAST)
def test_every_status_field_is_kept(cluster, namespace, kind):
    """By a dry run, so that an operator at work beside the test does not matter."""
    name = stored(cluster, namespace, kind, LEAST[kind])
    # Without a status yet, `add` sets it; with one already, `add` replaces it (RFC 6902, 4.1).
    status = {**STATUS[kind], "conditions": [CONDITION]}
    change = json.dumps([{"op": "add", "path": "/status", "value": status}])

    done = cluster.kubectl(
        "patch", "-n", namespace, name, "--subresource=status", "--type=json", "--dry-run=server",
        "-o", "json", "-p", change,
    )  # fmt: skip

    assert json.loads(done)["status"] == status


def test_state_is_of_the_vocabulary(cluster, namespace):
    name = stored(cluster, namespace, "Domain", LEAST["Domain"])

    said = refusal(
        cluster,
        "patch", "-n", namespace, name, "--subresource=status", "--type=merge", "--dry-run=server",
        "-p", '{"status": {"state": "Done"}}',
    )  # fmt: skip

    assert 'Unsupported value: "Done"' in said


def test_columns_of_domains(cluster, namespace):
    name = stored(cluster, namespace, "Domain", LEAST["Domain"])

    header, row = cluster.kubectl("get", "-n", namespace, name).splitlines()

    assert header.split() == ["NAME", "HOSTNAME", "APP", "STATUS", "REASON", "EXPIRES", "UPDATED"]
    assert row.split()[1:3] == ["kept.example.com", "nowhere"]


@pytest.mark.parametrize("word", ["certward", "cwapp,dom,tlsp"])
def test_everything_is_listed_by(cluster, namespace, word):
    for kind, spec in LEAST.items():
        stored(cluster, namespace, kind, spec)

    names = cluster.kubectl("get", "-n", namespace, word, "-o", "name").split()

    assert {name.partition("/")[0] for name in names} == {
        "app.certward.dev",
        "domain.certward.dev",
        "tlspolicy.certward.dev",
    }


def test_domains_are_selected_by_hostname(cluster, namespace):
    spec = {"hostname": "found.example.com", "appRef": {"name": "nowhere"}}
    name = stored(cluster, namespace, "Domain", spec)

    found = cluster.kubectl(
        "get", "-n", namespace, "domains", "--field-selector=spec.hostname=found.example.com", "-o", "name"
    )

    assert found.split() == [name]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("domain.spec.hostname", "at least two labels"),
        ("app.spec.certificates.automatic", "obtained and renewed automatically"),
        ("tlspolicy.spec.hsts.preload", "months to be removed"),
        ("domain.status.state", "CertIssued: a valid certificate"),
    ],
)
def test_kubectl_explains(cluster, path, words):
    told = cluster.kubectl("explain", path, f"--api-version={API_VERSION}")

    assert words in " ".join(told.split())
