"""Apps and Domains as they come together from hosts."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from certward.cli.importing import names
from certward.cli.importing.findings import IMPORTED, LABEL_IMPORTED, Body, Options, Sources, ref_of
from certward.cli.importing.hosts import Host
from certward.cli.importing.issuers import Issuers
from certward.cli.importing.reading import Reading
from certward.cli.importing.rules import Backend, Path
from certward.model import hostnames
from certward.names import API_VERSION

Manifest = dict[str, Any]

#: spec.certificates.manual of an App.
_MOST_SECRETS = 32


@dataclass(frozen=True, slots=True)
class Moved:
    """A host that is taken over.

    Attributes:
        host: as it was read.
        app: name of its App.
        domain: name of its Domain.
        can_be_automatic: whether the App's issuer is known to the operator and can prove the hostname.
    """

    host: Host
    app: str
    domain: str
    can_be_automatic: bool


class Work:
    """Apps and Domains as they come together."""

    def __init__(self, sources: Sources, options: Options, issuers: Issuers, reading: Reading) -> None:
        self._sources, self._options, self._reading = sources, options, reading
        self.issuers = issuers
        self.apps: list[Manifest] = []
        self.changes: list[tuple[str, str, tuple[str, ...]]] = []
        self.domains: list[Manifest] = []
        self.there: list[str] = []
        self.moved: list[Moved] = []
        self._groups: dict[str, list[Host]] = defaultdict(list)
        self._specs: dict[str, Manifest] = {}
        self._known = {
            (ref_of(body).namespace, str((body.get("spec") or {}).get("hostname"))): body for body in sources.domains
        }
        self._names: dict[str, set[str]] = defaultdict(set)
        for body in sources.domains:
            self._names[ref_of(body).namespace].add(ref_of(body).name)

    def look(self, host: Host) -> None:
        """Take a host in: it is there already, it stays, or it goes into an App."""
        known = self._known.get((host.namespace, host.hostname))
        if known is not None:
            app = str(((known.get("spec") or {}).get("appRef") or {}).get("name"))
            self.there.append(f"Domain {host.namespace}/{ref_of(known).name} ({host.hostname})")
            self._move(host, app, ref_of(known).name)
        elif not host.stays(self._options):
            spec = self._spec(host)
            key = repr((host.namespace, spec, hostnames.is_wildcard(host.hostname)))
            self._specs[key] = spec
            self._groups[key].append(host)

    def finish(self) -> None:
        """Make the Apps and Domains."""
        for key, members in self._groups.items():
            for part in _parts(members):
                self._make(self._specs[key], part)

    def _make(self, spec: Manifest, members: Sequence[Host]) -> None:
        namespace = members[0].namespace
        secrets = sorted({host.secret[1] for host in members if host.is_covered})
        app = self._same_app(namespace, spec)
        if app is not None:
            name = ref_of(app).name
            self.there.append(f"App {namespace}/{name}")
            manual = ((app.get("spec") or {}).get("certificates") or {}).get("manual") or ()
            missing = tuple(secret for secret in secrets if secret not in {one.get("secretName") for one in manual})
            if missing:
                self.changes.append((namespace, name, missing))
        else:
            taken = [
                ref_of(one).name for one in (*self._sources.apps, *self.apps) if ref_of(one).namespace == namespace
            ]
            name = names.app_name(members[0].rules[0].source.name, taken)
            certificates: Manifest = {**spec["certificates"]}
            if secrets:
                certificates["manual"] = [{"secretName": secret} for secret in secrets]
            self.apps.append(_manifest("App", namespace, name, {**spec, "certificates": certificates}))
        for host in members:
            domain = self._domain_name(host)
            self._names[namespace].add(domain)
            self.domains.append(
                _manifest("Domain", namespace, domain, {"hostname": host.hostname, "appRef": {"name": name}})
            )
            self._move(host, name, domain)

    def _move(self, host: Host, app: str, domain: str) -> None:
        can_be_automatic = bool(self._issuer(host)) and not hostnames.is_wildcard(host.hostname)
        self.moved.append(Moved(host, app, domain, can_be_automatic))

    def _issuer(self, host: Host) -> str:
        return self.issuers.names.get(host.wish.issuer, "") if host.wish.issuer else ""

    def _spec(self, host: Host) -> Manifest:
        """The App's spec, without the manual certificates."""
        main = next(path for path in host.paths if path.path == "/")
        certificates: Manifest = {"automatic": False}
        if issuer := self._issuer(host):
            certificates["issuer"] = issuer
            certificates["automatic"] = self._options.is_automatic and not hostnames.is_wildcard(host.hostname)
        if host.wish.key_type:
            certificates["keyType"] = host.wish.key_type
        spec: Manifest = {"service": _service(main.backend)}
        # A path that leads where everything else leads says nothing.
        if further := [_path(path) for path in host.paths if _says_something(path, host.paths)]:
            spec["paths"] = further
        spec["certificates"] = certificates
        if host.ranges:
            spec["network"] = {"trustedRanges": list(dict.fromkeys(host.ranges))}
        if host.class_name:
            spec["ingressClassName"] = host.class_name
        if not host.redirect:
            spec["httpsRedirect"] = False
        return spec

    def _same_app(self, namespace: str, spec: Manifest) -> Body | None:
        """An App that is there and says the same, whatever has been done about its certificates since."""
        wanted = _compared(spec)
        return next(
            (
                body
                for body in self._sources.apps
                if ref_of(body).namespace == namespace and _compared(body.get("spec") or {}) == wanted
            ),
            None,
        )

    def _domain_name(self, host: Host) -> str:
        named = self._reading.secrets_named(host.namespace)

        def is_free(name: str) -> bool:
            if name in self._names[host.namespace]:
                return False
            for secret in names.secrets_of(name):
                found = self._sources.secrets.get((host.namespace, secret))
                if secret in named or (found is not None and found.domain != name):
                    return False
            return True

        return names.domain_name(host.hostname, is_free)


def _parts(members: Sequence[Host]) -> Iterator[list[Host]]:
    """Hosts of one App each: those with so many Secrets as an App can name."""
    part: list[Host] = []
    secrets: set[str] = set()
    for host in members:
        if len(secrets | {host.secret[1]}) > _MOST_SECRETS:
            yield part
            part, secrets = [], set()
        part.append(host)
        secrets.add(host.secret[1])
    yield part


def _compared(spec: Body) -> Manifest:
    certificates = spec.get("certificates") or {}
    return {
        "service": spec.get("service"),
        "paths": spec.get("paths") or [],
        "network": spec.get("network") or {},
        "class": spec.get("ingressClassName") or "",
        "redirect": spec.get("httpsRedirect", True),
        "issuer": certificates.get("issuer") or "",
        "keyType": certificates.get("keyType") or "",
    }


def _manifest(kind: str, namespace: str, name: str, spec: Manifest) -> Manifest:
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace, "labels": {LABEL_IMPORTED: IMPORTED}},
        "spec": spec,
    }


def _service(backend: Backend) -> Manifest:
    return {"name": backend.service, "port": backend.port}


def _path(path: Path) -> Manifest:
    return {"path": path.path, "service": _service(path.backend)}


def _says_something(path: Path, paths: Sequence[Path]) -> bool:
    above = [p for p in paths if p.path != path.path and (p.path == "/" or path.path.startswith(f"{p.path}/"))]
    return bool(above) and max(above, key=lambda p: len(p.path)).backend != path.backend
