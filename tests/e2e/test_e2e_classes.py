"""Two ingress controllers in one cluster: Apps on both at once, an App that moves, and classes that are not there."""

import json
from collections.abc import Iterator

import pytest

from cluster.handle import Cluster
from e2e.local import Local
from e2e.planes import named
from e2e.streams import Stream
from e2e.world import Domain, World, condition, serial

BOTH = "traefik,contour"
#: Classes that are configured and have nothing behind them.
NOWHERE = {
    "edge": {"dialect": "envoy-gateway", "gateway": {"namespace": "default", "name": "nobody"}},
    "late": {"dialect": "contour"},
    "plain": {"dialect": "generic"},
}
PATCH = {"ingress": {"classes": NOWHERE}}


@pytest.fixture(scope="module")
def both(cluster: Cluster) -> Iterator[dict[str, World]]:
    """The same cluster with two planes, as each plane's clients see it; afterwards it is as it was."""
    cluster.up(ingress=BOTH, patch=PATCH)
    worlds = {name: World(Local(cluster, name), named(name)) for name in BOTH.split(",")}
    try:
        yield worlds
    finally:
        for world in worlds.values():
            world.close()
        cluster.up()


def lead(cluster: Cluster, hostname: str, plane: str) -> None:
    """Have DNS lead a hostname to a plane, as its owner does after a move."""
    address = cluster.env[f"CLUSTER_HTTP_{plane.upper()}"].partition(":")[0]
    cluster.tell_dns("add-a", hostname, addresses=[address])


def served_by(cluster: Cluster, both: dict[str, World], plane: str) -> Domain:
    """A Domain of an App `shop` with a certificate, on a plane."""
    world = both[plane]
    namespace = world.shop()
    world.app(namespace, automatic=True, ingressClassName=plane)
    hostname = world.hostname()
    lead(cluster, hostname, plane)
    www = world.domain(namespace, hostname=hostname)
    world.wait_issued(www)
    assert world.status(www)["ingressClassName"] == plane
    return www


def has_moved(both: dict[str, World], www: Domain, old: str, new: str) -> bool:
    """Whether the status names the new class and nothing of the old one's is left."""
    is_named = both[new].status(www).get("ingressClassName") == new
    of_old = {name for name in both[old].routes(www.namespace) if name.endswith(suffix(old))}
    return is_named and not of_old


def suffix(plane: str) -> tuple[str, ...]:
    """What the names of a plane's routes of one host end with."""
    return {"traefik": ("-https", "-http", "-challenge", "-redirect"), "contour": ("-contour",)}[plane]


def test_apps_on_both_classes_at_once(cluster: Cluster, both: dict[str, World]) -> None:
    hosts = {plane: served_by(cluster, both, plane) for plane in both}
    for plane, www in hosts.items():
        other = next(world for name, world in both.items() if name != plane)
        assert both[plane].https_get(www.hostname).backend == "shop"
        assert not other.is_served(www.hostname)
        assert both[plane].status(www)["dns"]["target"] == both[plane].platform.https[0]


@pytest.mark.parametrize(("old", "new"), [("traefik", "contour"), ("contour", "traefik")])
def test_an_app_moves_and_nobody_is_left_without_an_answer(
    cluster: Cluster, both: dict[str, World], old: str, new: str
) -> None:
    www = served_by(cluster, both, old)
    number = serial(both[old].status(www))
    with Stream(both[old], www.hostname) as before, Stream(both[new], www.hostname) as after:
        both[old].until(lambda: len(before.requests) > 10, "the stream runs")
        both[old].app(www.namespace, automatic=True, ingressClassName=new)
        both[new].until(lambda: has_moved(both, www, old, new), "the move is done")
        enough = len(after.requests) + 30
        both[new].until(lambda: len(after.requests) > enough, "requests go on")
    first = next(request.began for request in after.requests if not request.problem)
    assert [request for request in after.requests if request.problem and request.began >= first] == []
    # At the old address there is no gap before the new one answers.
    assert [request for request in before.requests if request.problem and request.began < first] == []
    lead(cluster, www.hostname, new)
    assert serial(both[new].wait_issued(www)) == number

    # And back.
    both[new].app(www.namespace, automatic=True, ingressClassName=old)
    both[old].until(lambda: has_moved(both, www, new, old), "it is back")
    assert serial(both[old].wait_issued(www)) == number


def test_a_move_goes_on_after_the_operator_was_killed_in_the_middle(cluster: Cluster, both: dict[str, World]) -> None:
    old, new = both["traefik"], both["contour"]
    www = served_by(cluster, both, "traefik")
    number = serial(old.status(www))
    new.app(www.namespace, automatic=True, ingressClassName="contour")
    new.until(lambda: any("httpproxy" in name for name in new.routes(www.namespace)), "the move has begun")
    cluster.kill("certward-0")
    assert old.https_get(www.hostname).backend == "shop" or new.https_get(www.hostname).backend == "shop"
    cluster.up(ingress=BOTH, patch=PATCH)
    new.until(lambda: has_moved(both, www, "traefik", "contour"), "the move is done")
    assert serial(new.wait_issued(www)) == number


@pytest.mark.parametrize(
    ("class_name", "words"),
    [
        pytest.param("nobody", "There is no ingress class nobody", id="class that does not exist"),
        pytest.param("edge", "There is no Gateway default/nobody", id="Gateway that does not exist"),
    ],
)
def test_a_move_to_a_class_that_is_not_there_keeps_the_old_one(
    cluster: Cluster, both: dict[str, World], class_name: str, words: str
) -> None:
    world = both["traefik"]
    www = served_by(cluster, both, "traefik")
    world.app(www.namespace, automatic=True, ingressClassName=class_name)

    def said() -> str:
        return condition(world.get("app", www.namespace, "shop")["status"], "Ready", field="message")

    world.until(lambda: words in said(), "the App says why")
    world.until(lambda: words in world.status(www)["message"], "so does the Domain")
    assert world.status(www)["state"] == "CertIssued"
    assert world.status(www)["ingressClassName"] == "traefik"
    assert world.https_get(www.hostname).backend == "shop"
    world.app(www.namespace, automatic=True, ingressClassName="traefik")
    world.wait_issued(www)


def test_a_class_whose_definitions_are_not_installed(cluster: Cluster, both: dict[str, World]) -> None:
    world = both["traefik"]
    other = served_by(cluster, both, "traefik")
    cluster.up(ingress="traefik", patch=PATCH)
    world.kubectl("delete", "crd", "httpproxies.projectcontour.io", "--ignore-not-found")
    try:
        namespace = world.shop()
        world.app(namespace, automatic=True, ingressClassName="late")
        www = world.domain(namespace)
        status = world.until(
            lambda: now if "HTTPProxy" in (now := world.status(www)).get("message", "") else None, "it says so"
        )
        print(json.dumps(status["message"]))
        assert condition(status, "Ready") == "False"
        number = serial(world.status(other))
        world.annotate("domain", other.namespace, other.name, "certward.dev/refresh=now")
        world.wait_issued(other, not_serial=number)
    finally:
        cluster.up(ingress=BOTH, patch=PATCH)


def test_a_second_root_for_the_host_is_told_in_contours_words(cluster: Cluster, both: dict[str, World]) -> None:
    world = both["contour"]
    elsewhere = world.shop()
    hostname = world.hostname()
    lead(cluster, hostname, "contour")
    foreign = world.plane.foreign["HTTPProxy"]
    world.backend(elsewhere, "intruder")
    world.apply(foreign.make(elsewhere, hostname, {}))
    namespace = world.shop()
    world.app(namespace, automatic=True, ingressClassName="contour")
    www = world.domain(namespace, hostname=hostname)
    status = world.until(
        lambda: now if foreign.words in json.dumps(now := world.status(www)) else None, "Contour is quoted", 40
    )
    print(f"\n{status['message']}")
    assert f"{elsewhere}/intruder" in json.dumps(status)
    assert condition(status, "Ready") == "False"
    world.delete("httpproxy", elsewhere, "intruder")
    world.wait_issued(www, timeout=60)


def of_dialect(world: World, www: Domain) -> set[str]:
    """What a host's routes end with, by which the dialect is told that has made them."""
    return {name.rpartition("-")[2] for name in world.routes(www.namespace)}


def test_a_class_that_is_found_to_be_another_controllers_keeps_nothing_of_the_former(
    cluster: Cluster, both: dict[str, World]
) -> None:
    world = both["traefik"]
    taken_for = {"traefik": {"dialect": "generic"}, **NOWHERE}
    try:
        cluster.up(ingress=BOTH, patch={"ingress": {"classes": taken_for}})
        www = served_by(cluster, both, "traefik")
        assert of_dialect(world, www) == {"generic"}
        number = serial(world.status(www))
    finally:
        cluster.up(ingress=BOTH, patch=PATCH)
    with Stream(world, www.hostname) as stream:
        world.until(lambda: "https" in of_dialect(world, www), "it is routed as Traefik's own dialect has it")
        world.until(lambda: "generic" not in of_dialect(world, www), "nothing of the former is left")
        enough = len(stream.requests) + 30
        world.until(lambda: len(stream.requests) > enough, "requests go on")
    # A standard Ingress alone is not answered over HTTPS by this Traefik; from when it is on, there is no gap.
    first = next(request.began for request in stream.requests if not request.problem)
    assert [request for request in stream.requests if request.problem and request.began >= first] == []
    assert serial(world.wait_issued(www)) == number


def test_a_move_together_with_ranges_that_the_new_class_does_not_keep_leaves_nothing_open(
    cluster: Cluster, both: dict[str, World]
) -> None:
    world = both["traefik"]
    www = served_by(cluster, both, "traefik")
    world.app(www.namespace, automatic=True, ingressClassName="plain", network={"trustedRanges": ["192.0.2.0/24"]})
    world.until(lambda: world.status(www)["reason"] == "ChallengeUnreachable", "the Domain says why")
    assert world.routes(www.namespace) == set()
    assert not world.is_served(www.hostname)
