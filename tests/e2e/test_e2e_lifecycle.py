"""From an App without certificates to HTTPS and back: switching automatic certificates on and off, deleting."""

import http.client
import ssl

import pytest

from e2e.world import CHALLENGE, Domain, World, condition, serial

pytestmark = pytest.mark.cluster


def is_redirected(world: World, domain: Domain) -> bool:
    answer = world.http_get(domain.hostname, "/where?from=here")
    is_right = answer.headers.get("location") == f"https://{domain.hostname}/where?from=here"
    return answer.status in (301, 308) and is_right


def is_challenge_routed(world: World, domain: Domain) -> bool:
    """Whether the challenge path leads to the operator: its answer is token.thumbprint (RFC 8555, 8.1)."""
    answer = world.http_get(domain.hostname, f"{CHALLENGE}a-token-that-nobody-asked-for")
    return answer.status == 200 and answer.body.startswith(b"a-token-that-nobody-asked-for.")


def test_automatic_certificates_are_off_until_the_app_asks(world: World) -> None:
    orders = world.orders()
    namespace = world.shop()
    world.app(namespace)
    www = world.domain(namespace)

    status = world.wait_state(www, "Waiting", "AutomaticDisabled")
    assert "spec.certificates.automatic: true" in status["message"]
    assert "App shop" in status["message"]
    assert condition(status, "Ready") == "False"
    assert condition(status, "Stalled") == "False"
    world.until(lambda: world.http_get(www.hostname).backend == "shop", "plain HTTP leads to the app")
    assert not is_challenge_routed(world, www)
    assert not world.is_served(www.hostname)
    assert world.secret(www) == {}
    assert world.names("service,endpointslice,secret", namespace, "app.kubernetes.io/managed-by=certward") == set()
    assert world.orders() == orders

    world.app(namespace, automatic=True)
    status = world.wait_issued(www)
    assert world.https_get(www.hostname, "/deep/path").backend == "shop"
    world.until(lambda: is_redirected(world, www), "plain HTTP redirects")
    secret = world.secret(www)
    assert secret["type"] == "kubernetes.io/tls"
    assert world.orders() in (None, (orders or 0) + 1)
    world.until(lambda: sums_up_one_issued(world, namespace), "the App is Ready and counts its Domain")

    table = world.kubectl("get", "domains", f"--namespace={namespace}").splitlines()
    assert table[0].split() == ["NAME", "HOSTNAME", "APP", "STATUS", "REASON", "EXPIRES", "UPDATED"]
    name, hostname, app_name, state, expires, _age = table[1].split()  # the reason is empty
    assert (name, hostname, app_name, state) == ("www", www.hostname, "shop", "CertIssued")
    assert expires == status["certificate"]["notAfter"]

    world.app(namespace, automatic=True, httpsRedirect=False)
    world.until(lambda: world.http_get(www.hostname).backend == "shop", "plain HTTP is not redirected any more")
    assert world.https_get(www.hostname).backend == "shop"


def sums_up_one_issued(world: World, namespace: str) -> bool:
    """Whether the App has taken in that its Domain is issued; it was Ready before, and sums up a moment later."""
    status = world.get("app", namespace, "shop").get("status") or {}
    counts = {"total": 1, "issued": 1, "failing": 0}
    return condition(status, "Ready") == "True" and status.get("domains") == counts


def test_turning_automatic_off_keeps_the_certificate_and_on_again_orders_none(world: World) -> None:
    namespace = world.shop()
    world.app(namespace, automatic=True)
    www = world.domain(namespace)
    number = serial(world.wait_issued(www))
    assert is_challenge_routed(world, www)
    orders = world.orders()

    world.app(namespace, automatic=False)
    status = world.wait_state(www, "CertIssued", "AutomaticDisabled")
    assert "not renewed" in status["message"]
    assert "renewalTime" not in status["certificate"]
    assert condition(status, "Ready") == "True"
    assert world.https_get(www.hostname).backend == "shop"
    assert is_redirected(world, www)
    world.until(lambda: not is_challenge_routed(world, www), "the challenge path is the app's own again")

    world.app(namespace, automatic=True)
    status = world.wait_issued(www)
    assert serial(status) == number
    assert "renewalTime" in status["certificate"]
    world.until(lambda: is_challenge_routed(world, www), "the challenge path leads to the operator")
    assert world.orders() == orders


def test_deleting_an_app_takes_its_routes_and_keeps_its_certificates(world: World) -> None:
    namespace = world.shop()
    world.app(namespace, automatic=True)
    www = world.domain(namespace)
    number = serial(world.wait_issued(www))
    before = world.secret(www)
    orders = world.orders()

    world.delete("app", namespace, "shop")
    status = world.wait_state(www, "Waiting", "AppNotFound")
    assert "no App shop in namespace " in status["message"]
    assert condition(status, "Ready") == "False"
    assert condition(status, "Served") == "False"
    assert "certificate" not in status
    world.until(lambda: world.http_get(www.hostname).status == 404, "plain HTTP is gone")
    world.until(lambda: not world.is_served(www.hostname), "HTTPS is gone")
    assert world.routes(namespace) == set()
    assert world.secret(www)["data"] == before["data"]

    world.app(namespace, automatic=True)
    status = world.wait_issued(www)  # which also shows that Ready is not said before it is served again
    assert serial(status) == number
    assert world.https_get(www.hostname).backend == "shop"
    assert world.orders() == orders


def test_deleting_domains_takes_all_that_was_made_for_them(world: World) -> None:
    namespace = world.shop()
    world.app(namespace, automatic=True)
    www, api = world.domain(namespace, "www"), world.domain(namespace, "api")
    world.wait_issued(www, api)
    challenge = world.names("service,endpointslice", namespace, "app.kubernetes.io/managed-by=certward")
    assert "service/certward-challenge" in challenge
    assert any(name.startswith("endpointslice.discovery.k8s.io/certward-challenge-") for name in challenge)

    world.delete("domain", namespace, "www")
    ours = "certward.dev/domain=www"
    ours_of = f"{world.plane.routes},secret"
    world.until(lambda: not world.names(ours_of, namespace, ours), "routes and Secret of www are gone")
    world.until(lambda: not world.is_served(www.hostname), "HTTPS of www is gone")
    assert world.names("service", namespace, "app.kubernetes.io/managed-by=certward")
    assert world.https_get(api.hostname).backend == "shop"

    world.delete("domain", namespace, "api")
    managed = "app.kubernetes.io/managed-by=certward"
    kinds = f"{world.plane.routes},secret,service,endpointslice"
    world.until(lambda: not world.names(kinds, namespace, managed), "nothing of Certward's is left")
    assert world.names("service", namespace) == {"service/shop"}


def test_ready_and_the_redirect_never_come_before_https_answers(world: World) -> None:
    namespace = world.shop()
    world.app(namespace, automatic=True)
    www = world.domain(namespace)
    trouble: list[str] = []

    def redirected() -> bool:
        if not world.http_get(www.hostname).headers.get("location", "").startswith("https://"):
            return False
        try:
            world.https_get(www.hostname)
        except (ssl.SSLError, http.client.HTTPException) as error:
            trouble.append(repr(error))
        return True

    world.until(redirected, "plain HTTP redirects")
    assert trouble == []
    world.wait_issued(www)
