"""Manual certificates in the cluster: their Secrets, the entries of the App, and who is served with them."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from certward.cli import changes, words
from certward.cli.api import FIELD_MANAGER, Object
from certward.cli.context import Session, read_one
from certward.cli.errors import CliError, Exit, failed, no_rights, not_found, usage
from certward.cli.view import DomainView
from certward.model import hostnames
from certward.model.resources import App, format_time
from certward.names import GROUP, LABEL_MANAGED_BY

if TYPE_CHECKING:
    from certward.cli.pem import Kept, Pair
    from certward.model.pki import CertificateFacts

_TYPE = "kubernetes.io/tls"
_TRIES = 3
#: Says when a manual certificate was changed; any new value makes the operator look.
_LOOK_AGAIN = f"{GROUP}/manual-changed"


def app_and_domains(session: Session, body: Object) -> tuple[App, list[DomainView]]:
    """The App and its Domains."""
    [app], views = apps_and_domains(session, [body])
    return app, views


def apps_and_domains(session: Session, bodies: Sequence[Object]) -> tuple[list[App], list[DomainView]]:
    """Some Apps and the Domains of all of them."""
    apps = [read_one(App, body) for body in bodies]
    return apps, [DomainView(domain) for domain in session.domains(apps)]


def entries(body: Object) -> list[Object]:
    """spec.certificates.manual of an App."""
    return list(((body.get("spec") or {}).get("certificates") or {}).get("manual") or ())


def look(session: Session, namespace: str, name: str) -> "Kept":
    """What is in a Secret.

    Raises:
        CliError: the user may not read it, for instance.
    """
    from certward.cli.pem import Kept, read_secret

    secret = session.api.get("Secret", namespace, name)
    if secret is None:
        return Kept(None, None, "There is no such Secret.")
    return read_secret(secret, datetime.now(UTC))


def read_files(certificate: Path | None, key: Path | None, chain: Sequence[Path], now: datetime) -> "Pair":
    """A certificate from files, checked; see `pem.read_pair`."""
    from certward.cli.pem import read_pair

    if certificate is None or key is None:
        raise usage("Name two files: the certificate, then its key.")
    return read_pair(certificate, key, chain, now)


def facts_in(session: Session, name: str) -> "CertificateFacts":
    """The facts of the certificate in a Secret that could be served.

    Raises:
        CliError: there is no such Secret, or it could not.
    """
    secret = session.api.get("Secret", session.namespace, name)
    if secret is None:
        raise not_found(f"There is no Secret {name} in namespace {session.namespace}.")
    if secret.get("type") != _TYPE:
        raise usage(f"Secret {name} is of type {secret.get('type')}; it has to be {_TYPE}.")
    kept = look(session, session.namespace, name)
    if kept.facts is None or kept.problem:
        raise usage(f"Secret {name} cannot be served: {kept.problem}")
    return kept.facts


def require(session: Session, app: App) -> None:
    """See that the App may be changed, before a Secret is made for it.

    Raises:
        CliError: it may not.
    """
    if not session.api.may("patch", "apps", app.meta.namespace, group=GROUP, name=app.meta.name):
        raise no_rights(
            f"You have no right to patch apps.{GROUP} in namespace {app.meta.namespace}. The role edit in that "
            "namespace has it: ask your administrator."
        )


def make(session: Session, name: str, pair: "Pair") -> None:
    """Make the Secret.

    Raises:
        CliError: there is one of that name, which nobody has named in an App.
    """
    if session.api.get("Secret", session.namespace, name):
        raise failed(
            f"There is a Secret {name} already. To use it: {session.typed(f'certs add --secret {name}')}. Otherwise "
            "choose another --name."
        )
    session.api.create(secret(session.namespace, name, pair))


def covered(names: Sequence[str], views: Sequence[DomainView]) -> list[DomainView]:
    """The Domains whose hostname one of a certificate's names stands for."""
    return [view for view in views if any(hostnames.covers(name, view.domain.hostname) for name in names)]


def served_with(name: str, views: Sequence[DomainView]) -> list[DomainView]:
    """The Domains that are served with a manual certificate."""
    return [v for v in views if v.certificate.get("source") == "Manual" and v.certificate.get("secretName") == name]


def needing(session: Session, app: App, name: str, views: Sequence[DomainView]) -> list[DomainView]:
    """The Domains that are served with a certificate and for which no other one is at hand."""
    others = [look(session, app.meta.namespace, other) for other in app.manual_secrets if other != name]
    usable = [kept.facts.hostnames for kept in others if kept.facts and not kept.problem]

    def has_another(view: DomainView) -> bool:
        if any(view in covered(names, [view]) for names in usable):
            return True
        kept = look(session, app.meta.namespace, view.domain.secret_name)
        return kept.facts is not None and not kept.problem and bool(covered(kept.facts.hostnames, [view]))

    return [view for view in served_with(name, views) if not has_another(view)]


def tell(
    session: Session,
    facts: "CertificateFacts",
    covered_views: Sequence[DomainView],
    views: Sequence[DomainView],
    now: datetime,
) -> None:
    """Say what was found in the files."""
    session.out.say(
        f"Checked: for {words.listed(facts.hostnames) or 'no hostname'}, issued by {facts.issuer}, expires "
        f"{words.stamp(facts.not_after)} ({words.ago(facts.not_after, now)})."
    )
    left_out = [view.domain.hostname for view in views if view not in covered_views]
    if left_out and covered_views:
        session.out.say(f"It does not cover {words.listed(left_out)}.")


def secret_name(facts: "CertificateFacts") -> str:
    """A name for the Secret, made from the first hostname of the certificate.

    Raises:
        CliError: the certificate is for no hostname.
    """
    if not facts.hostnames:
        raise usage(
            "The certificate is for no hostname (it has no DNS name in its subjectAltName), so no client takes it."
        )
    return f"{facts.hostnames[0].replace('*', 'wildcard')[:200]}-manual"


def secret(namespace: str, name: str, pair: "Pair") -> Object:
    """The Secret of a certificate that was brought along."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace, "labels": {LABEL_MANAGED_BY: FIELD_MANAGER}},
        "type": _TYPE,
        "data": pair.data(),
    }


def put_entry(session: Session, body: Object, name: str, *, is_dry_run: bool) -> bool:
    """Name the Secret in the App."""
    return _set_entries(session, body, lambda there: [*there, {"secretName": name}], is_dry_run=is_dry_run)


def drop_entry(session: Session, body: Object, name: str, *, is_dry_run: bool) -> bool:
    """Name the Secret in the App no more."""
    return _set_entries(
        session, body, lambda there: [entry for entry in there if entry["secretName"] != name], is_dry_run=is_dry_run
    )


def replace(session: Session, name: str, pair: "Pair") -> None:
    """Put another certificate into a Secret that is there, or make it where it is missing."""
    found = session.api.get("Secret", session.namespace, name)
    if found is None:
        session.api.create(secret(session.namespace, name, pair))
        return
    if found.get("type") != _TYPE:
        raise usage(
            f"Secret {name} is of type {found.get('type')}, which cannot be changed; it has to be {_TYPE}. Add the "
            f"certificate under another name: {session.typed('certs add CRT KEY --name NAME')}"
        )
    owner = (found["metadata"].get("annotations") or {}).get("cert-manager.io/certificate-name")
    if owner:
        session.out.warn(f"cert-manager's Certificate {owner} writes this Secret and may overwrite it.")
    changes.patch(
        session,
        {**found, "apiVersion": "v1", "kind": "Secret"},
        {"data": pair.data()},
        is_dry_run=False,
        is_locked=True,
    )


def nudge(session: Session, app: App) -> None:
    """Have the operator look at an App's certificates at once; it reads Secrets when it has a reason to."""
    annotations = {_LOOK_AGAIN: format_time(datetime.now(UTC))}
    session.api.patch("App", app.meta.namespace, app.meta.name, {"metadata": {"annotations": annotations}})


def clear_away(session: Session, app: App, name: str, *, seconds: float) -> None:
    """Delete a Secret that the plugin made, once no hostname is served with it any more; leave any other one."""
    found = session.api.get("Secret", app.meta.namespace, name)
    if found is None:
        return
    is_ours = (found["metadata"].get("labels") or {}).get(LABEL_MANAGED_BY) == FIELD_MANAGER
    others = [
        body["metadata"]["name"]
        for body in session.api.list("App", app.meta.namespace)
        if body["metadata"]["name"] != app.meta.name and any(entry["secretName"] == name for entry in entries(body))
    ]
    if not is_ours or others:
        why = f"App {words.listed(others)} uses it" if others else "it was not made by this command"
        session.out.say(f"Secret {name} stays, since {why}.")
        return
    deadline = time.monotonic() + seconds
    while served_with(name, [DomainView(domain) for domain in session.domains()]):
        if time.monotonic() >= deadline:
            session.out.warn(f"{name} is still served, so its Secret stays. Later: kubectl delete secret {name}")
            return
        time.sleep(0.5)
    session.api.delete("Secret", app.meta.namespace, name, uid=found["metadata"]["uid"])


def _set_entries(
    session: Session, body: Object, change: Callable[[list[Object]], list[Object]], *, is_dry_run: bool
) -> bool:
    """Change the list, building on what it is at this moment."""
    for left in reversed(range(_TRIES)):
        wanted = {"spec": {"certificates": {"manual": change(entries(body)) or None}}}
        try:
            return changes.patch(session, body, wanted, is_dry_run=is_dry_run, is_locked=True)
        except CliError as error:
            if error.code is not Exit.FAILED or not left:
                raise
        meta = body["metadata"]
        found = session.api.get("App", meta["namespace"], meta["name"])
        if found is None:
            raise not_found(f"App {meta['name']} is gone.")
        body = found
    return False
