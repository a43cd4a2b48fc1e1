"""The churn itself: operations chosen by a seeded generator, at a bounded rate, each followed until it has settled."""

import http.client
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from cluster import served
from cluster.handle import Cluster
from cluster.proofs import condition
from scale.declared import OneApp, OneDomain
from scale.population import Population
from scale.watching import Body

#: How often each is chosen, of 100. The last two are worth a dozen Domains and more.
MIX = {"create or delete": 44, "renew": 26, "routes": 8, "policy": 6, "automatic": 8, "app": 6, "namespace": 2}
#: Domains created, deleted or asked anew in a second; what changes none of them counts as one.
RATE = 2.0
#: So far the number of Domains goes from what it began with, where single ones come and go.
_SWING = 20
#: So long automatic certificates stay off, in seconds.
_OFF_SECONDS = 8.0
_PATIENCE = 2.0


class Churning:
    """For one thread, which calls `step` and `follow` again and again.

    Attributes:
        done: how often each operation was done.
        moved: how many Domains were created, deleted or asked anew.
        times: by cause, the seconds until a Domain was seen to have followed; as exact as `follow` is called often.
        failures: what has not followed within the bound, with names.

    Args:
        cluster: where.
        population: what is there already.
        rng: chooses.
        bound: so long a Domain may take to be as declared after the last change that concerns it, or to be gone.
    """

    def __init__(self, cluster: Cluster, population: Population, rng: random.Random, bound: float) -> None:
        self._population, self._rng, self._bound = population, rng, bound
        env = cluster.env
        self._address, self._trust = env["CLUSTER_HTTPS"], served.trusting(Path(env["CLUSTER_CA"]))
        self._target = len(population.domains)
        self._next_at = time.monotonic()
        self._going: dict[tuple[str, str], float] = {}
        self._off: dict[OneApp, float] = {}
        self.done: Counter[str] = Counter()
        self.moved = 0
        self.times: defaultdict[str, list[float]] = defaultdict(list)
        self.failures: list[str] = []

    @property
    def unsettled(self) -> int:
        """How many Domains have not followed yet, those that are going included."""
        return sum(not domain.is_settled for domain in self._population.domains) + len(self._going)

    @property
    def late(self) -> int:
        """How many of them are failures already."""
        return sum(domain.is_late for domain in self._population.domains)

    def step(self) -> None:
        """Do the next operation if it is its time; the next one comes later the more this one was."""
        now = time.monotonic()
        for app, at in list(self._off.items()):
            if now >= at:
                del self._off[app]
                if app in self._population.apps:
                    self._population.set_automatic(app, is_on=True)
                    self.done["automatic on"] += 1
        if now >= self._next_at:
            moved = self._operate()
            self.moved += moved
            # From when it was due, so that the rate is kept; what was missed for longer than a second is not made up.
            self._next_at = max(self._next_at, now - 1.0) + max(moved, 1) / RATE

    def finish(self) -> None:
        """Turn on what is off; nothing more is chosen afterwards."""
        for app in list(self._off):
            self._off[app] = 0.0
        self._next_at = float("inf")
        self.step()

    def follow(self) -> None:
        """See which Domains are as declared by now, and which are late."""
        bodies = self._population.bodies()
        now = time.monotonic()
        for key, since in list(self._going.items()):
            if key not in bodies:
                self.times["delete"].append(now - since)
                del self._going[key]
            elif now - since > self._bound:
                self._fail(f"{'/'.join(key)} is still there {self._bound:g} s after it was deleted")
                del self._going[key]
        for domain in self._population.domains:
            if not domain.is_settled:
                self._look(domain, bodies.get(domain.key, {}), now)

    def _look(self, domain: OneDomain, body: Body, now: float) -> None:
        problem = told(domain, body) or self._shown(domain)
        if not problem:
            domain.is_settled = True
            self.times[domain.cause].append(now - domain.changed_at)
        elif now - domain.changed_at > self._bound and not domain.is_late:
            domain.is_late = True
            self._fail(f"{'/'.join(domain.key)}, {self._bound:g} s after {domain.cause}: {problem}")

    def _fail(self, words: str) -> None:
        self.failures.append(words)

    def _shown(self, domain: OneDomain) -> str:
        """What is wrong with what the ingress shows; empty where it is the certificate and the Service declared."""
        app = domain.app
        try:
            answer = served.fetch(self._address, domain.hostname, "/api/x", trust=self._trust, timeout=_PATIENCE)
            backend = answer.json().get("backend") if answer.status == http.HTTPStatus.OK else answer.status
        except (OSError, ValueError, http.client.HTTPException) as error:
            return f"a GET fails: {error}"
        shown = sha256(answer.leaf.public_bytes(Encoding.DER)).hexdigest() if answer.leaf else ""
        if shown != domain.fingerprint:
            return f"the ingress shows {shown[:16]}, the status says {domain.fingerprint[:16]}"
        wanted = app.behind_api or app.service
        return "" if backend == wanted else f"{backend} answers for the path /api and not {wanted}"

    def _operate(self) -> int:
        kind = self._rng.choices(list(MIX), weights=list(MIX.values()))[0]
        name, do = self._chosen(kind)
        self.done[name] += 1
        return do()

    def _chosen(self, kind: str) -> tuple[str, Callable[[], int]]:
        """An operation of a kind, or another one where there is nothing now that it could be done to."""
        people, rng = self._population, self._rng
        free = [app for app in people.apps if app.is_automatic]
        settled = [domain for app in free for domain in app.domains if domain.is_settled]
        if kind == "renew" and settled:
            return "renew", lambda: people.refresh(rng.choice(settled))
        if kind == "routes":
            return "routes", lambda: people.set_routes(rng.choice(free))
        if kind == "policy":
            return "policy", lambda: people.set_policy(rng.choice(people.places))
        calm = [app for app in free if app.domains and app.is_settled]
        if kind == "automatic" and calm:
            return "automatic off", lambda: self._turn_off(rng.choice(calm))
        if kind == "app":
            return "app", lambda: self._replace_app(rng.choice(free))
        if kind == "namespace":
            return "namespace", self._replace_place
        grown = len(people.domains) - self._target
        if settled and rng.random() < 0.5 + grown / (2 * _SWING):
            return "delete", lambda: self._drop(rng.choice(settled))
        return "create", lambda: people.add_domain(min(rng.sample(free, 2), key=lambda app: len(app.domains)))

    def _turn_off(self, app: OneApp) -> int:
        self._off[app] = time.monotonic() + _OFF_SECONDS
        return self._population.set_automatic(app, is_on=False)

    def _drop(self, domain: OneDomain) -> int:
        count = self._population.drop_domain(domain)
        self._goes([domain])
        return count

    def _replace_app(self, app: OneApp) -> int:
        going = list(app.domains)
        count = self._population.drop_app(app)
        self._goes(going)
        return count + self._population.add_app(app.place)

    def _replace_place(self) -> int:
        place = self._rng.choice(self._population.places)
        self._goes([domain for app in place.apps for domain in app.domains])
        return self._population.drop_place(place) + self._population.add_place()

    def _goes(self, domains: list[OneDomain]) -> None:
        self._going |= dict.fromkeys((domain.key for domain in domains), time.monotonic())


def told(domain: OneDomain, body: Body) -> str:
    """What a Domain's status lacks of what is declared; empty where it says so. Its certificate is taken note of."""
    status = body.get("status") or {}
    words = " ".join(filter(None, (status.get("state", "no status"), status.get("reason"), status.get("message"))))
    fingerprint = (status.get("certificate") or {}).get("fingerprintSHA256") or ""
    reason = "" if domain.app.is_automatic else "AutomaticDisabled"
    profile, revision = domain.app.place.profile
    enforced = condition(body, "PolicyEnforced")
    if not fingerprint or condition(body, "Ready").get("status") != "True":
        return f"not Ready: {words}"
    if fingerprint == domain.before:
        return f"the certificate is still the one before: {words}"
    if status.get("state") != "CertIssued" or (status.get("reason") or "") != reason:
        return words
    is_said = f"profile {profile} of revision {revision}" in enforced.get("message", "")
    if enforced.get("status") != "True" or not is_said:
        return f"profile {profile} of {revision} is not enforced: {enforced.get('message')}"
    domain.fingerprint = fingerprint
    return ""
