"""The Secrets of certificates as a watch shows them: whether each that held a good certificate always does."""

import threading
import time
from base64 import b64decode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import urllib3
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from kubernetes import client, config, watch

from chaos.keys import Keys
from cluster.handle import Cluster
from integration.observer import spki

Body = dict[str, Any]
_ERRORS = (client.ApiException, urllib3.exceptions.HTTPError, OSError)
#: Seconds that one connection of the watch lasts at most; an expired certificate is noticed as late.
_CONNECTION = 2


@dataclass
class Gap:
    """A time in which a Secret that had held a good certificate did not; `ended` is None as long as it lasts."""

    subject: str
    words: str
    begun: float
    ended: float | None = None


@dataclass
class _Held:
    leaf: x509.Certificate | None = None
    gap: Gap | None = None
    was_good: bool = False
    uid: str = ""


class SecretsSeen:
    """Follows all Secrets of the given namespaces from `start` to `stop`.

    Args:
        cluster: where.
        hostnames: Secret as namespace/name -> the hostname that its certificate is for; may grow.
        authorities: the CA's roots and intermediates.
        keys: learns all keys.

    Attributes:
        gaps: what was missing, and when.
        wrong: keys that somebody else has, or that were used twice.
        certificates: how many different ones were seen.
    """

    def __init__(
        self, cluster: Cluster, hostnames: Mapping[str, str], authorities: list[x509.Certificate], keys: Keys
    ) -> None:
        # Without retries: urllib3 would wait for as long as an API server that begins says (Retry-After, up to 30 s a
        # time), and what happens meanwhile would not be seen.
        settings = client.Configuration()
        settings.retries = False
        config.load_kube_config(str(cluster.state.admin_kubeconfig), client_configuration=settings)
        self._core = client.CoreV1Api(client.ApiClient(settings))
        self._hostnames, self._authorities, self._keys = hostnames, authorities, keys
        self._held: dict[str, _Held] = {}
        self._retired: dict[str, str] = {}
        self._version = ""
        self._stop, self._lock = threading.Event(), threading.RLock()
        self._thread = threading.Thread(target=self._run, name="secrets", daemon=True)
        self._serials: set[int] = set()
        self.gaps: list[Gap] = []
        self.wrong: list[str] = []

    @property
    def certificates(self) -> int:
        """How many different certificates were seen."""
        return len(self._serials)

    def start(self) -> None:
        """List, and begin to follow."""
        self._list()
        self._thread.start()

    def stop(self) -> None:
        """End it."""
        self._stop.set()
        self._thread.join(_CONNECTION + 10)

    def is_good(self, subject: str) -> bool:
        """Whether a Secret holds a good certificate now."""
        with self._lock:
            held = self._held.get(subject)
            return held is not None and held.leaf is not None and held.gap is None

    def serial(self, subject: str) -> int:
        """The serial number of the certificate in a Secret; 0 where there is none."""
        with self._lock:
            held = self._held.get(subject)
            return held.leaf.serial_number if held and held.leaf else 0

    def retire(self, subject: str) -> None:
        """A Secret goes with its Domain, perhaps a minute later; what comes then under its name is another one."""
        with self._lock:
            held = self._held.pop(subject, None)
            if held is not None:
                self._retired[subject] = held.uid

    def expect(self, subject: str) -> None:
        """A Domain has come that may take over the Secret of a former one of its name."""
        with self._lock:
            self._retired.pop(subject, None)

    def _list(self) -> None:
        found = self._core.list_secret_for_all_namespaces(_request_timeout=10)
        self._version = found.metadata.resource_version
        there = {f"{one.metadata.namespace}/{one.metadata.name}" for one in found.items}
        for one in found.items:
            self._see(f"{one.metadata.namespace}/{one.metadata.name}", one.data, one.metadata.uid)
        for subject in set(self._held) - there:
            self._see(subject, None)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._follow()
            except _ERRORS:
                self._stop.wait(0.2)
                with suppress(*_ERRORS):
                    self._list()
            self._look_at_dates()

    def _follow(self) -> None:
        events = watch.Watch().stream(
            self._core.list_secret_for_all_namespaces,
            resource_version=self._version,
            timeout_seconds=_CONNECTION,
            allow_watch_bookmarks=True,
            _request_timeout=10,
        )
        for event in events:
            raw = event["raw_object"]
            self._version = raw["metadata"]["resourceVersion"]
            if event["type"] in ("ADDED", "MODIFIED", "DELETED"):
                subject = f"{raw['metadata']['namespace']}/{raw['metadata']['name']}"
                self._see(subject, None if event["type"] == "DELETED" else raw.get("data"), raw["metadata"]["uid"])

    def _see(self, subject: str, data: Mapping[str, str] | None, uid: str = "") -> None:
        hostname = self._hostnames.get(subject)
        if hostname is None or (uid and uid == self._retired.get(subject)):
            return
        with self._lock:
            held = self._held.setdefault(subject, _Held())
            held.uid = uid or held.uid
            try:
                held.leaf = self._good(hostname, data)
            except (ValueError, KeyError, InvalidSignature) as problem:
                held.leaf = None
                self._missing(subject, held, str(problem) or repr(problem))
                return
            held.was_good = True
            self._serials.add(held.leaf.serial_number)
            if held.gap is not None:
                held.gap.ended, held.gap = time.time(), None
            if wrong := self._keys.certificate(hostname, held.leaf):
                self.wrong.append(wrong)

    def _good(self, hostname: str, data: Mapping[str, str] | None) -> x509.Certificate:
        """The certificate, if there is one, it is the CA's, for this host, in its dates, and its key is there."""
        if data is None:
            raise ValueError("the Secret is gone")
        leaf = x509.load_pem_x509_certificate(b64decode(data["tls.crt"]))
        pem = b64decode(data["tls.key"])
        if spki(leaf.public_key()) != spki(serialization.load_pem_private_key(pem, None).public_key()):
            raise ValueError("its key is not the certificate's")
        self._keys.private(pem)
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        if hostname not in names.get_values_for_type(x509.DNSName):
            raise ValueError("its certificate is for another host")
        issuer = next((one for one in self._authorities if one.subject == leaf.issuer), None)
        if issuer is None:
            raise ValueError("its certificate is not the CA's")
        leaf.verify_directly_issued_by(issuer)
        if leaf.not_valid_after_utc.timestamp() <= time.time():
            raise ValueError("its certificate has expired")
        return leaf

    def _missing(self, subject: str, held: _Held, words: str) -> None:
        if held.was_good and held.gap is None:
            held.gap = Gap(subject, words, time.time())
            self.gaps.append(held.gap)

    def _look_at_dates(self) -> None:
        with self._lock:
            for subject, held in self._held.items():
                if held.leaf is not None and held.leaf.not_valid_after_utc.timestamp() <= time.time():
                    held.leaf = None
                    self._missing(subject, held, "its certificate has expired")


def authorities_in(pem: str) -> list[x509.Certificate]:
    """The certificates in a text."""
    return x509.load_pem_x509_certificates(pem.encode())
