"""Who has a hostname, and who has a Secret's name, in the whole cluster."""

import uuid

import pytest

from e2e.world import Domain, World, condition, serial

pytestmark = pytest.mark.cluster


def older_and_younger(
    world: World, older: tuple[str, str, str], younger: tuple[str, str, str]
) -> tuple[Domain, Domain]:
    """Apply two Domains (namespace, name, hostname) so that the API server dates them differently."""
    first = world.domain(older[0], older[1], hostname=older[2])
    world.until_dated("domain", first.namespace, first.name)
    return first, world.domain(younger[0], younger[1], hostname=younger[2])


def test_a_hostname_belongs_to_the_older_domain_until_that_is_gone(world: World) -> None:
    one, two = world.shop(), world.namespace()
    world.backend(two, "heir")
    world.app(one, automatic=True)
    world.app(two, automatic=True, service={"name": "heir", "port": 8080})
    hostname = world.hostname()
    first, second = older_and_younger(world, (one, "www", hostname), (two, "mine", hostname))

    status = world.wait_state(second, "Waiting", "HostnameTaken")
    assert f"older Domain {one}/www" in status["message"]
    assert condition(status, "Ready") == "False"
    number = serial(world.wait_issued(first))
    assert world.routes(two) == set()
    assert world.secret(second) == {}
    assert world.https_get(hostname).backend == "shop"

    world.delete("domain", one, "www")
    taken_over = world.wait_issued(second)
    assert serial(taken_over) != number
    assert world.https_get(hostname).backend == "heir"


def test_deleting_a_domain_that_waits_for_its_hostname_changes_nothing(world: World) -> None:
    one, two = world.shop(), world.shop()
    world.app(one, automatic=True)
    world.app(two, automatic=True)
    hostname = world.hostname()
    first, second = older_and_younger(world, (one, "www", hostname), (two, "www", hostname))
    world.wait_issued(first)
    world.wait_state(second, "Waiting", "HostnameTaken")
    world.delete("domain", two, "www")
    assert world.https_get(hostname).backend == "shop"
    assert world.wait_issued(first)


def test_a_wildcard_conflicts_with_names_directly_below_in_other_namespaces(world: World) -> None:
    one, two = world.shop(), world.shop()
    world.app(one, automatic=True)
    world.app(two, automatic=False)
    below = world.hostname("d")
    name, wildcard = older_and_younger(world, (one, "www", f"www.{below}"), (two, "all", f"*.{below}"))
    status = world.wait_state(wildcard, "Waiting", "HostnameTaken")
    assert f"{one}/www" in status["message"]
    deeper = world.domain(one, "deeper", hostname=f"a.b.{below}")
    world.wait_issued(name, deeper)
    assert world.routes(two) == set()

    world.delete("domain", one, "www")
    world.wait_state(wildcard, "Waiting", "AutomaticDisabled")
    world.until(lambda: world.http_get(f"any.{below}").backend == "shop", "the wildcard is routed")
    late = world.domain(one, "late", hostname=f"late.{below}")
    status = world.wait_state(late, "Waiting", "HostnameTaken")
    assert f"{two}/all" in status["message"]
    own = world.domain(two, "own", hostname=f"own.{below}")  # in the wildcard's own namespace nothing conflicts
    world.wait_state(own, "Waiting", "AutomaticDisabled")


def test_a_domain_that_is_refused_keeps_nobody_from_its_hostname(world: World) -> None:
    owner, squatter = world.shop(), world.shop()
    world.app(owner, automatic=True)
    world.app(squatter, automatic=True)
    below = world.hostname("d")
    _, refused = older_and_younger(world, (owner, "all", f"*.{below}"), (squatter, "www", f"www.{below}"))
    status = world.wait_state(refused, "Waiting", "HostnameTaken")
    assert f"{owner}/all" in status["message"]
    _, www = older_and_younger(world, (squatter, "x", f"x.{below}"), (owner, "www", f"www.{below}"))
    world.wait_issued(www)
    assert world.https_get(www.hostname).backend == "shop"
    assert world.routes(squatter) == set()
    world.delete("domain", squatter, "www")
    world.until(lambda: not world.get("domain", squatter, "www"), "it is gone")
    assert world.wait_issued(www)


def test_secrets_that_the_ingress_cannot_tell_apart(world: World) -> None:
    one = f"e2e-{uuid.uuid4().hex[:8]}"
    two = f"{one}-y"
    world.shop(one)
    world.shop(two)
    world.app(one, automatic=True)
    world.app(two, automatic=True)
    older, younger = older_and_younger(
        world, (two, "c", world.hostname("c")), (one, "y-c", world.hostname("y-c"))
    )  # both would be <one>-y-c-tls
    status = world.wait_state(younger, "Failed", "SecretNameCollides")
    assert f"{two}/c" in status["message"]
    assert "another name" in status["message"]
    assert condition(status, "Stalled") == "True"
    world.wait_issued(older)
    assert world.names(f"{world.plane.routes},secret", one, "certward.dev/domain=y-c") == set()

    world.delete("domain", two, "c")
    world.wait_issued(younger)
    assert world.https_get(younger.hostname).backend == "shop"
