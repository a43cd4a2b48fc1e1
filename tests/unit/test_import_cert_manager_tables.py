"""The translation from cert-manager, in tables: objects in, objects and words out."""

from typing import Any

import pytest
import yaml

from certward.cli.importing import annotations, assemble, certificates, configuration, names, report, rules
from certward.cli.importing.findings import Options, SecretFound, Sources, Weight
from certward.config import parse
from certward.model.pki import CertificateFacts
from certward.model.resources import App, parse_time

Object = dict[str, Any]
PROD = "https://acme-v02.api.letsencrypt.org/directory"


def certificate(name: str = "web-tls", namespace: str = "shop", **spec: Any) -> Object:
    wanted = {"secretName": name, "dnsNames": ["a.example.com"], "issuerRef": {"name": "le", "kind": "ClusterIssuer"}}
    return {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {**wanted, **spec},
    }


def issuer(name: str = "le", kind: str = "ClusterIssuer", namespace: str = "", **acme: Any) -> Object:
    meta = {"name": name, **({"namespace": namespace} if namespace else {})}
    told = {"server": PROD, "email": "ops@shop.test", "privateKeySecretRef": {"name": f"{name}-key"}, **acme}
    return {"apiVersion": "cert-manager.io/v1", "kind": kind, "metadata": meta, "spec": {"acme": told}}


def path(at: str = "/", service: str = "web", kind: str = "Prefix", port: int | str = 80) -> Object:
    where = {"name": port} if isinstance(port, str) else {"number": port}
    return {"path": at, "pathType": kind, "backend": {"service": {"name": service, "port": where}}}


def ingress(
    *hosts: str,
    name: str = "web",
    namespace: str = "shop",
    secret: str = "web-tls",  # noqa: S107 - a name
    paths: list[Object] | None = None,
    marks: Object | None = None,
    cls: str = "traefik",
) -> Object:
    hosts = hosts or ("a.example.com",)
    marks = {"cert-manager.io/cluster-issuer": "le"} if marks is None else marks
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name, "namespace": namespace, "annotations": marks},
        "spec": {
            "ingressClassName": cls,
            "tls": [{"hosts": list(hosts), "secretName": secret}],
            "rules": [{"host": host, "http": {"paths": paths or [path()]}} for host in hosts],
        },
    }


def found(*hosts: str, **how: Any) -> SecretFound:
    facts = CertificateFacts("", "", "01", "aa", "RSA-2048", hosts, parse_time("2026-01-01T00:00:00Z"),
                             parse_time("2027-01-01T00:00:00Z"), "bb")  # fmt: skip
    return SecretFound(facts, **how)


def sources(*bodies: Object, **more: Any) -> Sources:
    objects: dict[str, list[Object]] = {}
    for body in bodies:
        objects.setdefault(body["kind"], []).append(body)
    return Sources(objects=objects, **more)


def translate(*bodies: Object, options: Options | None = None, **more: Any) -> assemble.Import:
    return assemble.translate(sources(*bodies, **more), options or Options())


def outcome(result: assemble.Import, kind: str, name: str) -> str:
    return next(str(one.outcome) for one in result.findings if (one.source.kind, one.source.name) == (kind, name))


def words(result: assemble.Import, kind: str) -> str:
    return " ".join(text for one in result.findings if one.source.kind == kind for text in report.note_lines(one))


def spec_of(result: assemble.Import, name: str = "web") -> Object:
    return next(one["spec"] for one in result.apps if one["metadata"]["name"] == name)


def test_an_annotated_ingress_becomes_an_app_with_its_secret():
    result = translate(issuer(), ingress("a.example.com", "b.example.com"))
    assert result.apps == (
        {
            "apiVersion": "certward.dev/v1alpha1",
            "kind": "App",
            "metadata": {
                "name": "web",
                "namespace": "shop",
                "labels": {"certward.dev/imported-from": "cert-manager"},
            },
            "spec": {
                "service": {"name": "web", "port": 80},
                "certificates": {"automatic": False, "issuer": "le", "manual": [{"secretName": "web-tls"}]},
                "ingressClassName": "traefik",
                "httpsRedirect": False,
            },
        },
    )
    assert [one["spec"]["hostname"] for one in result.domains] == ["a.example.com", "b.example.com"]
    assert {one["spec"]["appRef"]["name"] for one in result.domains} == {"web"}
    assert {str(one.outcome) for one in result.findings} == {"translated"}
    assert result.removable == (rules.Ref("Ingress", "shop", "web"),)


def test_what_is_written_is_what_the_operator_reads():
    paths = [path(), path("/api/", "api", port="http")]
    result = translate(issuer(), ingress(paths=paths), certificate(privateKey={"algorithm": "RSA", "size": 3072}))
    meta = {"uid": "u", "resourceVersion": "1", "creationTimestamp": "2026-01-01T00:00:00Z"}
    body = {**result.apps[0], "metadata": {**result.apps[0]["metadata"], **meta}}
    app = App.from_body(body)
    assert (app.key_type, app.issuer, app.manual_secrets) == ("RSA-3072", "le", ("web-tls",))
    assert [(one.path, one.service.name, one.service.port) for one in app.paths] == [("/api", "api", "http")]


@pytest.mark.parametrize(
    ("key", "expected", "is_exact"),
    [
        ({}, None, True),
        ({"algorithm": "ECDSA"}, "ECDSA-P256", True),
        ({"algorithm": "ECDSA", "size": 384}, "ECDSA-P384", True),
        ({"algorithm": "ECDSA", "size": 521}, "ECDSA-P384", False),
        ({"algorithm": "RSA"}, "RSA-2048", True),
        ({"size": 4096}, "RSA-4096", True),
        ({"algorithm": "RSA", "size": 8192}, "RSA-4096", False),
        ({"algorithm": "Ed25519"}, None, False),
        ({"rotationPolicy": "Never"}, None, False),
        ({"rotationPolicy": "Always"}, None, True),
    ],
)
def test_keys(key, expected, is_exact):
    wish = certificates.of_certificate(certificate(privateKey=key))
    assert wish.key_type == expected
    assert (not wish.notes) is is_exact


@pytest.mark.parametrize(
    ("spec", "word"),
    [
        ({"duration": "24h"}, "duration"),
        ({"renewBeforePercentage": 25}, "renewBefore"),
        ({"usages": ["server auth", "client auth"]}, "client auth"),
        ({"keystores": {"pkcs12": {"create": True}}}, "pkcs12"),
        ({"secretTemplate": {"labels": {"a": "b"}}}, "secretTemplate"),
        ({"ipAddresses": ["192.0.2.1"]}, "ipAddresses"),
        ({"uris": ["spiffe://a/b"]}, "uris"),
        ({"subject": {"organizations": ["x"]}}, "subject"),
        ({"additionalOutputFormats": [{"type": "DER"}]}, "additionalOutputFormats"),
        ({"nameConstraints": {"critical": True}}, "nameConstraints"),
        ({"dnsNames": ["a.example.com", "under_score.example.com"]}, "under_score.example.com"),
    ],
)
def test_what_has_no_counterpart_is_named_and_makes_it_partly(spec, word):
    result = translate(issuer(), ingress(), certificate(**spec))
    assert outcome(result, "Certificate", "web-tls") == "partly"
    assert word in words(result, "Certificate")
    assert len(result.domains) == 1


@pytest.mark.parametrize(
    "spec",
    [
        {"usages": ["digital signature", "key encipherment", "server auth"]},
        {"revisionHistoryLimit": 1, "encodeUsagesInRequest": False},
        {"commonName": "a.example.com"},
        {"commonName": "Some Title"},
        {"dnsNames": [], "commonName": "a.example.com"},
    ],
)
def test_what_loses_nothing_is_translated(spec):
    assert outcome(translate(issuer(), ingress(), certificate(**spec)), "Certificate", "web-tls") == "translated"


@pytest.mark.parametrize(
    ("bodies", "word"),
    [
        ([certificate(isCA=True, commonName="My CA")], "isCA"),
        ([certificate(dnsNames=[], ipAddresses=["192.0.2.1"])], "no hostname"),
        ([certificate()], "No Ingress, HTTPRoute or IngressRoute"),
        (
            [
                certificate(),
                {
                    "kind": "HTTPProxy",
                    "metadata": {"name": "p", "namespace": "shop"},
                    "spec": {"virtualhost": {"fqdn": "a.example.com", "tls": {"secretName": "web-tls"}}},
                },
            ],
            "HTTPProxy shop/p",
        ),
    ],
)
def test_certificates_that_stay(bodies, word):
    result = translate(issuer(), *bodies)
    assert outcome(result, "Certificate", "web-tls") == "not"
    assert word in words(result, "Certificate")
    assert result.apps == ()
    assert "Certificate shop/web-tls" in report.steps(result, "x", is_applied=True, apply_command="")[-1].title or not (
        result.moved
    )


@pytest.mark.parametrize(
    ("marks", "redirect", "ranges", "weights"),
    [
        ({}, None, None, []),
        ({"kubectl.kubernetes.io/last-applied-configuration": "{}"}, None, None, []),
        ({"nginx.ingress.kubernetes.io/ssl-redirect": "false"}, False, None, []),
        ({"nginx.ingress.kubernetes.io/force-ssl-redirect": "true"}, True, None, []),
        ({"ingress.kubernetes.io/ssl-redirect": "true"}, True, None, []),
        ({"traefik.ingress.kubernetes.io/router.entrypoints": "web, websecure"}, False, None, []),
        ({"traefik.ingress.kubernetes.io/router.entrypoints": "websecure"}, True, None, []),
        ({"traefik.ingress.kubernetes.io/router.tls": "true"}, None, None, []),
        (
            {"nginx.ingress.kubernetes.io/whitelist-source-range": "10.1.2.3/8, 2001:db8::1"},
            None,
            ("10.0.0.0/8", "2001:db8::1/128"),
            [],
        ),
        ({"nginx.ingress.kubernetes.io/whitelist-source-range": "office"}, None, (), [Weight.RISKY]),
        ({"traefik.ingress.kubernetes.io/router.middlewares": "a-b@kubernetescrd"}, None, None, [Weight.RISKY]),
        ({"traefik.ingress.kubernetes.io/router.tls.options": "a-b@kubernetescrd"}, None, None, [Weight.LOST]),
        (
            {"nginx.ingress.kubernetes.io/auth-url": "x", "nginx.ingress.kubernetes.io/a": "y"},
            None,
            None,
            [Weight.RISKY],
        ),
        ({"haproxy-ingress.github.io/rewrite-target": "/"}, None, None, [Weight.RISKY]),
        ({"external-dns.alpha.kubernetes.io/hostname": "a"}, None, None, [Weight.LOST]),
        ({"acme.cert-manager.io/http01-edit-in-place": "true"}, None, None, [Weight.TOLD]),
    ],
)
def test_annotations_of_controllers(marks, redirect, ranges, weights):
    asked = annotations.read(marks)
    assert (asked.redirect, asked.ranges, [note.weight for note in asked.notes]) == (redirect, ranges, weights)


@pytest.mark.parametrize(
    ("cls", "controller", "redirects"),
    [
        ("traefik", "", False),
        ("nginx", "", True),
        ("public", "k8s.io/ingress-nginx", True),
        ("public", "traefik.io/ingress-controller", False),
        ("f5", "nginx.org/ingress-controller", False),
        ("haproxy", "", True),
        ("contour", "", False),
    ],
)
def test_plain_http_is_redirected_where_it_is_today(cls, controller, redirects):
    classes = {"kind": "IngressClass", "metadata": {"name": cls}, "spec": {"controller": controller}}
    result = translate(issuer(), ingress(cls=cls), *([classes] if controller else []))
    assert spec_of(result).get("httpsRedirect", True) is redirects


@pytest.mark.parametrize(
    ("paths", "service", "further", "is_taken"),
    [
        ([path()], "web", [], True),
        ([path("/api", "api"), path()], "web", ["/api"], True),
        ([path("/api/", "api"), path("/api/v1", "api"), path()], "web", ["/api"], True),
        ([path(), path("/healthz", "web", "Exact")], "web", [], True),
        ([path(), path("/healthz", "probe", "Exact")], "web", [], False),
        ([path("/*", "web", "ImplementationSpecific")], "web", [], True),
        ([path("/app(/|$)(.*)", "web", "ImplementationSpecific")], "", [], False),
        ([path("/api", "api")], "", [], False),
        ([path(), path("/", "other")], "", [], False),
        ([path(), path("/.well-known/acme-challenge/x", "solver", "Exact")], "web", [], True),
        (
            [{"path": "/", "pathType": "Prefix", "backend": {"resource": {"kind": "Bucket", "name": "b"}}}],
            "",
            [],
            False,
        ),
    ],
)
def test_paths(paths, service, further, is_taken):
    result = translate(issuer(), ingress(paths=paths))
    assert bool(result.domains) is is_taken
    if is_taken:
        assert spec_of(result)["service"]["name"] == service
        assert [one["path"] for one in spec_of(result).get("paths", [])] == further
    else:
        assert outcome(result, "Ingress", "web") == "not"


def test_a_loss_that_requests_would_notice_has_to_be_accepted():
    marked = ingress(marks={"cert-manager.io/cluster-issuer": "le", "nginx.ingress.kubernetes.io/auth-url": "x"})
    assert translate(issuer(), marked).domains == ()
    result = translate(issuer(), marked, options=Options(accepts_loss=True))
    assert len(result.domains) == 1
    assert outcome(result, "Ingress", "web") == "partly"
    assert "That is accepted." in words(result, "Ingress")


def test_one_host_in_several_ingresses_is_one_domain():
    second = ingress(name="web-api", paths=[path("/api", "api")], marks={})
    result = translate(issuer(), ingress(), second)
    assert len(result.domains) == 1
    assert spec_of(result)["paths"] == [{"path": "/api", "service": {"name": "api", "port": 80}}]
    assert [ref.name for ref in result.removable] == ["web", "web-api"]


def test_a_host_of_two_namespaces_or_classes_stays():
    result = translate(issuer(), ingress(), ingress(namespace="other", marks={}))
    assert result.domains == ()
    assert "several namespaces" in words(result, "Ingress")
    result = translate(issuer(), ingress(), ingress(name="b", cls="nginx", marks={}))
    assert result.domains == ()
    assert "several classes" in words(result, "Ingress")


def test_hosts_with_other_services_get_apps_of_their_own():
    body = ingress("a.example.com", "b.example.com", "c.example.com")
    body["spec"]["rules"][1]["http"]["paths"] = [path(service="other")]
    result = translate(issuer(), body)
    apps = {one["spec"]["hostname"]: one["spec"]["appRef"]["name"] for one in result.domains}
    assert apps == {"a.example.com": "web", "b.example.com": "web-2", "c.example.com": "web"}


def test_an_ingress_that_has_other_hosts_as_well_is_not_to_be_deleted():
    body = ingress()
    body["spec"]["rules"].append({"host": "plain.example.com", "http": {"paths": [path()]}})
    result = translate(issuer(), body)
    assert (result.removable, [ref.name for ref in result.shared]) == ((), ["web"])
    body = ingress()
    body["spec"]["defaultBackend"] = {"service": {"name": "web", "port": {"number": 80}}}
    result = translate(issuer(), body)
    assert (result.removable, [ref.name for ref in result.shared]) == ((), ["web"])


def test_a_wildcard_has_an_app_of_its_own_that_is_not_turned_on():
    body = ingress("*.example.com", "a.example.com")
    result = translate(issuer(), body, options=Options(is_automatic=True))
    on = {one["metadata"]["name"]: one["spec"]["certificates"]["automatic"] for one in result.apps}
    assert sorted(on.values()) == [False, True]
    assert len(result.domains) == 2
    assert "challenge.dns01" in words(result, "Ingress")


@pytest.mark.parametrize(
    ("secret", "word"),
    [
        (None, "There is no Secret web-tls yet"),
        (SecretFound(problem="Its type is Opaque and has to be kubernetes.io/tls."), "Opaque"),
        (found("other.example.com"), "is not for a.example.com"),
    ],
)
def test_a_secret_that_could_not_be_served_keeps_its_host(secret, word):
    secrets = {("shop", "web-tls"): secret}
    result = translate(issuer(), ingress(), secrets=secrets)
    assert result.domains == ()
    assert word in words(result, "Ingress")
    result = translate(issuer(), ingress(), secrets=secrets, options=Options(is_automatic=True))
    assert spec_of(result)["certificates"] == {"automatic": True, "issuer": "le"}


def test_a_certificate_for_hosts_of_two_namespaces_is_adopted_by_neither():
    bodies = [issuer()]
    for space in ("one", "two"):
        bodies.append(ingress(f"{space}.corp.example.com", namespace=space, marks={}))
        bodies.append(certificate(namespace=space, dnsNames=["*.corp.example.com"]))
    result = translate(*bodies)
    assert result.domains == ()
    assert "one that covers hostnames of another namespace" in words(result, "Ingress")
    result = translate(*bodies, options=Options(is_automatic=True))
    assert [one["spec"]["certificates"] for one in result.apps] == [{"automatic": True, "issuer": "le"}] * 2


def test_the_name_of_a_domain_leaves_the_secrets_of_others_alone():
    secret = "a-example-com-tls"  # noqa: S105 - a name
    result = translate(issuer(), ingress(secret=secret))
    assert result.domains[0]["metadata"]["name"] == names.with_digest("a-example-com", "a.example.com")
    taken = {("shop", secret): found("x")}
    result = translate(issuer(), ingress(), secrets=taken)
    assert result.domains[0]["metadata"]["name"] != "a-example-com"
    # The Secret of a Domain of this name, by Certward's own labels, is in nobody's way.
    result = translate(issuer(), ingress(), secrets={("shop", secret): found("x", domain="a-example-com")})
    assert result.domains[0]["metadata"]["name"] == "a-example-com"


@pytest.mark.parametrize(
    "hostname", ["a.example.com", "*.example.com", f"{'x' * 60}.{'y' * 60}.example.com", "a--b.example.com"]
)
def test_names_of_domains_are_labels(hostname):
    for name in names.candidates(hostname):
        assert len(name) <= names.MAX_LENGTH
        assert not set(name) - set("abcdefghijklmnopqrstuvwxyz0123456789-")
        assert name[0] != "-"
        assert name[-1] != "-"


def test_similar_hostnames_get_different_names():
    result = translate(issuer(), ingress("a.b.example.com", "a-b.example.com"))
    made = [one["metadata"]["name"] for one in result.domains]
    assert len(set(made)) == 2


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        ({"cert-manager.io/cluster-issuer": "le"}, ("ClusterIssuer", "", "le", "cert-manager.io")),
        ({"cert-manager.io/issuer": "le"}, ("Issuer", "shop", "le", "cert-manager.io")),
        (
            {
                "cert-manager.io/issuer": "pca",
                "cert-manager.io/issuer-kind": "AWSPCAClusterIssuer",
                "cert-manager.io/issuer-group": "awspca.cert-manager.io",
            },
            ("AWSPCAClusterIssuer", "shop", "pca", "awspca.cert-manager.io"),
        ),
        ({"kubernetes.io/tls-acme": "true"}, None),
    ],
)
def test_issuers_of_annotations(marks, expected):
    assert certificates.is_annotated(marks)
    assert certificates.issuer_of(marks, "shop", "") == expected


def test_tls_acme_needs_to_be_told_which_issuer():
    body = ingress(marks={"kubernetes.io/tls-acme": "true"})
    result = translate(issuer(), body)
    assert "issuer" not in spec_of(result)["certificates"]
    assert "--default-issuer" in words(result, "Ingress")
    result = translate(issuer(), body, options=Options(default_issuer="le"))
    assert spec_of(result)["certificates"]["issuer"] == "le"
    assert outcome(result, "Ingress", "web") == "translated"


def test_issuers_become_a_configuration_that_the_operator_takes(tmp_path):
    bound = {"keyID": "kid", "keySecretRef": {"name": "eab", "key": "secret"}}
    result = translate(
        issuer(profile="shortlived"),
        issuer("Private.CA", server="https://ca.example.com/dir", externalAccountBinding=bound),
    )
    config = parse(configuration.fragment(result.issuers.new), tmp_path)
    assert [(one.name, one.directory, one.email, one.profile) for one in config.issuers] == [
        ("le", PROD, "ops@shop.test", "shortlived"),
        ("private-ca", "https://ca.example.com/dir", "ops@shop.test", ""),
    ]
    binding = config.issuers[1].external_account_binding
    assert binding
    assert (binding.key_id, binding.hmac_key_secret_ref.name) == ("kid", "eab")


def test_issuers_with_the_same_account_become_one_and_the_one_that_is_used_comes_first():
    bodies = [issuer("b", "Issuer", "one"), issuer("b", "Issuer", "two"), issuer("a", email="other@shop.test")]
    result = translate(*bodies, ingress(namespace="two", marks={"cert-manager.io/issuer": "b"}))
    assert [one["name"] for one in result.issuers.new] == ["b", "a"]
    assert spec_of(result)["certificates"]["issuer"] == "b"


def test_an_issuer_that_the_operator_has_is_used_by_its_name():
    result = translate(
        issuer(), ingress(), issuers=[{"name": "letsencrypt", "directory": PROD, "email": "ops@shop.test"}]
    )
    assert result.issuers.new == ()
    assert spec_of(result)["certificates"]["issuer"] == "letsencrypt"


def test_a_staging_issuer_comes_along_only_where_it_is_used():
    staging = issuer("stage", server="https://acme-staging-v02.api.letsencrypt.org/directory")
    assert [one["name"] for one in translate(issuer(), staging).issuers.new] == ["le"]
    result = translate(staging, ingress(marks={"cert-manager.io/cluster-issuer": "stage"}))
    assert [one["name"] for one in result.issuers.new] == ["stage"]


@pytest.mark.parametrize(
    ("spec", "word"),
    [
        ({"ca": {"secretName": "x"}}, "kind ca"),
        ({"selfSigned": {}}, "kind selfSigned"),
        ({"vault": {}}, "Vault"),
        ({"venafi": {}}, "venafi"),
        ({"acme": {"server": "http://ca.example.com/dir"}}, "https"),
    ],
)
def test_issuers_without_a_counterpart_leave_the_renewal_to_cert_manager(spec, word):
    body = {"kind": "ClusterIssuer", "metadata": {"name": "le"}, "spec": spec}
    result = translate(body, ingress())
    assert outcome(result, "ClusterIssuer", "le") == "not"
    assert word in words(result, "ClusterIssuer")
    assert "issuer" not in spec_of(result)["certificates"]
    steps = report.steps(result, "certward-system", is_applied=True, apply_command="")
    commands = [line for step in steps for line in step.commands]
    # The Certificate outlives the Ingress, and nobody is told to turn on what cannot be.
    assert any("patch certificate web-tls" in line for line in commands)
    assert not any("certs migrate" in line for line in commands)
    assert any("cert-manager stays for the certificate of Ingress shop/web" in step.title for step in steps)


@pytest.mark.parametrize(
    ("solvers", "words_"),
    [
        ([{"http01": {"ingress": {"class": "nginx"}}}], []),
        ([{"http01": {"gatewayHTTPRoute": {"parentRefs": []}}}], []),
        (
            [{"dns01": {"route53": {"region": "x"}}, "selector": {"dnsZones": ["example.com"]}}],
            ["route53", "example.com"],
        ),
        ([{"dns01": {"rfc2136": {"nameserver": "192.0.2.1:53", "tsigKeyName": "k"}}}], ["rfc2136", "192.0.2.1:53"]),
        ([{"dns01": {"webhook": {"solverName": "x"}, "cnameStrategy": "Follow"}}], ["webhook"]),
    ],
)
def test_solvers(solvers, words_):
    result = translate(issuer(solvers=solvers), ingress())
    assert outcome(result, "ClusterIssuer", "le") == ("partly" if words_ else "translated")
    assert all(word in words(result, "ClusterIssuer") for word in words_)
    assert ("DNS-01" in words(result, "Ingress")) is bool(words_)


GATEWAY = """
kind: Gateway
metadata: {name: edge, namespace: shop, annotations: {cert-manager.io/cluster-issuer: le}}
spec:
  gatewayClassName: envoy
  listeners:
  - {name: a, hostname: a.example.com, protocol: HTTPS, port: 443, tls: {certificateRefs: [{name: a-cert}]}}
---
kind: HTTPRoute
metadata: {name: web, namespace: shop}
spec:
  parentRefs: [{name: edge}]
  rules:
  - matches: [{path: {type: PathPrefix, value: /api}}]
    backendRefs: [{name: api, port: 8080}]
  - backendRefs: [{name: web, port: 8080}]
"""


def test_a_gateway_with_its_routes():
    result = translate(issuer(), *yaml.safe_load_all(GATEWAY))
    assert spec_of(result) == {
        "service": {"name": "web", "port": 8080},
        "paths": [{"path": "/api", "service": {"name": "api", "port": 8080}}],
        "certificates": {"automatic": False, "issuer": "le", "manual": [{"secretName": "a-cert"}]},
        "ingressClassName": "envoy",
    }
    assert [(ref.kind, hosts) for ref, hosts in result.listeners.items()] == [("Gateway", ("a.example.com",))]
    assert {one.source.kind for one in result.findings} == {"ClusterIssuer", "Gateway", "HTTPRoute"}


@pytest.mark.parametrize(
    "rule",
    [
        "{backendRefs: [{name: a, port: 1}, {name: b, port: 1}]}",
        "{backendRefs: [{name: a, port: 1, namespace: elsewhere}]}",
        "{matches: [{headers: [{name: x, value: y}]}], backendRefs: [{name: a, port: 1}]}",
        "{matches: [{path: {type: RegularExpression, value: /a.*}}], backendRefs: [{name: a, port: 1}]}",
        "{filters: [{type: URLRewrite}], backendRefs: [{name: a, port: 1}]}",
    ],
)
def test_routes_that_an_app_cannot_be(rule):
    gateway, route = yaml.safe_load_all(GATEWAY)
    route["spec"]["rules"] = [yaml.safe_load(rule)]
    result = translate(issuer(), gateway, route)
    assert result.domains == ()
    assert outcome(result, "HTTPRoute", "web") == "not"


def ingress_route(*routes: Object, tls: Object | None = None, **spec: Any) -> Object:
    return {
        "kind": "IngressRoute",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"routes": list(routes), "tls": tls or {"secretName": "web-tls"}, "entryPoints": ["websecure"], **spec},
    }


def route(match: str, *services: Object, **more: Any) -> Object:
    return {"kind": "Rule", "match": match, "services": list(services or ({"name": "web", "port": 80},)), **more}


@pytest.mark.parametrize(
    ("routes", "hosts", "paths"),
    [
        ([route("Host(`a.example.com`)")], {"a.example.com"}, []),
        ([route("Host(`a.example.com`) || Host(`b.example.com`)")], {"a.example.com", "b.example.com"}, []),
        ([route("Host(`a.example.com`, `b.example.com`)")], {"a.example.com", "b.example.com"}, []),
        ([route('Host("A.example.com")')], {"a.example.com"}, []),
        (
            [
                route("Host(`a.example.com`)"),
                route("Host(`a.example.com`) && PathPrefix(`/api/`)", {"name": "api", "port": "http"}),
            ],
            {"a.example.com"},
            ["/api"],
        ),
        (
            [route("(Host(`a.example.com`) || Host(`b.example.com`)) && PathPrefix(`/`)")],
            {"a.example.com", "b.example.com"},
            [],
        ),
    ],
)
def test_simple_ingress_routes(routes, hosts, paths):
    classes = {
        "kind": "IngressClass",
        "metadata": {"name": "public"},
        "spec": {"controller": "traefik.io/ingress-controller"},
    }
    names_ = [f"{first}.example.com" for first in "ab"]
    result = translate(issuer(), certificate(dnsNames=names_), classes, ingress_route(*routes))
    assert {one["spec"]["hostname"] for one in result.domains} == hosts
    assert [one["path"] for one in spec_of(result).get("paths", [])] == paths
    assert spec_of(result)["ingressClassName"] == "public"
    assert [ref.kind for ref in result.removable] == ["IngressRoute"]


@pytest.mark.parametrize(
    "one",
    [
        route("Host(`a.example.com`) && Headers(`x`, `y`)"),
        route("Host(`a.example.com`) && (PathPrefix(`/a`) || PathPrefix(`/b`))"),
        route("Host(`a.example.com`) && !PathPrefix(`/a`)"),
        route("Host(`a.example.com`) || PathPrefix(`/a`)"),
        route("Host(`a.example.com`)", {"name": "web", "port": 80}, {"name": "b", "port": 80}),
        route("Host(`a.example.com`)", {"name": "web", "kind": "TraefikService"}),
        route("Host(`a.example.com`)", {"name": "web", "port": 443, "scheme": "https"}),
        route("Host(`a.example.com`)", {"name": "web", "port": 80, "namespace": "other"}),
        route("Host(`a.example.com`)", middlewares=[{"name": "auth"}]),
        route("Host(`a.example.com`) && Path(`/only`)"),
    ],
)
def test_ingress_routes_that_stay(one):
    result = translate(issuer(), certificate(), ingress_route(one))
    assert result.domains == ()
    assert outcome(result, "IngressRoute", "web") == "not"


def test_ingress_routes_without_a_secret_of_cert_manager_are_passed_over():
    result = translate(issuer(), ingress_route(route("Host(`a.example.com`)"), tls={"certResolver": "le"}))
    assert [one.source.kind for one in result.findings] == ["ClusterIssuer"]


def existing(result: assemble.Import) -> dict[str, Any]:
    return {"apps": result.apps, "domains": result.domains, "issuers": result.issuers.new}


def test_a_second_run_finds_everything_there():
    bodies = [issuer(), ingress("a.example.com", "b.example.com")]
    first = translate(*bodies)
    again = translate(*bodies, **existing(first))
    assert (again.apps, again.domains, again.changes, again.issuers.new) == ((), (), (), ())
    assert len(again.there) == 2
    assert [one.domain for one in again.moved] == [one.domain for one in first.moved]


def test_what_has_been_done_with_an_app_since_stays():
    first = translate(issuer(), ingress())
    app = first.apps[0]
    app["spec"]["certificates"] = {"automatic": True, "issuer": "le"}
    more = ingress("a.example.com", "new.example.com")
    again = translate(issuer(), more, **existing(first))
    assert again.apps == ()
    assert [one["spec"] for one in again.domains] == [{"hostname": "new.example.com", "appRef": {"name": "web"}}]
    assert again.changes == (("shop", "web", ("web-tls",)),)


def test_an_app_of_another_kind_with_the_same_name_is_left_alone():
    other = {
        "kind": "App",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"service": {"name": "x", "port": 1}},
    }
    assert [one["metadata"]["name"] for one in translate(issuer(), ingress(), apps=[other]).apps] == ["web-2"]


def test_a_hostname_with_a_domain_elsewhere_stays():
    other = {
        "metadata": {"name": "a", "namespace": "other"},
        "spec": {"hostname": "a.example.com", "appRef": {"name": "x"}},
    }
    result = translate(issuer(), ingress(), domains=[other])
    assert result.domains == ()
    assert "belongs to a Domain in namespace other" in words(result, "Ingress")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("hostnames: [{pattern: '*.example.com', namespaces: [other]}]", "not for namespace shop"),
        ("hostnamesDefault: deny", "not for namespace shop"),
        ("platformDomain: {suffix: example.com}", "the platform's own domain"),
        ("hostnames: [{pattern: '*.example.com', namespaces: [shop]}]\nhostnamesDefault: deny", ""),
        ("platformDomain: {suffix: ample.com}", ""),
        ("", ""),
    ],
)
def test_hostnames_that_the_operator_would_refuse(text, word):
    result = translate(issuer(), ingress(), claims=configuration.claims_of(text))
    assert bool(result.domains) is not bool(word)
    assert word in words(result, "Ingress")


def test_an_entry_without_hosts_is_for_all_that_have_none():
    body = ingress("a.example.com", "b.example.com", marks={})
    body["spec"]["tls"] = [{"secretName": "web-tls"}, {"hosts": ["b.example.com"], "secretName": "bought"}]
    result = translate(issuer(), body, certificate())
    assert [one["spec"]["hostname"] for one in result.domains] == ["a.example.com"]
    assert [ref.name for ref in result.shared] == ["web"]


def test_more_secrets_than_an_app_can_name_make_two_apps():
    rules_, entries = [], []
    for number in range(40):
        host = f"h{number}.example.com"
        rules_.append({"host": host, "http": {"paths": [path()]}})
        entries.append({"hosts": [host], "secretName": f"s{number}"})
    body = ingress()
    body["spec"] |= {"rules": rules_, "tls": entries}
    result = translate(issuer(), body)
    assert sorted(len(one["spec"]["certificates"]["manual"]) for one in result.apps) == [8, 32]
    assert len(result.domains) == 40


def test_secrets_that_go_with_their_certificates_are_freed_first():
    secrets = {("shop", "web-tls"): found("a.example.com", owner="web-tls")}
    result = translate(issuer(), ingress(), certificate(), secrets=secrets)
    titles = [step.title for step in report.steps(result, "x", is_applied=True, apply_command="")]
    freed = next(at for at, title in enumerate(titles) if "--enable-certificate-owner-ref" in title)
    removed = next(at for at, title in enumerate(titles) if "remove your own routes" in title)
    turned_on = next(at for at, title in enumerate(titles) if "turn automatic certificates on" in title)
    assert freed < removed < turned_on
    assert "--enable-certificate-owner-ref" in words(result, "Certificate")


CONFIG = """\
# The platform's.
issuers:
- name: own   # ours
  directory: https://ca.example.com/dir
  # email: nobody

dns:
  target: edge.example.com   # the ingress
"""


@pytest.mark.parametrize(
    ("text", "keeps"),
    [
        (CONFIG, ["# The platform's.", "# ours", "# the ingress"]),
        (CONFIG.replace("- name", "  - name").replace("\n  directory", "\n    directory"), ["# the ingress"]),
        ("issuers:\n- {name: own, directory: https://ca.example.com/dir}", []),
        ("issuers:\n- {name: own, directory: https://ca.example.com/dir}\n", []),
        ("issuers: [{name: own, directory: https://ca.example.com/dir}]\n", []),
        ("issuers: []\ndns: {target: edge.example.com}\n", []),
        ("dns: {target: edge.example.com} # kept", ["# kept"]),
        ("", []),
    ],
)
def test_issuers_are_put_into_a_configuration_that_stays_as_it_is(text, keeps, tmp_path):
    pem = "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n"
    new = [{"name": "le", "directory": PROD}, {"name": "x", "directory": "https://x.example.com/d", "caBundle": pem}]
    before = yaml.safe_load(text) or {}
    merged = configuration.merged(text, new)
    assert yaml.safe_load(merged) == {**before, "issuers": [*(before.get("issuers") or []), *new]}
    assert all(comment in merged for comment in keeps)
    assert configuration.merged(text, []) == text
    assert parse(configuration.merged(text, new[:1]), tmp_path).issuers[-1].name == "le"


def test_the_report_as_a_page_names_every_object():
    result = translate(issuer(), ingress(), certificate(duration="24h"), unread=("Gateways were not read.",))
    page = report.markdown(result, report.steps(result, "x", is_applied=False, apply_command="certward import --apply"))
    for one in result.findings:
        assert f"| {one.source} | {one.outcome} |" in page
    assert "certward import --apply" in page
    assert "- Gateways were not read." in page
