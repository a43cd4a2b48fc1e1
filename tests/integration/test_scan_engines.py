"""Scans and handshakes against real servers: OpenSSL's s_server and Traefik (Go), set up in known ways."""

import datetime as dt
import http.client
import json
import socket
import subprocess
import sysconfig
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from certward.model.suites import SUITES
from certward.probe.handshake import ProbeFailed, handshake, http_get, probe_name
from certward.probe.scan import hello, scan, scan_versions

TLS13_SUITES = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
LEGACY_SUITES = {
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
}
LEGACY_SUITES_OF_10 = {
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
}
INTERMEDIATE_SUITES = {
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
}


def make_certificate(folder, name, *hosts, elliptic=False):
    """Write <name>.pem and <name>.key; give the certificate's DER."""
    key = (
        ec.generate_private_key(ec.SECP256R1())
        if elliptic
        else rsa.generate_private_key(public_exponent=65537, key_size=2048)
    )
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate.public_bytes(serialization.Encoding.DER)


@contextmanager
def running(command, **options):
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, **options)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(10)
        if process.stdout:
            process.stdout.close()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates")
    ders = {
        "rsa": make_certificate(folder, "rsa", "legacy.example", "modern.example", "intermediate.example"),
        "ecdsa": make_certificate(folder, "ecdsa", "*.ecdsa.example", elliptic=True),
    }
    return folder, ders


# --- OpenSSL ---


@contextmanager
def s_server(certificates, *options, key="rsa"):
    folder, _ = certificates
    command = ["openssl", "s_server", "-accept", "127.0.0.1:0", "-www", *options]
    command += ["-cert", folder / f"{key}.pem", "-key", folder / f"{key}.key"]
    with running(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        line = b""
        while not line.startswith(b"ACCEPT"):
            line = process.stdout.readline()
            assert line, "s_server ended"
        yield ("127.0.0.1", int(line.rpartition(b":")[2]))


def suites_of_openssl(version, *, auth="RSA"):
    """What OpenSSL has with `ALL`: everything in the table but 3DES, which Debian builds without."""
    return {
        suite.iana
        for suite in SUITES.values()
        if (suite.tls13 == (version == "TLSv1.3"))
        and suite.auth in {auth, "any"}
        and suite.enc != "3DES-CBC"
        and (version == suite.min_version or version >= "TLSv1.2")
    }


@pytest.mark.parametrize(
    ("flag", "version"),
    [("-tls1", "TLSv1.0"), ("-tls1_1", "TLSv1.1"), ("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")],
)
def test_scan_finds_one_openssl_version_alone(certificates, flag, version):
    with s_server(certificates, flag, "-cipher", "ALL:@SECLEVEL=0") as address:
        assert scan_versions(address, "legacy.example") == (version,)
        result = scan(address, "legacy.example")
        served = handshake(address, "legacy.example")
    assert (result.versions, result.error, result.complete) == ((version,), "", True)
    wanted = "TLSv1.0" if version == "TLSv1.1" else version
    assert set(result.suites[version]) == suites_of_openssl(wanted)
    assert served.version == version
    assert served.cipher in SUITES
    assert served.chain_der == (certificates[1]["rsa"],)


def test_scan_finds_groups_of_openssl(certificates):
    with s_server(certificates, "-groups", "P-384:X25519:P-521", "-cipher", "ECDHE") as address:
        result = scan(address, "")
    assert result.versions == ("TLSv1.2", "TLSv1.3")
    assert set(result.groups_tls13) == set(result.groups_tls12) == {"P-384", "X25519", "P-521"}


@pytest.mark.parametrize(("option", "own"), [("-serverpref", True), ("-no_ticket", False)])
def test_scan_tells_whose_order_counts(certificates, option, own):
    ciphers = ["ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-AES128-GCM-SHA256", "AES128-SHA256"]
    with s_server(certificates, option, "-tls1_2", "-cipher", ":".join(ciphers)) as address:
        result = scan(address, "")
    assert result.server_order is own
    assert {SUITES[name].openssl for name in result.suites["TLSv1.2"]} == set(ciphers)
    if own:
        assert [SUITES[name].openssl for name in result.suites["TLSv1.2"]] == ciphers


def test_scan_finds_groups_behind_an_ecdsa_certificate(certificates):
    with s_server(certificates, "-tls1_2", "-groups", "X25519:P-384:P-256", key="ecdsa") as address:
        result = scan(address, "a.ecdsa.example")
    assert set(result.suites["TLSv1.2"]) <= suites_of_openssl("TLSv1.2", auth="ECDSA")
    # P-384 comes last here, and only an offer that goes on holding the certificate's curve shows it.
    assert set(result.groups_tls12) == {"X25519", "P-256", "P-384"}


# --- Traefik ---

OPTIONS = {
    "legacy": {
        "minVersion": "VersionTLS10",
        "maxVersion": "VersionTLS12",
        "cipherSuites": sorted(LEGACY_SUITES),
        "curvePreferences": ["CurveP256", "CurveP521"],
    },
    "modern": {"minVersion": "VersionTLS13", "curvePreferences": ["X25519MLKEM768", "X25519"]},
    "intermediate": {
        "minVersion": "VersionTLS12",
        "cipherSuites": sorted(INTERMEDIATE_SUITES),
        "curvePreferences": ["X25519MLKEM768", "X25519", "CurveP256", "CurveP384"],
    },
    "ecdsa": {"minVersion": "VersionTLS12"},
    "default": {"minVersion": "VersionTLS12", "sniStrict": True},
}
RULES = {
    "legacy": "Host(`legacy.example`)",
    "modern": "Host(`modern.example`)",
    "intermediate": "Host(`intermediate.example`)",
    "ecdsa": "Host(`certward-probe.ecdsa.example`)",
}


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def is_settled(address, der):
    """Tell whether Traefik has read its configuration; until then it serves every name in its own way."""
    try:
        return handshake(address, "modern.example").chain_der == (der,) and (
            scan_versions(address, "legacy.example") == ("TLSv1.0", "TLSv1.1", "TLSv1.2")
        )
    except ProbeFailed:
        return False


@pytest.fixture(scope="module")
def traefik(certificates, tmp_path_factory):
    """A Traefik with a host for each of OPTIONS; gives the ports of its entry points."""
    folder, ders = certificates
    ports = {name: free_port() for name in ("tls", "proxied", "web")}
    routers = {
        name: {
            "rule": rule,
            "service": "ping@internal",
            "entryPoints": ["tls", "proxied"],
            "tls": {"options": name},
        }
        for name, rule in RULES.items()
    }
    routers["redirect"] = {
        "rule": "Host(`legacy.example`)",
        "service": "ping@internal",
        "entryPoints": ["web"],
        "middlewares": ["https"],
    }
    dynamic = {
        "http": {
            "routers": routers,
            "middlewares": {"https": {"redirectScheme": {"scheme": "https", "permanent": True}}},
        },
        "tls": {
            "options": OPTIONS,
            "certificates": [
                {"certFile": str(folder / f"{name}.pem"), "keyFile": str(folder / f"{name}.key")} for name in ders
            ],
        },
    }
    # JSON is YAML.
    config = tmp_path_factory.mktemp("traefik") / "dynamic.yaml"
    config.write_text(json.dumps(dynamic))
    command = [Path(sysconfig.get_path("scripts")) / "traefik", f"--providers.file.filename={config}"]
    command += [f"--entrypoints.{name}.address=127.0.0.1:{port}" for name, port in ports.items()]
    command += ["--entrypoints.proxied.proxyprotocol.trustedips=127.0.0.1", "--ping", "--ping.manualrouting"]
    command += ["--global.checknewversion=false", "--global.sendanonymoususage=false", "--log.level=ERROR"]
    with running(command):
        addresses = {name: ("127.0.0.1", port) for name, port in ports.items()}
        deadline = time.monotonic() + 30
        while not is_settled(addresses["tls"], ders["rsa"]):
            assert time.monotonic() < deadline, "Traefik does not come up"
            time.sleep(0.05)
        yield addresses


def test_scan_sees_the_legacy_host_of_traefik(traefik):
    result = scan(traefik["tls"], "legacy.example")
    assert (result.complete, result.error) == (True, "")
    assert (result.min_version, result.max_version) == ("TLSv1.0", "TLSv1.2")
    assert result.versions == ("TLSv1.0", "TLSv1.1", "TLSv1.2")
    assert set(result.suites["TLSv1.0"]) == set(result.suites["TLSv1.1"]) == LEGACY_SUITES_OF_10
    assert set(result.suites["TLSv1.2"]) == LEGACY_SUITES
    assert (result.groups_tls13, set(result.groups_tls12)) == ((), {"P-256", "P-521"})
    assert result.server_order is True


def test_scan_sees_the_modern_host_of_traefik(traefik):
    result = scan(traefik["tls"], "modern.example")
    assert result.versions == ("TLSv1.3",)
    assert set(result.suites["TLSv1.3"]) == TLS13_SUITES
    assert (set(result.groups_tls13), result.groups_tls12) == ({"X25519MLKEM768", "X25519"}, ())


def test_scan_sees_the_intermediate_host_of_traefik(traefik):
    result = scan(traefik["tls"], "intermediate.example")
    assert result.versions == scan_versions(traefik["tls"], "intermediate.example") == ("TLSv1.2", "TLSv1.3")
    assert {name: set(suites) for name, suites in result.suites.items()} == {
        "TLSv1.2": INTERMEDIATE_SUITES,
        "TLSv1.3": TLS13_SUITES,
    }
    assert set(result.groups_tls13) == {"X25519MLKEM768", "X25519", "P-256", "P-384"}
    assert set(result.groups_tls12) == {"X25519", "P-256", "P-384"}
    assert result.server_order is True
    # 2 refused versions; 3 suites and a refusal; 3 suites; 4 and 3 groups and a refusal each; the order.
    assert result.connections == 2 + 4 + 3 + 5 + 4 + 1


def test_scan_sees_an_ecdsa_host_of_traefik(traefik):
    result = scan(traefik["tls"], "certward-probe.ecdsa.example")
    assert result.versions == ("TLSv1.2", "TLSv1.3")
    assert {SUITES[name].auth for name in result.suites["TLSv1.2"]} == {"ECDSA"}
    assert {"X25519", "P-256", "P-384"} <= set(result.groups_tls13)


def test_hello_names_the_alert_of_a_refusal(traefik):
    answer = hello(
        traefik["tls"],
        "modern.example",
        versions=["TLSv1.2"],
        suites=["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"],
        groups=["X25519"],
    )
    assert (answer.accepted, answer.alert, answer.error) == (False, "protocol_version", "")


def test_hello_with_two_versions_shows_the_choice(traefik):
    answer = hello(
        traefik["tls"],
        "intermediate.example",
        versions=["TLSv1.2", "TLSv1.3"],
        suites=["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"],
        groups=["P-384"],
    )
    assert (answer.accepted, answer.version, answer.suite) == (True, "TLSv1.3", "TLS_AES_128_GCM_SHA256")
    assert answer.group == "P-384"


@pytest.mark.parametrize(
    ("name", "key", "version"),
    [
        ("legacy.example", "rsa", "TLSv1.2"),
        ("intermediate.example", "rsa", "TLSv1.3"),
        (probe_name("*.ecdsa.example"), "ecdsa", "TLSv1.3"),
    ],
)
def test_handshake_shows_what_traefik_serves(traefik, certificates, name, key, version):
    served = handshake(traefik["tls"], name)
    assert served.chain_der == (certificates[1][key],)
    assert served.version == version


def test_handshake_and_scan_speak_the_proxy_protocol(traefik, certificates):
    served = handshake(traefik["proxied"], "modern.example", proxy_protocol=True)
    assert served.chain_der == (certificates[1]["rsa"],)
    assert scan_versions(traefik["proxied"], "modern.example", proxy_protocol=True) == ("TLSv1.3",)


def test_handshake_names_the_alert_for_an_unknown_name(traefik):
    with pytest.raises(ProbeFailed, match="TLS alert unrecognized_name") as caught:
        handshake(traefik["tls"], "unknown.example")
    assert (caught.value.reason, caught.value.kind, caught.value.alert) == (
        "NotServed",
        "alert",
        "unrecognized_name",
    )


def test_http_get_shows_a_redirect(traefik):
    answer = http_get(traefik["web"], "legacy.example", "/x?y=1")
    assert (answer.status, answer.headers["location"]) == (
        http.client.MOVED_PERMANENTLY,
        "https://legacy.example/x?y=1",
    )


def test_http_get_speaks_https(traefik):
    answer = http_get(traefik["tls"], "legacy.example", "/", tls=True)
    assert (answer.status, answer.body) == (http.client.OK, b"OK")
