"""The form of what a tenant writes and a controller reads, checked once more before it is rendered.

The definitions see to it (crds/), but an object may be older than they are, or have come past them. To a controller a
hostname, a path or a range is a piece of a rule, a map or an annotation, so one of another form is not rendered at all.
"""

import re
from collections.abc import Iterator
from ipaddress import ip_network

from certward.errors import Blocked
from certward.model import hostnames
from certward.model.resources import App, Domain, ServiceRef

_PATH = re.compile(r"/([A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(rf"{_LABEL.pattern}(\.{_LABEL.pattern})*")
_RANGE = re.compile(r"[0-9A-Fa-f:.]+/[0-9]{1,3}")
_HIGHEST_PORT = 65535
#: So that it fits into a label, and is not that of a built-in hostname's objects.
_LONGEST_NAME = 63


def check(domain: Domain, app: App, *, class_name: str, secret_name: str) -> None:
    """Refuse what could mean more than itself to a controller.

    Args:
        domain: of the host.
        app: its App.
        class_name: the class that it is routed by.
        secret_name: with its certificate; empty for none.

    Raises:
        Blocked: in words for the App's owner, which do not repeat what was written.
    """
    for what in _wrong(domain, app, class_name, secret_name):
        raise Blocked(
            "InvalidSpec",
            f"{what} of App {app.meta.name} or its Domain is not of the form that the definitions ask for.",
        )


def _wrong(domain: Domain, app: App, class_name: str, secret_name: str) -> Iterator[str]:
    if not hostnames.is_valid(domain.hostname):
        yield "The hostname"
    if max(len(domain.meta.name), len(app.meta.name)) > _LONGEST_NAME:
        yield "The name"
    if not all(_PATH.fullmatch(route.path) for route in app.paths):
        yield "A path"
    if not all(map(_is_service, app.services)):
        yield "A Service or its port"
    if not all(map(_is_range, app.trusted_ranges)):
        yield "A trusted range"
    if not _SUBDOMAIN.fullmatch(class_name):
        yield "The ingress class"
    if secret_name and not _SUBDOMAIN.fullmatch(secret_name):
        yield "The name of a Secret"


def _is_service(service: ServiceRef) -> bool:
    port = service.port
    is_port = 1 <= port <= _HIGHEST_PORT if isinstance(port, int) else _LABEL.fullmatch(port)
    return bool(_LABEL.fullmatch(service.name) and is_port)


def _is_range(text: str) -> bool:
    if not _RANGE.fullmatch(text):  # Python takes netmasks and addresses alone, too
        return False
    try:
        ip_network(text)
    except ValueError:
        return False
    return True
