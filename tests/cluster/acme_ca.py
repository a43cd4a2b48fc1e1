"""Pebble, the ACME CA, and pebble-challtestsrv, the DNS that it and the operator ask."""

import json
from pathlib import Path

from cluster import web
from cluster.binaries import binary
from cluster.dataplane import WEB, WEBSECURE
from cluster.part import Part
from cluster.paths import State, write_atomically
from cluster.pki import Pki
from cluster.ports import Ports

_DAY = 86400
# Let's Encrypt's names. An order that names none gets any of them: Pebble picks one at random.
_PROFILES = {
    "default": {"description": "90 days", "validityPeriod": 90 * _DAY},
    "classic": {"description": "90 days, as Let's Encrypt's", "validityPeriod": 90 * _DAY},
    "shortlived": {"description": "6 days, as Let's Encrypt's", "validityPeriod": 6 * _DAY},
}


def directory(ports: Ports) -> str:
    """Return the URL of the ACME directory."""
    return f"https://127.0.0.1:{ports.get('pebble')}/dir"


def management(ports: Ports) -> str:
    """Return the URL of Pebble's management interface."""
    return f"https://127.0.0.1:{ports.get('pebble-management')}"


def dns_api(ports: Ports) -> str:
    """Return the URL of the DNS server's management interface."""
    return f"http://127.0.0.1:{ports.get('challtestsrv-management')}"


def dns_server(ports: Ports) -> str:
    """Return host:port of the DNS server."""
    return f"127.0.0.1:{ports.get('dns')}"


def challtestsrv(ports: Ports) -> Part:
    """Return the DNS server: every name is at 127.0.0.1 until its management interface is told otherwise."""
    flags = [
        "-dnsserver",
        dns_server(ports),
        "-management",
        f"127.0.0.1:{ports.get('challtestsrv-management')}",
    ]
    flags += ["-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""]
    for listener in ("-doh", "-http01", "-https01", "-tlsalpn01"):
        flags += [listener, ""]
    return Part(
        "challtestsrv",
        (str(binary("pebble-challtestsrv")), *flags),
        ports=("dns", "challtestsrv-management"),
        # The interface takes POST only; any answer to a GET shows that it is there.
        ready=lambda: web.answers(f"{dns_api(ports)}/", status=404),
    )


def pebble(state: State, ports: Ports, pki: Pki, *, sleeps: bool) -> Part:
    """Return the CA; its validations travel through the data plane, and it rejects 5 % of good nonces."""
    config = state.root / "pebble.json"
    settings = {
        "listenAddress": f"127.0.0.1:{ports.get('pebble')}",
        "managementListenAddress": f"127.0.0.1:{ports.get('pebble-management')}",
        "certificate": str(pki.certificate("pebble")),
        "privateKey": str(pki.key("pebble")),
        "httpPort": ports.get(WEB),
        "tlsPort": ports.get(WEBSECURE),
        "ocspResponderURL": "",
        "externalAccountBindingRequired": False,
        "keyAlgorithm": "ecdsa",
        "profiles": _PROFILES,
    }
    write_atomically(config, json.dumps({"pebble": settings}, indent=1))
    return Part(
        "pebble",
        (str(binary("pebble")), "-config", str(config), "-dnsserver", dns_server(ports)),
        env={} if sleeps else {"PEBBLE_VA_NOSLEEP": "1"},
        inputs=(config, pki.certificate("pebble")),
        ports=("pebble", "pebble-management"),
        ready=lambda: web.answers(directory(ports), ca=pki.ca),
    )


def write_issuance_chain(file: Path, ports: Ports, pki: Pki) -> None:
    """Write the roots and intermediates of this Pebble, which are new each time that it starts."""
    pem = b""
    for kind in ("roots", "intermediates"):
        for number in range(10):
            status, body = web.get(f"{management(ports)}/{kind}/{number}", ca=pki.ca)
            if status != 200:
                break
            pem += body if body.endswith(b"\n") else body + b"\n"
    if not file.exists() or file.read_bytes() != pem:
        write_atomically(file, pem)
