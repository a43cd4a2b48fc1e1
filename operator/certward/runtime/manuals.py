"""The certificates that Apps name in spec.certificates.manual: read, never written; and whom else they concern."""

import threading
from datetime import datetime

from certward.errors import Blocked
from certward.kube.cache import Cache
from certward.kube.client import Client, Object
from certward.model import pki
from certward.model.keys import CertificateProblem
from certward.model.pki import CertificateFacts
from certward.model.resources import App, Domain, key_of
from certward.plan.checks import SecretState
from certward.plan.manual import Manual, ManualSecret, covers
from certward.runtime.classes import Classes
from certward.runtime.secret_state import decode
from certward.runtime.secrets import Secrets

_TYPE = "kubernetes.io/tls"

#: So many Secrets are remembered at most: no watch tells when one is gone that nobody names any more.
_REMEMBERED = 16_384


class Manuals:
    """Reads them. Remembers what it found in one by its resourceVersion, without the key. For many threads."""

    def __init__(self, client: Client, cache: Cache, secrets: Secrets, classes: Classes, roots_pem: bytes) -> None:
        self._client = client
        self._cache = cache
        self._secrets = secrets
        self._classes = classes
        self._roots_pem = roots_pem
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], tuple[str, ManualSecret]] = {}

    def of(self, domain: Domain, app: App, automatic: SecretState, now: datetime) -> tuple[Manual, ...]:
        """What each of an App's manual certificates is to one of its Domains.

        Args:
            domain: the Domain.
            app: its App.
            automatic: what its own Secret holds.
            now: aware UTC datetime.

        Raises:
            OperatorError: the API server could not or would not answer.
        """
        try:
            has_one_store = self._classes.of(app).dialect.has_one_store
        except Blocked:
            has_one_store = False  # nothing is routed, as the App's status says
        found = []
        for name in app.manual_secrets:
            secret = self._read(domain.meta.namespace, name, now)
            facts = secret.facts
            if facts is None or not covers(facts, domain.hostname):
                found.append(Manual(secret))
                continue
            found.append(
                Manual(
                    secret,
                    intrudes_on=self._intrudes_on(domain, secret, facts),
                    collides_with=self._collides_with(domain, name) if has_one_store else "",
                    taken_from=self._taken_from(domain, secret, facts) if has_one_store else "",
                    awaited=self._awaited(domain, name, now) if has_one_store and automatic.facts else "",
                )
            )
        return tuple(found)

    def served_with(self, domain: Domain, secret: str) -> list[Domain]:
        """The other Domains of the namespace that are served with a Secret."""
        return [d for d in self._cache.served_with(domain.meta.namespace, secret) if key_of(d) != key_of(domain)]

    def _intrudes_on(self, domain: Domain, secret: ManualSecret, facts: CertificateFacts) -> str:
        """A Domain of another namespace for whose hostname it is, too, as "namespace/name".

        Where a CA has vouched for its names and it is served already, a newcomer does not take it away by claiming one
        of them. One that anybody can sign for any name gives way.
        """
        stays = secret.is_trusted and _served_secret(domain) == secret.name
        before = domain if stays else None
        return self._cache.owner_elsewhere(facts.hostnames, domain.meta.namespace, before=before)

    def _collides_with(self, domain: Domain, secret: str) -> str:
        """Whose Secret the ingress cannot tell from this one, as "namespace/name" of the Domain that had it first.

        The age of the Domains says nothing of that, as long as this one is not served with it: an old Domain could take
        the certificate of a younger one away by naming a Secret.
        """
        is_served = _served_secret(domain) == secret
        earlier = (
            one
            for one in self._cache.same_secret_id(domain, secret)
            if not is_served or one.meta.age_order < domain.meta.age_order
        )
        return min((f"{one.meta.namespace}/{one.meta.name}" for one in earlier), default="")

    def _taken_from(self, domain: Domain, secret: ManualSecret, facts: CertificateFacts) -> str:
        """A Domain that is served its automatic certificate, and means to be, for whose hostname this one is, too.

        Nobody is as long as this one is served with it already.
        """
        if _served_secret(domain) == secret.name:
            return ""
        for other in self._cache.covered_by(facts.hostnames, domain.meta.namespace):
            app = self._cache.app(domain.meta.namespace, other.app)
            if (
                key_of(other) != key_of(domain)
                and (other.status.get("certificate") or {}).get("source") == "Automatic"
                and app is not None
                and (app.is_automatic or secret.name not in app.manual_secrets)
            ):
                return other.meta.name
        return ""

    def _awaited(self, domain: Domain, secret: str, now: datetime) -> str:
        """The first Domain that is served with it and has no automatic certificate to go over to."""
        others = self.served_with(domain, secret)
        for other in others:  # what costs no request first: there may be thousands, and each asks about all of them
            app = self._cache.app(other.meta.namespace, other.app)
            if app is None or not app.is_automatic or not _says_issued(other):
                return other.meta.name
        for other in others:
            state = self._secrets.known(other) or self._secrets.state(other, now, self._roots_pem)
            if not state.is_managed or state.facts is None or state.facts.not_after <= now:
                return other.meta.name
        return ""

    def _read(self, namespace: str, name: str, now: datetime) -> ManualSecret:
        live = self._client.get("Secret", namespace, name)
        if live is None:
            with self._lock:
                self._known.pop((namespace, name), None)
            return ManualSecret(name)
        version = str(live["metadata"]["resourceVersion"])
        with self._lock:
            known = self._known.get((namespace, name))
        if known is None or known[0] != version:
            known = (version, _parse(live, self._roots_pem, now))
            with self._lock:
                if len(self._known) >= _REMEMBERED:
                    self._known.pop(next(iter(self._known)))  # the oldest; its App may be gone
                self._known[namespace, name] = known
        return known[1]


def _served_secret(domain: Domain) -> str:
    return str((domain.status.get("certificate") or {}).get("secretName") or "")


def _says_issued(domain: Domain) -> bool:
    """Whether its status says that its automatic certificate is there, be it served or not."""
    conditions = domain.status.get("conditions") or ()
    return any(c.get("type") == "CertificateIssued" and c.get("reason") == "Issued" for c in conditions)


def _parse(live: Object, roots_pem: bytes, now: datetime) -> ManualSecret:
    """What holds of it whoever is served with it, dates aside."""
    name = live["metadata"]["name"]
    if live.get("type") != _TYPE:
        return ManualSecret(name, exists=True, problem=f"Its type is {live.get('type')} and has to be {_TYPE}.")
    chain_pem = decode(live, "tls.crt")
    try:
        chain = pki.load_chain(chain_pem)
        facts = pki.facts_of(chain[0])
    except CertificateProblem as problem:
        return ManualSecret(name, exists=True, problem=str(problem))
    try:
        pki.check_pair(chain_pem, decode(live, "tls.key"), [], facts.not_before)
        is_trusted = bool(roots_pem) and pki.is_trusted(chain, roots_pem, max(now, facts.not_before))
    except CertificateProblem as problem:
        return ManualSecret(name, exists=True, facts=facts, problem=str(problem))
    return ManualSecret(name, exists=True, facts=facts, is_trusted=is_trusted)
