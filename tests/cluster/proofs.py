"""The demo's proofs: what a client sees, held against what the cluster says."""

import base64
import contextlib
import json
import time
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from kubernetes import client

from cluster import served
from cluster.handle import Cluster
from cluster.waiting import NotInTime, wait_for


class Proofs:
    """Each method returns what it saw, and raises, mostly ValueError, when that is not as it should be.

    `app` is the name of the App and of its Service, in `namespace`.
    """

    def __init__(self, cluster: Cluster, namespace: str, app: str) -> None:
        self._env = cluster.env
        self._namespace, self._app = namespace, app
        self._core = client.CoreV1Api(cluster.api)
        self._custom = client.CustomObjectsApi(cluster.api)
        self._trust = served.trusting(Path(self._env["CLUSTER_CA"]))
        self._known = served.authorities(Path(self._env["CLUSTER_CA"]))

    def get(self, plural: str, name: str) -> dict[str, Any]:
        """Return an object of the product's own kinds."""
        found: dict[str, Any] = self._custom.get_namespaced_custom_object(
            "certward.dev", "v1alpha1", self._namespace, plural, name
        )
        return found

    def ready(self, name: str) -> str:
        """What the status of a Domain says that is Ready."""
        domain = self.get("domains", name)
        status, told = domain.get("status") or {}, condition(domain, "Ready")
        if told.get("status") != "True":
            reason = f"state {status.get('state', '(none)')}, reason {status.get('reason') or '(none)'}"
            raise ValueError(f"{reason}: {status.get('message') or told.get('message') or '(no message)'}")
        return f"{status['state']}; {told.get('message', '')}"

    def _leaf(self, hostname: str) -> x509.Certificate:
        leaf = served.fetch(self._env["CLUSTER_HTTPS"], hostname, trust=self._trust).leaf
        assert leaf is not None
        return leaf

    def chain(self, hostname: str) -> str:
        """What the served certificate says, once its chain is verified up to a root of the CA."""
        leaf = self._leaf(hostname)
        chain = served.chain_of(leaf, self._known)
        names = served.names_of(leaf)
        if hostname not in names:
            raise ValueError(f"it is for {', '.join(names)}")
        lines = {
            "names": ", ".join(names),
            "key": served.key_type_of(leaf),
            "serial": f"{leaf.serial_number:x}",
            "validity": f"{leaf.not_valid_before_utc:%Y-%m-%d %H:%M} to {leaf.not_valid_after_utc:%Y-%m-%d %H:%M} UTC",
            "issuer": ", signed by ".join(above.subject.rfc4514_string() for above in chain[1:]),
        }
        return "\n".join(f"{key:9} {value}" for key, value in lines.items())

    def application(self, hostname: str) -> str:
        """The application's own answer over HTTPS."""
        answer = served.fetch(self._env["CLUSTER_HTTPS"], hostname, "/hello", trust=self._trust)
        seen = f"GET https://{hostname}/hello over {answer.version}: {answer.status} {answer.body[:300]!r}"
        if answer.status != 200:
            raise ValueError(seen)
        told = answer.json()
        if (told.get("backend"), told.get("host"), told.get("path")) != (self._app, hostname, "/hello"):
            raise ValueError(seen)
        short = {key: told[key] for key in ("backend", "host", "path", "says")}
        return f"GET https://{hostname}/hello over {answer.version}: {answer.status} {json.dumps(short)}"

    def secret(self, name: str, hostname: str) -> str:
        """The fingerprint that Secret, handshake and status agree on."""
        secret = self._core.read_namespaced_secret(f"{name}-tls", self._namespace)
        kept = x509.load_pem_x509_certificate(base64.b64decode(secret.data["tls.crt"])).fingerprint(hashes.SHA256())
        shown = self._leaf(hostname).fingerprint(hashes.SHA256())
        told = self.get("domains", name)["status"].get("certificate", {}).get("fingerprintSHA256", "(nothing)")
        if len({kept.hex(), shown.hex(), told}) != 1:
            raise ValueError(f"SHA-256 in the Secret {kept.hex()}, served {shown.hex()}, in the status {told}")
        return f"SHA-256 {shown.hex()}, the same in the status"

    def redirect(self, hostname: str) -> str:
        """Where plain HTTP is sent."""

        def seen() -> served.Answer | None:
            nonlocal last
            last = served.fetch(self._env["CLUSTER_HTTP"], hostname, "/hello")
            target = last.headers.get("location", "")
            is_redirect = last.status in (301, 308) and target == f"https://{hostname}/hello"
            return last if is_redirect else None

        last: served.Answer | None = None
        try:
            wait_for(seen, 10, "the redirect")
        except NotInTime:
            told = f"{last.status}, Location {last.headers.get('location', '(none)')}" if last else "no answer"
            raise ValueError(f"GET http://{hostname}/hello: {told}") from None
        assert last is not None
        return f"GET http://{hostname}/hello: {last.status}, Location {last.headers['location']}"

    def policy_has_status(self, name: str) -> bool:
        """Tell whether the operator says anything of a TLSPolicy; it gets a moment for that."""
        with contextlib.suppress(NotInTime):
            return wait_for(lambda: bool(self._policy_conditions(name)), 2, "a status of the TLSPolicy")
        return False

    def policy(self, name: str) -> str:
        """What the conditions of a TLSPolicy say, once Accepted and Enforced are True."""

        def words() -> str:
            return "\n".join(
                f"{each['type']}={each['status']} ({each.get('reason', '')}): {each.get('message', '')}"
                for each in self._policy_conditions(name)
            )

        def holds() -> bool:
            states = {each["type"]: each["status"] for each in self._policy_conditions(name)}
            return states.get("Accepted") == states.get("Enforced") == "True"

        try:
            wait_for(holds, 30, "the enforcement")
        except NotInTime:
            raise ValueError(words()) from None
        return words()

    def _policy_conditions(self, name: str) -> list[dict[str, Any]]:
        return (self.get("tlspolicies", name).get("status") or {}).get("conditions") or []

    def versions(self, hostname: str) -> str:
        """What became of each version, offered alone; those from minVersion to maxVersion of the App are promised."""
        self._leaf(hostname)  # else it would be the ingress's own default host that is looked at
        limit = time.monotonic() + 15  # an ingress may take a moment to follow a policy
        while True:
            tls = self.get("apps", self._app).get("status", {}).get("tls", {})
            first, last = tls.get("minVersion"), tls.get("maxVersion")
            if first not in served.VERSIONS or last not in served.VERSIONS:
                raise ValueError(f"the App's status.tls has no versions: {tls}")
            promised = served.VERSIONS[served.VERSIONS.index(first) : served.VERSIONS.index(last) + 1]
            offers = {each: served.offer(self._env["CLUSTER_HTTPS"], hostname, each) for each in served.VERSIONS}
            words = {True: "accepted", False: "refused", None: "cannot tell"}
            told = "\n".join(f"{each}  {words[offer.accepted]:8}  {offer.seen}" for each, offer in offers.items())
            if all(offer.accepted is (each in promised) for each, offer in offers.items()):
                return told
            if time.monotonic() > limit:
                raise ValueError(f"{told}\npromised: {', '.join(promised)}")
            time.sleep(0.5)


def condition(body: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return an object's condition of that type; empty when it has none."""
    conditions = (body.get("status") or {}).get("conditions") or []
    return next((each for each in conditions if each["type"] == kind), {})
