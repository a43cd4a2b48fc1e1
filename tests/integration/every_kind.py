"""A cluster that knows the kinds of all ingress controllers, whichever of them runs."""

from collections.abc import Iterator
from contextlib import contextmanager

from cluster import dataplanes
from cluster.handle import Cluster

PLANES = ("traefik", "contour", "envoy-gateway")


@contextmanager
def known(cluster: Cluster) -> Iterator[None]:
    """Have the definitions of all of them; those that were not there go again."""
    before = set(cluster.kubectl("get", "crd", "-o", "name").split())
    for plane in PLANES:
        for file in next(iter(dataplanes.chosen(plane))).files:
            cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(file()))
    added = set(cluster.kubectl("get", "crd", "-o", "name").split()) - before
    cluster.until_served(*(name.rpartition("/")[2] for name in added))
    yield
    if added:
        cluster.kubectl("delete", "--wait=false", *added)
