"""The operator with DNS-01: a name server, a resolver that leads to it, and a CA that asks that resolver."""

import base64
import json
import time
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from kubernetes import client

from cluster.handle import Cluster
from cluster.operator_process import NAMESPACE
from cluster.ports import Ports
from integration import observer
from integration.name_servers import NSUPDATE_KEY, Front, Knot, Primary
from integration.observer import Object
from integration.own_ca import OwnPebble

ZONE = "dns01.example.net"
SECRET, JOURNAL = "tsig", "certward-dns-records"


class DnsWorld:
    """`with DnsWorld(...) as world`; the operator is left with its default configuration.

    Args:
        cluster: whose operator it is.
        folder: for files and logs.
        kind: of the name server, `own` or `knot`.
        persist: DNS-PERSIST-01 is switched on.
        dns01: DNS-01 is configured.
    """

    def __init__(
        self, cluster: Cluster, folder: Path, *, kind: str = "own", persist: bool = False, dns01: bool = True
    ) -> None:
        self.cluster = cluster
        self._stack = ExitStack()
        self._persist, self._dns01 = persist, dns01
        self._issuer = f"ca-{folder.name}".lower().replace("_", "-")[:40].strip("-")
        self.primary = self._open(Knot(folder, ZONE) if kind == "knot" else Primary(ZONE))
        behind = "127.0.0.1", Ports(cluster.state.root / "ports.json").get("dns")
        self.front = self._open(Front(behind, {ZONE: self.primary.server}))
        self.pebble = OwnPebble(cluster, folder, self._issuer, resolver=self.front.server)

    def __enter__(self) -> Self:
        self._stack.enter_context(self.pebble)
        self.write_key(NSUPDATE_KEY)
        self.configure()
        return self

    def __exit__(self, *_: object) -> None:
        self.cluster.up()
        core = client.CoreV1Api(self.cluster.api)
        for name in (SECRET, f"certward-account-{self._issuer}"):
            core.delete_namespaced_secret(name, NAMESPACE)
        self._stack.close()

    def configure(self, **further: Any) -> None:
        """Run the operator with this world."""
        challenge: dict[str, Any] = {"dnsPersist01": True} if self._persist else {}
        if self._dns01:
            host, port = self.primary.server
            server = further.pop("server", f"{host}:{port}")
            ref = {"name": SECRET, "key": "key"}
            challenge["dns01"] = {"rfc2136": {"server": server, "zone": ZONE, "tsigSecretRef": ref}}
        host, port = self.front.server
        dns = {"resolvers": [f"{host}:{port}"], "target": "127.0.0.1", "preflight": "enforce"}
        self.cluster.up(patch={"issuers": [self.pebble.issuer()], "challenge": challenge, "dns": dns, **further})

    def write_key(self, text: str) -> None:
        """Put the TSIG key into its Secret."""
        manifest = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": SECRET, "namespace": NAMESPACE},
            "data": {"key": base64.b64encode(text.encode()).decode()},
        }
        self.cluster.kubectl("apply", "-f", "-", input=json.dumps(manifest))

    def shop(self) -> str:
        """A namespace with an App."""
        return observer.new_shop(self.cluster, "dns")

    def add(self, namespace: str, **hostnames: str | tuple[str, str]) -> None:
        """Add Domains: name=hostname, or with the name of its App beside it."""
        given = {name: (told, "shop") if isinstance(told, str) else told for name, told in hostnames.items()}
        observer.apply(
            self.cluster,
            namespace,
            *(
                {
                    "apiVersion": observer.API_VERSION,
                    "kind": "Domain",
                    "metadata": {"name": name},
                    "spec": {"hostname": hostname, "appRef": {"name": app}},
                }
                for name, (hostname, app) in given.items()
            ),
        )

    def refresh(self, namespace: str, name: str) -> None:
        """Have a Domain tried at once."""
        now = f"certward.dev/refresh={time.time()}"
        self.cluster.kubectl("-n", namespace, "annotate", "--overwrite", "domain", name, now)

    def settled(self, namespace: str, names: Iterable[str], timeout: float = 60) -> dict[str, Object]:
        """Wait until Domains are issued and served."""
        return observer.until_settled(self.cluster, namespace, names, timeout)

    def told(self, namespace: str, name: str, reason: str, timeout: float = 60) -> Object:
        """The status of a Domain once it gives this reason."""

        def status() -> Object:
            found = observer.status(observer.get(self.cluster, namespace, name))
            return found if found.get("reason") == reason else {}

        return self.cluster.wait_for(status, timeout, f"{reason} of {name}")

    def journal(self) -> list[Object]:
        """What the operator has written down of its records."""
        try:
            found = client.CoreV1Api(self.cluster.api).read_namespaced_config_map(JOURNAL, NAMESPACE)
        except client.ApiException as error:
            if error.status != 404:
                raise
            return []
        entries: list[Object] = json.loads((found.data or {}).get("records.json", "[]"))
        return entries

    def until_clean(self, name: str, timeout: float = 30) -> None:
        """Wait until nothing is left of a record, neither in the DNS nor in the journal."""

        def is_clean() -> bool:
            return not self.primary.txt(name) and all(entry["name"] != name for entry in self.journal())

        self.cluster.wait_for(is_clean, timeout, f"nothing is left at {name}")

    def _open(self, closable: Any) -> Any:
        self._stack.callback(closable.close)
        return closable
