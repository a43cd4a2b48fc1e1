"""What is missing, in the way or not possible: said clearly, and gone on with once it is mended."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from certward.kube.kinds import path_of
from e2e import planes
from e2e.world import ClusterError, Domain, World, condition, serial

pytestmark = pytest.mark.cluster


def foreign_secret(namespace: str, name: str, hostname: str) -> dict[str, object]:
    """Return a user's own certificate Secret."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, hostname)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), 7, now, now + timedelta(days=9))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(hostname)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    key_pem = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    data = {"tls.crt": certificate.public_bytes(pem), "tls.key": key_pem}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "type": "kubernetes.io/tls",
        "data": {name: base64.b64encode(content).decode() for name, content in data.items()},
    }


def test_a_secret_of_somebody_else_is_left_alone(world: World) -> None:
    namespace = world.shop()
    hostname = world.hostname()
    world.apply(foreign_secret(namespace, "www-tls", hostname))
    before = world.get("secret", namespace, "www-tls")
    world.app(namespace, automatic=True)
    www = world.domain(namespace, hostname=hostname)
    status = world.wait_state(www, "Failed", "SecretInvalid")
    assert "Secret www-tls" in status["message"]
    assert "rename or delete it" in status["message"]
    assert condition(status, "Stalled") == "True"
    assert condition(status, "Ready") == "False"
    world.until(lambda: world.http_get(hostname).backend == "shop", "plain HTTP works all the same")
    assert world.get("secret", namespace, "www-tls") == before

    world.delete("secret", namespace, "www-tls")
    world.annotate("domain", namespace, "www", "example.com/look=again")
    world.wait_issued(www, timeout=max(15.0, world.platform.patience))


def test_a_wildcard_hostname_needs_dns01(world: World) -> None:
    namespace = world.shop()
    world.app(namespace, automatic=True)
    below = world.hostname("d")
    wildcard = world.domain(namespace, "all", hostname=f"*.{below}")
    status = world.wait_state(wildcard, "Failed", "WildcardNeedsDNS01")
    assert "DNS-01" in status["message"]
    world.until(lambda: world.http_get(f"any.{below}").backend == "shop", "plain HTTP works all the same")
    app = world.until(lambda: failing_app(world, namespace), "the App says so")
    assert "Domain all" in condition(app["status"], "Ready", field="message")


def failing_app(world: World, namespace: str) -> dict[str, dict[str, object]]:
    app = world.get("app", namespace, "shop")
    return app if ((app.get("status") or {}).get("domains") or {}).get("failing") else {}


def test_a_domain_waits_for_its_app_and_the_app_for_its_services(world: World) -> None:
    namespace = world.namespace()
    www = world.domain(namespace)
    status = world.wait_state(www, "Waiting", "AppNotFound")
    assert f"no App shop in namespace {namespace}" in status["message"]

    paths = [{"path": "/api", "service": {"name": "api", "port": 8080}}]
    world.app(namespace, automatic=True, paths=paths)
    status = world.wait_state(www, "Waiting", "ServiceNotFound")
    assert f"no Service shop in namespace {namespace}" in status["message"]
    app = world.until(lambda: app_without_service(world, namespace), "the App says so")
    assert "no Service shop" in condition(app["status"], "Ready", field="message")

    world.backend(namespace, "shop")
    world.until(lambda: "no Service api" in world.status(www)["message"], "the next one is asked for", 15)
    world.backend(namespace, "api")
    world.wait_issued(www, timeout=max(15.0, world.platform.patience))
    assert world.https_get(www.hostname, "/api").backend == "api"


def app_without_service(world: World, namespace: str) -> dict[str, dict[str, object]]:
    app = world.get("app", namespace, "shop")
    return app if condition(app.get("status") or {}, "Ready", field="reason") == "ServiceNotFound" else {}


def test_a_host_with_a_certificate_outlives_its_service(world: World) -> None:
    namespace = world.shop()
    world.app(namespace, automatic=True)
    www = world.domain(namespace)
    number = serial(world.wait_issued(www))
    world.delete("service", namespace, "shop")
    world.annotate("domain", namespace, "www", "example.com/look=again")
    world.until(lambda: world.https_get(www.hostname).status in (404, 500, 502, 503), "the app is gone")
    status = world.wait_issued(www)
    assert serial(status) == number


def test_an_issuer_that_is_not_configured(world: World) -> None:
    namespace = world.shop()
    orders = world.orders()
    world.app(namespace, automatic=True, certificates={"issuer": "nobody"})
    www = world.domain(namespace)
    status = world.wait_state(www, "Failed", "CARejected")
    assert "issuer nobody, which is not configured" in status["message"]
    assert world.orders() == orders
    world.app(namespace, automatic=True)
    world.wait_issued(www)


def test_an_ingress_class_that_does_not_exist(world: World) -> None:
    namespace = world.shop()
    world.app(namespace, automatic=True, ingressClassName="nobody")
    www = world.domain(namespace)
    status = world.until(lambda: told_of_class(world, www), "the Domain says so")
    assert condition(status, "Ready") == "False"
    app = world.until(lambda: app_of_unknown_class(world, namespace), "the App says so")
    assert "There is no ingress class nobody" in condition(app["status"], "Ready", field="message")
    assert world.routes(namespace) == set()
    world.app(namespace, automatic=True)
    world.wait_issued(www)


def test_routes_that_an_admission_policy_does_not_take(world: World) -> None:
    namespace = world.shop()
    name = f"no-routes-{namespace}"
    kinds = ("Ingress", *world.plane.dialect.kinds)
    world.apply(*refusal(name, namespace, kinds))
    world.until(lambda: is_refused(world, namespace), "the policy is in force")
    world.app(namespace, automatic=True)
    www = world.domain(namespace)
    try:
        status = world.until(lambda: told(world, www, "routes need a ticket"), "the Domain quotes the refusal")
        assert (status["state"], status["reason"]) == ("Failing", "ChallengeUnreachable")
    finally:
        world.kubectl("delete", "validatingadmissionpolicybinding,validatingadmissionpolicy", name)
    world.until(lambda: not is_refused(world, namespace), "the policy is no longer in force")
    world.annotate("domain", namespace, www.name, "certward.dev/refresh=now")
    world.wait_issued(www)


def refusal(name: str, namespace: str, kinds: tuple[str, ...]) -> list[dict[str, object]]:
    """A ValidatingAdmissionPolicy that takes no routes in one namespace."""
    api = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": name}}
    groups = [path_of(kind, "").split("/")[2] for kind in kinds]
    plurals = [path_of(kind, "").rsplit("/", 1)[1] for kind in kinds]
    rule = {"apiGroups": groups, "apiVersions": ["*"], "operations": ["CREATE", "UPDATE"], "resources": plurals}
    chosen = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
    spec = {
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [{"expression": "false", "message": "routes need a ticket"}],
    }
    binding = {"policyName": name, "validationActions": ["Deny"], "matchResources": chosen}
    return [
        {**api, "kind": "ValidatingAdmissionPolicy", "spec": spec},
        {**api, "kind": "ValidatingAdmissionPolicyBinding", "spec": binding},
    ]


def is_refused(world: World, namespace: str) -> bool:
    """Whether the policy has come into force: it does so a moment after it was applied."""
    try:
        world.kubectl("-n", namespace, "create", "ingress", "probe", "--rule=x.example/=shop:8080", "--dry-run=server")
    except ClusterError as error:
        return "routes need a ticket" in str(error)
    return False


def told(world: World, domain: Domain, words: str) -> dict[str, object]:
    status = world.status(domain)
    return status if words in status.get("message", "") else {}


def told_of_class(world: World, domain: Domain) -> dict[str, object]:
    status = world.status(domain)
    return status if "There is no ingress class nobody" in status.get("message", "") else {}


def app_of_unknown_class(world: World, namespace: str) -> dict[str, dict[str, object]]:
    app = world.get("app", namespace, "shop")
    return app if condition(app.get("status") or {}, "Ready", field="reason") == "IngressClassUnknown" else {}


@pytest.mark.parametrize(
    ("hostname", "complaint"),
    [
        ("Shop.example.com", "lower case"),
        ("shop.example.com/cart", "path"),
        ("shop.example.com:8443", "port"),
        ("*.*.example.com", "a wildcard is one * as the whole first label"),
    ],
    ids=["upper case", "path", "port", "two wildcards"],
)
def test_hostnames_that_are_refused(world: World, hostname: str, complaint: str) -> None:
    with pytest.raises(ClusterError, match=r"spec\.hostname") as refused:
        world.domain("default", "refused", hostname=hostname)
    assert complaint in str(refused.value)


@pytest.mark.parametrize("kind", list(planes.chosen().foreign))
def test_a_route_of_somebody_else_that_was_there_first(world: World, kind: str) -> None:
    """The host is served all the same, or its status has the controller's words on why not."""
    foreign, elsewhere, hostname = world.plane.foreign[kind], world.namespace(), world.hostname()
    world.backend(elsewhere, "intruder")
    world.apply(
        foreign_secret(elsewhere, "intruder", hostname),
        foreign.make(elsewhere, hostname, world.platform.settings_of(world.plane.name)),
    )
    namespace = world.shop()
    world.app(namespace, automatic=True)
    www = world.domain(namespace, hostname=hostname)
    # Which of two listeners an engine takes may hang on which is older, by whole seconds.
    words = foreign.keeps_out or "does not take"

    def outcome() -> dict[str, object] | None:
        status = world.status(www)
        is_told = words in json.dumps(status).lower() or (
            not foreign.keeps_out and condition(status, "Ready") == "True"
        )
        return status if is_told else None

    status = world.until(outcome, "it is served, or the controller is quoted", 40)
    print(f"\n{status['message']}\n{condition(status, 'Served', field='message')}")
    if condition(status, "Ready") != "True":
        world.delete(kind.lower(), elsewhere, "intruder")
    world.wait_issued(www, timeout=60)
    assert world.https_get(hostname).backend == "shop"
