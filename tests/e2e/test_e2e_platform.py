"""The hostnames that the platform gives Apps, under a domain of its own and with one certificate for all of them."""

from collections.abc import Iterator

import pytest

from certward.model.resources import name_hash
from cluster.handle import Cluster
from e2e.bought import Seller, tls_secret
from e2e.local import Local
from e2e.outside import TIMEOUT, Outside
from e2e.world import Domain, World, condition

pytestmark = pytest.mark.cluster

SYSTEM, PLATFORM, SECRET = "certward-system", "certward-platform", "wildcard"
SUFFIX = "apps.example.net"


@pytest.fixture(scope="module")
def seller(tmp_path_factory: pytest.TempPathFactory) -> Seller:
    return Seller(tmp_path_factory.mktemp("platform"), "Platform")


@pytest.fixture(scope="module")
def world(cluster: Cluster, seller: Seller) -> Iterator[World]:
    """A platform with a domain of its own."""
    made = World(Local(cluster))
    cluster.up(patch={"platformDomain": {"suffix": SUFFIX, "certificateSecret": SECRET}})
    chain, key, _ = seller.sell([f"*.{SUFFIX}"])
    made.apply(tls_secret(SECRET, SYSTEM, chain, key))
    yield made
    cluster.up()
    made.delete("secret", SYSTEM, SECRET)
    made.close()


@pytest.fixture
def outside(world: World, seller: Seller) -> Outside:
    """A client that trusts whoever sold the platform's certificate."""
    return Outside(world.platform.http, world.platform.https, seller.roots)


def app_status(world: World, namespace: str, name: str = "shop") -> dict:
    return dict(world.get("app", namespace, name).get("status") or {})


def until_served(world: World, namespace: str, name: str = "shop") -> str:
    """Return the built-in hostname of an App once it is said to be served."""

    def told() -> str:
        status = app_status(world, namespace, name)
        return status["hostname"] if condition(status, "HostnameServed") == "True" else ""

    return world.until(told, f"the built-in hostname of {namespace}/{name} is served", 40)


def test_an_app_has_a_hostname_without_any_domain(world: World, outside: Outside) -> None:
    namespace = world.shop()
    world.app(namespace)
    hostname = until_served(world, namespace)
    assert hostname == f"shop-{namespace}-{name_hash(namespace, 'shop')}.{SUFFIX}"
    assert outside.https_get(hostname).backend == "shop"
    leaf = outside.served_leaf(hostname)
    platform = world.get("domain", SYSTEM, PLATFORM)["status"]
    assert int(platform["certificate"]["serialNumber"], 16) == leaf.serial_number
    assert platform["certificate"]["source"] == "Manual"
    world.until(lambda: outside.http_get(hostname).status in (301, 308), "plain HTTP leads to HTTPS")
    status = app_status(world, namespace)
    assert condition(status, "Ready") == "True"
    assert status["tls"]["grade"]
    # The key stays where it is.
    assert not world.names("secrets", namespace)
    assert not world.names("domains", namespace)


def test_names_are_cut_to_what_fits_into_a_label(world: World, outside: Outside) -> None:
    namespace = world.shop()
    name = "a-name-that-is.too-long-to-be-all-of-the-first-label"
    world.app(namespace, name)
    hostname = until_served(world, namespace, name)
    label = hostname.removesuffix(f".{SUFFIX}")
    assert len(label) <= 63
    assert "." not in label
    assert label.endswith(f"-{name_hash(namespace, name)}")
    assert outside.https_get(hostname).backend == "shop"


def test_the_apps_policy_holds_for_it(world: World, outside: Outside) -> None:
    namespace = world.shop()
    world.app(namespace)
    hostname = until_served(world, namespace)
    assert outside.protocols(hostname) == {"TLSv1.2", "TLSv1.3"}
    world.apply(
        {
            "apiVersion": "certward.dev/v1alpha1",
            "kind": "TLSPolicy",
            "metadata": {"name": "modern", "namespace": namespace},
            "spec": {"profile": "modern"},
        }
    )
    if world.plane.name == "envoy-gateway":
        # One listener for all of the platform's names, with the platform's profile; the status has to say so.
        said = lambda: condition(app_status(world, namespace), "HostnameServed", field="message")  # noqa: E731
        world.until(lambda: "TLSv1.2" in said(), "what is served in spite of the policy is said")
        return
    world.until(lambda: outside.protocols(hostname) == {"TLSv1.3"}, "the policy is in force")
    assert outside.https_get(hostname).backend == "shop"


def test_names_under_it_are_nobodys_domain(world: World) -> None:
    namespace = world.shop()
    world.app(namespace, automatic=True)
    for name, hostname in (("grab", f"grab.{SUFFIX}"), ("all", SUFFIX), ("wild", f"*.{SUFFIX}")):
        taken = world.domain(namespace, name, hostname=hostname)
        status = world.wait_state(taken, "Failed", "HostnameReserved")
        assert status["message"] == (
            f"Names under {SUFFIX} belong to the platform, which gives each App one; choose another hostname."
        )
        world.delete("domain", namespace, name)  # or it comes to life once the platform has no such domain any more


def test_a_newer_certificate_is_taken_up(world: World, seller: Seller, outside: Outside) -> None:
    namespace = world.shop()
    world.app(namespace)
    hostname = until_served(world, namespace)
    chain, key, leaf = seller.sell([f"*.{SUFFIX}"])
    world.apply(tls_secret(SECRET, SYSTEM, chain, key))
    world.annotate("domain", SYSTEM, PLATFORM, f"certward.dev/refresh={leaf.serial_number}")
    world.until(lambda: outside.served_leaf(hostname).serial_number == leaf.serial_number, "the new one is served")
    platform = Domain(SYSTEM, PLATFORM, "")
    told = lambda: int(world.status(platform)["certificate"]["serialNumber"], 16) == leaf.serial_number  # noqa: E731
    world.until(told, "the platform's Domain tells of it", 40)
    until_served(world, namespace)


def test_it_goes_with_its_app_and_with_the_platforms_domain(cluster: Cluster, world: World, outside: Outside) -> None:
    namespace = world.shop()
    world.app(namespace)
    world.app(namespace, "other")
    gone, kept = until_served(world, namespace), until_served(world, namespace, "other")
    world.delete("app", namespace, "shop")
    world.until(lambda: not reaches(outside, gone), "no route leads to the App that is gone", 45)
    # Envoy has twice left a request for it without an answer, while it took up that the other route was gone. One that
    # hangs takes a client's whole patience, so that there has to be time for another.
    world.until(lambda: reaches(outside, kept), "the other App's hostname is answered", 3 * TIMEOUT)

    cluster.up(patch={})
    try:
        world.until(lambda: "hostname" not in app_status(world, namespace, "other"), "it has no hostname any more", 45)
        world.until(lambda: not reaches(outside, kept), "no route leads there", 45)
        world.until(lambda: not world.get("domain", SYSTEM, PLATFORM), "the platform's Domain is gone")
        assert not world.routes(namespace)
        assert condition(app_status(world, namespace, "other"), "HostnameServed") == ""
    finally:
        cluster.up(patch={"platformDomain": {"suffix": SUFFIX, "certificateSecret": SECRET}})
    assert outside.https_get(until_served(world, namespace, "other")).backend == "shop"


def reaches(outside: Outside, hostname: str) -> bool:
    """Whether the backend answers, over plain HTTP or HTTPS."""
    try:
        return outside.http_get(hostname).backend == "shop" or outside.https_get(hostname).backend == "shop"
    except OSError as error:
        print(f"\n{hostname}: {error!r}")
        return False
