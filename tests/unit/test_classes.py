"""What is remembered of ingress classes: those that there are, and of names that lead to nothing only so many."""

from typing import Any

import pytest

from builders import app
from certward.config import Config
from certward.errors import Blocked
from certward.runtime import classes
from certward.runtime.classes import Classes

TRAEFIK = {"metadata": {"name": "traefik"}, "spec": {"controller": "traefik.io/ingress-controller"}}


class Cluster:
    """Has one class, and counts how often it is asked for one."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def get(self, kind: str, _namespace: str, name: str) -> dict[str, object] | None:
        self.asked.append(name)
        return TRAEFIK if (kind, name) == ("IngressClass", "traefik") else None

    def list(self, *_: object, **__: object) -> list[dict[str, object]]:
        return []


def test_names_that_tenants_make_up_are_not_remembered_for_ever():
    cluster: Any = Cluster()
    known = Classes(Config(), cluster)
    assert known.of(app(ingress_class="traefik")).dialect.name == "traefik"
    for number in range(3 * classes._MOST_NAMES):
        with pytest.raises(Blocked):
            known.of(app(ingress_class=f"made-up-{number}"))
    assert len(known._known) <= classes._MOST_NAMES
    before = len(cluster.asked)
    known.of(app(ingress_class="traefik"))
    with pytest.raises(Blocked):
        known.of(app(ingress_class=f"made-up-{number}"))
    assert len(cluster.asked) == before, "the one that there is, and the last ones, are known"
