"""Events: what `kubectl describe` shows of our objects, once for each thing."""

import json
from collections import Counter
from typing import Any

import pytest

from cluster.handle import Cluster
from integration import observer


def events(cluster: Cluster, namespace: str, kind: str, name: str) -> list[dict[str, Any]]:
    """The Events of an object, as `kubectl get events` has them."""
    selector = f"involvedObject.kind={kind},involvedObject.name={name}"
    listed = json.loads(cluster.kubectl("-n", namespace, "get", "events", "--field-selector", selector, "-o", "json"))
    return [item for item in listed["items"] if item["reportingComponent"] == "certward.dev/operator"]


def reasons(cluster: Cluster, namespace: str, kind: str, name: str) -> list[str]:
    """Their reasons, sorted."""
    return sorted(item["reason"] for item in events(cluster, namespace, kind, name))


def described(cluster: Cluster, namespace: str, kind: str, name: str) -> str:
    """The section Events of `kubectl describe`."""
    return cluster.kubectl("-n", namespace, "describe", kind, name).partition("\nEvents:")[2]


@pytest.fixture
def namespace(cluster: Cluster) -> str:
    """A namespace with an App and a Domain that is served."""
    made = observer.new_shop(cluster, "events")
    observer.apply(cluster, made, observer.domain("www", made))
    observer.until_settled(cluster, made, ["www"])
    return made


def test_a_first_certificate_is_no_event_and_a_renewal_is_one(cluster: Cluster, namespace: str) -> None:
    audit = observer.AuditLog(cluster)
    cluster.kubectl("-n", namespace, "annotate", "domain", "www", "certward.dev/refresh=now")
    cluster.wait_for(lambda: events(cluster, namespace, "Domain", "www"), 60, "the Event of the renewal")
    observer.until_settled(cluster, namespace, ["www"])

    assert reasons(cluster, namespace, "Domain", "www") == ["Renewed"]
    written = Counter(line.split()[1] for line in audit.writes() if f" {namespace}/" in line)
    assert written["events"] == 1
    shown = described(cluster, namespace, "domain", "www")
    assert "Normal  Renewed" in shown
    assert f"{observer.hostname('www', namespace)} is served with a certificate from CN=Pebble" in shown


def test_what_somebody_has_to_do_something_about_is_a_warning(cluster: Cluster, namespace: str) -> None:
    rival, lost = observer.domain("younger", namespace), observer.domain("lost", namespace, of="nobody")
    rival["spec"]["hostname"] = observer.hostname("www", namespace)
    policies = [
        {"apiVersion": observer.API_VERSION, "kind": "TLSPolicy", "metadata": {"name": name}, "spec": {"profile": of}}
        for name, of in (("first", "modern"), ("second", "default"))
    ]
    observer.apply(cluster, namespace, rival, lost, *policies)
    for kind, name, reason in (
        ("Domain", "younger", "HostnameTaken"),
        ("Domain", "lost", "AppNotFound"),
        ("TLSPolicy", "second", "Conflicted"),
        ("App", "shop", "TLSProfileChanged"),
    ):
        cluster.wait_for(lambda of=(kind, name): events(cluster, namespace, *of), 20, f"an Event of {kind} {name}")
        assert reasons(cluster, namespace, kind, name) == [reason]
        (event,) = events(cluster, namespace, kind, name)
        status = observer.status(observer.get(cluster, namespace, name, f"{kind.lower()}s")) if kind == "Domain" else {}
        assert event["message"] == status.get("message", event["message"])
        assert event["type"] == ("Normal" if kind == "App" else "Warning")
        assert reason in described(cluster, namespace, kind.lower(), name)


def test_a_restart_tells_nothing_again(cluster: Cluster, namespace: str) -> None:
    observer.apply(cluster, namespace, observer.domain("lost", namespace, of="nobody"))
    cluster.wait_for(lambda: events(cluster, namespace, "Domain", "lost"), 20, "an Event")
    audit = observer.AuditLog(cluster)
    cluster.kill("certward-0")
    cluster.up()
    passes = 'kind="Domain",outcome="done"'
    cluster.wait_for(lambda: observer.metric(cluster, "certward_reconciles_total", passes) > 0, 30, "it works again")
    observer.throughout(3, lambda: None)
    assert [line for line in audit.writes() if " events " in line] == []
