"""The configuration file: defaults, every field, every mistake in plain words."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from certward.config import LETS_ENCRYPT, Config, HostPort, load, parse
from certward.errors import ConfigError
from certward.model.hostnames import HostnameRule

HERE = Path()
DIRECTORY = "https://ca.example/dir"
ISSUER = f"name: a, directory: '{DIRECTORY}'"


@pytest.fixture(scope="module")
def key():
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="module")
def root_pem(key):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "root")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1)
    builder = builder.not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
    builder = builder.not_valid_after(datetime(2036, 1, 1, tzinfo=UTC))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def refused(text, base=HERE):
    with pytest.raises(ConfigError) as caught:
        parse(text, base)
    return str(caught.value)


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "issuers:\ndns:\n", "{}"])
def test_an_empty_file_is_valid_and_has_the_defaults(text):
    config = parse(text, HERE)
    assert config == Config()
    assert config.issuers == ()
    assert config.ingress.default_class == "traefik"
    assert config.ingress.classes["traefik"].dialect == "traefik"
    http01 = config.challenge.http01
    assert (http01.address, http01.port, http01.advertise) == ("", 8089, ())
    assert (config.dns.target, config.dns.resolvers, config.dns.preflight) == ((), (), "enforce")
    assert (config.hostnames_default, config.hostname_rules) == ("allow", ())
    assert (config.tls.default_revision, config.tls.floor.min_version) == ("2026-11", "")
    assert (config.probe.interval, config.probe.per_second) == (timedelta(minutes=10), 2)
    assert (config.platform_domain.suffix, config.platform_domain.certificate_secret) == ("", "")


FULL = """
issuers:
- name: internal
  directory: https://ca.example/dir
  email: ops@example.com
  profile: short
  externalAccountBinding: {keyID: kid-1, hmacKeySecretRef: {name: eab, key: hmac}}
  limits: {ordersPer3h: 10, duplicatesPer7d: 2}
- {name: second, directory: "https://127.0.0.1:14000/dir"}
challenge:
  http01: {address: "::", port: 80, advertise: [192.0.2.1, "2001:db8:0::1"]}
  dns01: {rfc2136: {server: ns.example.com, zone: example.com, tsigSecretRef: {name: tsig, key: key}}}
ingress:
  defaultClass: traefik
  classes:
    traefik:
      dialect: traefik
      gateway: {namespace: infra, name: edge}
      dnsTarget: edge.example.net
      probe: {httpAddress: "127.0.0.1:80", httpsAddress: "[::1]:443", proxyProtocol: true}
    other: {dialect: traefik}
dns:
  target: "192.0.2.1, 192.0.2.2"
  resolvers: [9.9.9.9, "ns.example.com:5353", "[2001:db8::1]:54", "2001:db8::2"]
  preflight: off
platformDomain: {suffix: apps.example.net, certificateSecret: apps-wildcard}
hostnames:
- {pattern: "*.shop.example.com", namespaces: [team-a, team-b]}
- {pattern: "*.test", namespaces: []}
hostnamesDefault: deny
tls: {defaultRevision: 2018-06, floor: {minVersion: TLSv1.2}}
probe: {interval: 30s, perSecond: 0.5}
"""


def test_every_field():
    config = parse(FULL, HERE)
    first, second = config.issuers
    assert (first.name, first.email, first.profile, first.ca_bundle) == (
        "internal",
        "ops@example.com",
        "short",
        b"",
    )
    assert first.external_account_binding.key_id == "kid-1"
    assert first.external_account_binding.hmac_key_secret_ref.key == "hmac"
    assert (first.limits.orders_per_3h, first.limits.duplicates_per_7d) == (10, 2)
    assert first.limits.certificates_per_registered_domain_per_7d == 0
    assert second.external_account_binding is None
    assert config.issuer("second") is second
    assert config.issuer("third") is None
    assert config.challenge.http01.advertise == ("192.0.2.1", "2001:db8::1")
    assert config.challenge.dns01.rfc2136.server == HostPort("ns.example.com", 53)
    assert config.ingress.classes["traefik"].gateway.name == "edge"
    assert config.ingress.classes["traefik"].dns_target == ("edge.example.net",)
    probe = config.ingress.classes["traefik"].probe
    assert (str(probe.http_address), str(probe.https_address)) == ("127.0.0.1:80", "[::1]:443")
    assert probe.proxy_protocol is True
    assert config.ingress.classes["other"].probe.http_address is None
    assert config.dns.target == ("192.0.2.1", "192.0.2.2")
    assert [str(r) for r in config.dns.resolvers] == [
        "9.9.9.9:53",
        "ns.example.com:5353",
        "[2001:db8::1]:54",
        "[2001:db8::2]:53",
    ]
    assert config.dns.preflight == "off"
    assert config.platform_domain.suffix == "apps.example.net"
    assert config.hostname_rules == (
        HostnameRule("*.shop.example.com", ("team-a", "team-b")),
        HostnameRule("*.test", ()),
    )
    assert config.hostnames_default == "deny"
    assert (config.tls.default_revision, config.tls.floor.min_version) == ("2018-06", "TLSv1.2")
    assert (config.probe.interval, config.probe.per_second) == (timedelta(seconds=30), 0.5)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ("", (300, 50, 5, 5)),
        ("limits: {ordersPer3h: 100}", (100, 50, 5, 5)),
        ("limits: {ordersPer3h: 0, duplicatesPer7d: 0}", (0, 50, 0, 5)),
        ("limits:", (300, 50, 5, 5)),
    ],
)
def test_lets_encrypts_production_directory_has_its_published_limits(limits, expected):
    found = parse(f"issuers:\n- name: le\n  directory: {LETS_ENCRYPT}\n  {limits}\n", HERE).issuers[0].limits
    assert tuple(found.model_dump().values()) == expected


def test_its_staging_directory_has_none():
    url = "https://acme-staging-v02.api.letsencrypt.org/directory"
    limits = parse(f"issuers: [{{name: le, directory: '{url}'}}]", HERE).issuers[0].limits
    assert set(limits.model_dump().values()) == {0}


@pytest.mark.parametrize(
    ("text", "interval"),
    [("1s", 1), ("30s", 30), ("10m", 600), ("6h", 21600), ("2d", 172800)],
)
def test_durations(text, interval):
    assert parse(f"probe: {{interval: {text}}}", HERE).probe.interval == timedelta(seconds=interval)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "ingress: {defaultClass: nginx, classes: {traefik: {dialect: traefik}}}",
            "ingress.defaultClass: 'nginx' is not one of ingress.classes (traefik)",
        ),
        (
            "ingress: {classes: {a: {dialect: traefik}, b: {dialect: traefik}}}",
            "ingress.defaultClass: is required",
        ),
        (
            "ingress: {classes: {traefik: {dialect: trafik}}}",
            "ingress.classes.traefik.dialect: must be one of traefik",
        ),
        (
            "ingress: {classes: {A_b: {dialect: traefik}}}",
            "ingress.classes.A_b: must be the name of a Kubernetes object: DNS labels joined by dots",
        ),
        (
            "ingress: {classes: {gateway: {dialect: traefik, probe: {https: 1}}}}",
            "ingress.classes.gateway.probe.https: is not a field; here may stand httpAddress, httpsAddress",
        ),
        (
            "ingress: {classes: {a: {dialect: traefik, probe: {httpsAddress: edge}}}}",
            "ingress.classes.a.probe.httpsAddress: must be host:port",
        ),
        (
            "ingress: {classes: {a: {dialect: traefik, probe: {proxyProtocol: yes}}}}",
            "ingress.classes.a.probe.proxyProtocol: must be true or false",
        ),
        (
            f"issuers: [{{{ISSUER}, foo: 1}}]",
            "issuers[0].foo: is not a field; here may stand name, directory, email",
        ),
        ("issuers: [{name: a}]", "issuers[0].directory: is required"),
        ("issuers: [{name: A, directory: 'https://x/d'}]", "issuers[0].name: must be a DNS label"),
        (f"issuers: [{{{ISSUER}}}, {{{ISSUER}}}]", "issuers[1].name: is the same as issuers[0].name"),
        ("issuers: [{name: a, directory: 'http://x/d'}]", "issuers[0].directory: must be an https:// URL"),
        (
            "issuers: [{name: a, directory: 'https://u:p@x/d'}]",
            "issuers[0].directory: must be a URL without user",
        ),
        ("issuers: [{name: a, directory: 'https://x:y/d'}]", "issuers[0].directory: must be an https:// URL"),
        ("issuers: [{name: a, directory: dir}]", "issuers[0].directory: must be an https:// URL"),
        ("issuers: [{name: 5, directory: 'https://x/d'}]", "issuers[0].name: must be text"),
        (f"issuers: [{{{ISSUER}, email: ops}}]", "issuers[0].email: must be an e-mail address, or left out"),
        (f"issuers: [{{{ISSUER}, caBundle: nowhere.pem}}]", "(No such file or directory)"),
        (
            f"issuers: [{{{ISSUER}, caBundle: 5}}]",
            "issuers[0].caBundle: must be PEM text or the path of a file",
        ),
        (
            f"issuers: [{{{ISSUER}, caBundle: '-----BEGIN CERTIFICATE-----'}}]",
            "issuers[0].caBundle: must hold at least one certificate",
        ),
        (
            f"issuers: [{{{ISSUER}, limits: {{ordersPer3h: -1}}}}]",
            "issuers[0].limits.ordersPer3h: must be at least 0",
        ),
        (
            f"issuers: [{{{ISSUER}, limits: {{ordersPer3h: many}}}}]",
            "issuers[0].limits.ordersPer3h: must be a whole number",
        ),
        (
            f"issuers: [{{name: a, directory: '{LETS_ENCRYPT}', limits: 3}}]",
            "issuers[0].limits: must be a mapping",
        ),
        ("issuers: {name: a}", "issuers: must be a list"),
        ("issuers: [a]", "issuers[0]: must be a mapping"),
        ("challenge: {http01: {port: 70000}}", "challenge.http01.port: must be at most 65535"),
        ("challenge: {http01: {port: true}}", "challenge.http01.port: must be a whole number"),
        ("challenge: {http01: {address: localhost}}", "challenge.http01.address: must be an IP address"),
        ("challenge: {http01: {address: '*'}}", "challenge.http01.address: must be an IP address"),
        (
            "challenge: {http01: {advertise: pod}}",
            "challenge.http01.advertise: must be auto, or IP addresses",
        ),
        ("challenge: {http01: {advertise: 127.0.0.1}}", "loopback, link-local, multicast and unspecified"),
        ("challenge: {http01: {advertise: []}}", "challenge.http01.advertise: must be auto, or IP addresses"),
        (
            "challenge: {dns01: {rfc2136: {x: 1, server: a, zone: e.de, tsigSecretRef: {name: a, key: b}}}}",
            "challenge.dns01.rfc2136.x: is not a field; here may stand server, zone, tsigSecretRef",
        ),
        ("dns: {target: 'a.example, b.example'}", "dns.target: must be one hostname, or IP addresses"),
        ("dns: {target: [192.0.2.1, a.example]}", "dns.target: must be one hostname, or IP addresses"),
        ("dns: {target: '*.example.com'}", "dns.target: must be one hostname, or IP addresses"),
        ("dns: {target: 5}", "dns.target: must be one hostname, or IP addresses"),
        (
            "dns: {resolvers: ['a b']}",
            "dns.resolvers[0]: must be host:port, or a host, whose port is then 53",
        ),
        ("dns: {resolvers: 9.9.9.9}", "dns.resolvers: must be a list"),
        ("dns: {preflight: maybe}", "dns.preflight: must be one of enforce, warn, off"),
        (
            "platformDomain: {suffix: '*.apps.example.net'}",
            "platformDomain.suffix: must be a hostname without a",
        ),
        ("hostnames: [{pattern: Shop.com, namespaces: []}]", "Write the hostname in lower case: shop.com."),
        ("hostnames: [{pattern: '*', namespaces: []}]", "hostnames[0].pattern: must be a hostname, or `*.`"),
        ("hostnames: [{pattern: a.com, namespaces: x}]", "hostnames[0].namespaces: must be a list"),
        ("hostnames: [{pattern: a.com, namespaces: [A]}]", "hostnames[0].namespaces[0]: must be a DNS label"),
        (
            "hostnames: [{pattern: a.com, namespaces: []}, {pattern: a.com, namespaces: [x]}]",
            "hostnames[1].pattern: is the same as hostnames[0].pattern",
        ),
        ("hostnamesDefault: refuse", "hostnamesDefault: must be one of allow, deny"),
        ("tls: {defaultRevision: 2019-01}", "tls.defaultRevision: must be one of 2017-09, 2018-06, 2026-11"),
        (
            "tls: {floor: {minVersion: '1.2'}}",
            'tls.floor.minVersion: must be one of TLSv1.0, TLSv1.1, TLSv1.2, TLSv1.3 or ""',
        ),
        (
            "tls: {defaultRevision: 2018-06, floor: {minVersion: TLSv1.3}}",
            "tls.floor.minVersion: is above all that the default profile of revision 2018-06 offers; write",
        ),
        (
            "probe: {interval: 10}",
            "probe.interval: must be a whole number and a unit, such as 30s, 10m or 6h",
        ),
        ("probe: {interval: 0s}", "probe.interval: must be a whole number and a unit"),
        ("probe: {interval: 1.5h}", "probe.interval: must be a whole number and a unit"),
        ("probe: {perSecond: 0}", "probe.perSecond: must be more than 0"),
        ("probe: {perSecond: fast}", "probe.perSecond: must be a number"),
        ("probe: {perSecond: true}", "probe.perSecond: must be a number"),
        ("probe: {per_second: 3}", "probe.per_second: is not a field; here may stand interval, perSecond"),
        ("dialect: traefik", "dialect: is not a field; here may stand issuers, challenge, ingress, dns"),
        ("5: 1", "[5]: has a name that is not text; put it in quotes"),
        ("- a", "must be a mapping of fields"),
        ("probe", "must be a mapping of fields"),
        ("probe: {}\ndns: {}\nprobe: {}", "line 3, column 1: the key 'probe' is there twice"),
        ("probe: {\n  interval: 1s,\n  interval: 2s}", "line 3, column 3: the key 'interval' is there twice"),
        ("probe: {", "line 1, column 9: "),
        ("probe:\n\tinterval: 1s", "line 2, column 1: "),
        ("a: 1\n---\nb: 1", "line 2, column 1: "),
        ("a: !!python/name:os.system", "line 1, column 4: "),
        ("a: \x00", "is not YAML"),
    ],
)
def test_mistakes(text, message):
    assert message in refused(text)


def test_a_class_need_not_be_described():
    ingress = parse("ingress: {defaultClass: nginx}", HERE).ingress
    assert (ingress.default_class, ingress.classes) == ("nginx", {})
    assert parse("ingress: {classes: {nginx: {}}}", HERE).ingress.classes["nginx"].dialect == ""


def test_all_mistakes_are_told_at_once():
    text = """
issuers:
- {name: Bad, directory: "http://x/d"}
- {name: Bad}
ingress: {defaultClass: nginx, classes: {traefik: {dialect: x}}}
probe: {interval: 5}
unknown: 1
"""
    assert sorted(line.partition(": ")[0] for line in refused(text).splitlines()) == [
        "ingress.classes.traefik.dialect",
        "ingress.defaultClass",
        "issuers[0].directory",
        "issuers[0].name",
        "issuers[1].directory",
        "issuers[1].name",
        "issuers[1].name",
        "probe.interval",
        "unknown",
    ]


def test_a_single_mistake_names_its_path():
    with pytest.raises(ConfigError) as caught:
        parse("probe: {interval: 5}", HERE)
    assert caught.value.path == "probe.interval"


@pytest.mark.parametrize(
    "text",
    [
        f"issuers: [{{{ISSUER}, externalAccountBinding: {{keyID: k, hmacKey: S3CRET}}}}]",
        f"issuers: [{{{ISSUER}, externalAccountBinding: {{keyID: k, hmacKeySecretRef: S3CRET}}}}]",
        f"issuers: [{{{ISSUER}, externalAccountBinding: S3CRET}}]",
        f"issuers: [{{{ISSUER}, caBundle: S3CRET}}]",
        f"issuers: [{{{ISSUER}, email: S3CRET, limits: S3CRET}}]",
        "issuers: [{name: S3CRET, directory: 'https://user:S3CRET@ca.example/dir'}]",
        "challenge: {http01: {advertise: S3CRET}}",
        "challenge: {dns01: {rfc2136: {server: S3CRET!, tsigSecretRef: S3CRET}}}",
        "dns: {target: S3CRET, preflight: S3CRET, resolvers: [S3CRET!]}",
        "tls: {defaultRevision: S3CRET, floor: {minVersion: S3CRET}}",
        "probe: {interval: S3CRET, perSecond: S3CRET}",
        "issuers:\n- key: S3CRET: S3CRET",
        "issuers: 'S3CRET",
        "S3CRET",
    ],
)
def test_what_was_written_is_never_repeated(text):
    with pytest.raises(ConfigError) as caught:
        parse(text, HERE)
    shown = f"{caught.value} {caught.value!r} {caught.value.__cause__!r}"
    assert "S3CRET" not in shown
    assert "https://" not in str(caught.value) or "must be an https:// URL" in str(caught.value)


ZONE = "challenge: {dns01: {rfc2136: {server: ns.e.de, zone: a.e.de, tsigSecretRef: {name: a, key: b}}}}"


@pytest.mark.parametrize(
    ("rest", "warns"),
    [
        ("", True),
        ("hostnames: [{pattern: a.e.de, namespaces: [x]}, {pattern: '*.b.a.e.de', namespaces: [x]}]", True),
        ("hostnames: [{pattern: '*.ra.e.de', namespaces: [x]}]", True),
        ("hostnames: [{pattern: '*.a.e.de', namespaces: [x]}]", False),
        ("hostnames: [{pattern: '*.e.de', namespaces: []}]", False),
        ("hostnamesDefault: deny", False),
    ],
)
def test_a_zone_that_everybody_may_claim_is_warned_of(rest, warns):
    said = parse(f"{ZONE}\n{rest}", HERE).warnings()
    assert bool(said) == warns
    assert not said or "zone a.e.de" in said[0]


def test_nothing_is_warned_of_without_a_zone():
    assert not parse("hostnamesDefault: allow", HERE).warnings()


def test_ca_bundle_as_text(root_pem):
    text = yaml.safe_dump({"issuers": [{"name": "a", "directory": DIRECTORY, "caBundle": root_pem}]})
    assert parse(text, HERE).issuers[0].ca_bundle == root_pem.encode()


def test_ca_bundle_as_a_file_beside_the_configuration(root_pem, tmp_path):
    (tmp_path / "roots").mkdir()
    (tmp_path / "roots" / "ca.pem").write_text("# a comment\n" + root_pem + root_pem)
    (tmp_path / "config.yaml").write_text(f"issuers: [{{{ISSUER}, caBundle: roots/ca.pem}}]")
    bundle = load(tmp_path / "config.yaml").issuers[0].ca_bundle
    assert len(x509.load_pem_x509_certificates(bundle)) == 2
    absolute = f"issuers: [{{{ISSUER}, caBundle: '{tmp_path}/roots/ca.pem'}}]"
    assert parse(absolute, Path("/")).issuers[0].ca_bundle == bundle


def test_a_private_key_in_the_bundle_is_refused_and_not_shown(root_pem, key):
    encoding = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    key_pem = key.private_bytes(*encoding).decode()
    text = yaml.safe_dump({"issuers": [{"name": "a", "directory": DIRECTORY, "caBundle": root_pem + key_pem}]})
    message = refused(text)
    assert message.startswith("issuers[0].caBundle: must hold certificates only")
    assert key_pem.splitlines()[1] not in message


def test_a_folder_is_no_bundle(tmp_path):
    assert "(Is a directory)" in refused(f"issuers: [{{{ISSUER}, caBundle: .}}]", tmp_path)


def test_load_says_which_file_cannot_be_read(tmp_path):
    with pytest.raises(ConfigError, match=r"absent\.yaml: cannot be read: No such file"):
        load(tmp_path / "absent.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"email: \xff")
    with pytest.raises(ConfigError, match=r"latin\.yaml: is not UTF-8 text"):
        load(tmp_path / "latin.yaml")


def test_the_configuration_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        parse("", HERE).probe.per_second = 5


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["a", "TLSv1.2", "1s"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "issuers",
                    "name",
                    "ingress",
                    "classes",
                    "defaultClass",
                    "tls",
                    "floor",
                    "dns",
                    "target",
                    "x",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(st.sampled_from(["issuers", "ingress", "dns", "tls", "probe", "hostnames", "challenge", "x"]), JSON)
)
def test_whatever_stands_in_the_file_is_read_or_refused_in_words(value):
    told = "x"
    try:
        parse(yaml.safe_dump(value), HERE)
    except ConfigError as error:
        told = str(error)
    assert told
    assert "is not valid here" not in told
