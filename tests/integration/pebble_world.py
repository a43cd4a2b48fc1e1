"""A Pebble of one's own, with its DNS and the answerer that its validations reach, all on free loopback ports."""

import json
import os
import socket
import ssl
import subprocess
import time
import urllib.request
from contextlib import ExitStack, closing, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from certward.acme.client import Issuer, IssuerSettings
from certward.acme.http01 import Answerer
from certward.model import pki
from cluster.binaries import binary
from thumbprints import by_hostname

BLOCKED = "blocked.example.com"


class World:
    """Pebble with all that it needs; `thumbprints` says what the answerer answers for whom."""

    def __init__(self, folder: Path, *, settings=None, environment=None):
        self.folder = folder
        self.thumbprints = {}
        self._environment = environment or {}
        self._stack = ExitStack()
        self._pebble = None
        self.log = folder / "pebble.log"
        self.ca_pem, certificate, key = directory_certificate()
        (folder / "directory.pem").write_bytes(certificate)
        (folder / "directory.key").write_bytes(key)
        self._answerer = Answerer(
            "127.0.0.1", 0, by_hostname(self.thumbprints), allowed_peers=[ip_network("127.0.0.0/8")]
        )
        self._acme_port, self._management_port, self._dns_port, self._dns_api_port, unused = free_ports(5)
        self._answerer.start()
        config = {
            "listenAddress": f"127.0.0.1:{self._acme_port}",
            "managementListenAddress": f"127.0.0.1:{self._management_port}",
            "certificate": str(folder / "directory.pem"),
            "privateKey": str(folder / "directory.key"),
            "httpPort": self._answerer.port,
            "tlsPort": unused,
            "domainBlocklist": [BLOCKED],
            "keyAlgorithm": "ecdsa",
            "profiles": {
                "default": {"description": "90 days", "validityPeriod": 90 * 86400},
                "shortlived": {"description": "6 days", "validityPeriod": 6 * 86400},
            },
        } | (settings or {})
        (folder / "pebble.json").write_text(json.dumps({"pebble": config}))
        self._start_dns()
        self.start()

    @property
    def directory(self):
        return f"https://127.0.0.1:{self._acme_port}/dir"

    def issuer(self, key_pem, account_url="", *, issuer_type=Issuer, **settings):
        settings = {"name": "pebble", "directory": self.directory, "ca_bundle_pem": self.ca_pem} | settings
        return issuer_type(IssuerSettings(**settings), key_pem, account_url, timeout=10)

    def answer(self, issuer, *hostnames):
        self.thumbprints |= dict.fromkeys(hostnames, issuer.thumbprint)

    def start(self):
        """Start Pebble, which remembers nothing of an earlier run."""
        self._pebble = self._spawn(
            [
                binary("pebble"),
                "-config",
                self.folder / "pebble.json",
                "-dnsserver",
                f"127.0.0.1:{self._dns_port}",
            ],
            self.log,
        )
        until(lambda: self._get(self.directory), self._pebble, self.log)

    def stop(self):
        end(self._pebble)

    def roots_pem(self):
        return self.managed("roots/0")

    def managed(self, path):
        """The answer of Pebble's management interface."""
        return self._get(f"https://127.0.0.1:{self._management_port}/{path}")

    def requests(self):
        """Method and endpoint of each request that Pebble has had, in order."""
        lines = (line.partition("Pebble ")[2].split() for line in self.log.read_text().splitlines())
        return [(words[2], words[3]) for words in lines if words[4:] == ["->", "calling", "handler()"]]

    def close(self):
        self.stop()
        self._stack.close()
        self._answerer.close()

    def _get(self, url):
        context = ssl.create_default_context(cadata=self.ca_pem.decode())
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        with opener.open(url, timeout=5) as response:
            return response.read()

    def _start_dns(self):
        flags = [
            "-dnsserver",
            f"127.0.0.1:{self._dns_port}",
            "-management",
            f"127.0.0.1:{self._dns_api_port}",
        ]
        flags += ["-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""]
        flags += [word for listener in ("-doh", "-http01", "-https01", "-tlsalpn01") for word in (listener, "")]
        log = self.folder / "dns.log"
        process = self._spawn([binary("pebble-challtestsrv"), *flags], log)
        self._stack.callback(end, process)
        until(lambda: socket.create_connection(("127.0.0.1", self._dns_api_port), 1).close(), process, log)

    def _spawn(self, command, log):
        with log.open("ab") as output:
            return subprocess.Popen(
                command,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=os.environ | {"PEBBLE_VA_NOSLEEP": "1"} | self._environment,
            )


def free_ports(count):
    """Ports that are free for TCP and UDP now; held together so that they differ."""
    with ExitStack() as stack:
        ports = []
        while len(ports) < count:
            tcp = stack.enter_context(closing(socket.socket()))
            udp = stack.enter_context(closing(socket.socket(type=socket.SOCK_DGRAM)))
            tcp.bind(("127.0.0.1", 0))
            with suppress(OSError):
                udp.bind(tcp.getsockname())
                ports.append(tcp.getsockname()[1])
        return ports


def until(condition, process, log):
    """Wait until the condition raises nothing; a process that ended will not come up any more."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return condition()
        except OSError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"did not come up:\n{log.read_text()[-2000:]}") from error
            time.sleep(0.02)


def end(process):
    process.terminate()
    process.wait(10)


def directory_certificate():
    """CA, certificate and key in PEM for a server at 127.0.0.1."""
    now = datetime.now(UTC)
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Directory CA")])
    dates = {"not_valid_before": now - timedelta(hours=1), "not_valid_after": now + timedelta(days=1)}

    def certificate(subject, public_key, extension, *, critical):
        builder = x509.CertificateBuilder(
            subject_name=subject,
            issuer_name=ca_name,
            public_key=public_key,
            serial_number=x509.random_serial_number(),
            **dates,
        )
        return builder.add_extension(extension, critical=critical).sign(ca_key, hashes.SHA256())

    ca = certificate(ca_name, ca_key.public_key(), x509.BasicConstraints(ca=True, path_length=0), critical=True)
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    leaf = certificate(x509.Name([]), key.public_key(), names, critical=True)
    key_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pki.to_pem([ca]), pki.to_pem([leaf]), key_pem
