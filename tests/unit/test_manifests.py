"""What has to hold of the CRDs and manifests whatever else changes in them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from certward import names
from certward.__main__ import parse_arguments
from certward.config import parse
from certward.kube.kinds import KINDS
from certward.kube.routes import ROUTE_KINDS
from certward.model import hostnames
from certward.runtime import claim_rules

ROOT = Path(__file__).resolve().parents[2]
BASE = ROOT / "manifests" / "base"
CRDS = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in (ROOT / "crds").glob("[!k]*.yaml")}
DOCUMENTS = [
    document
    for path in sorted(BASE.glob("*.yaml"))
    for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))
]


def one(kind: str, name: str = "certward") -> dict[str, Any]:
    (found,) = (d for d in DOCUMENTS if d["kind"] == kind and d.get("metadata", {}).get("name") == name)
    return found


def rules(kind: str, name: str = "certward") -> dict[tuple[str, str], set[str]]:
    """(API group, resource) -> verbs."""
    granted: dict[tuple[str, str], set[str]] = {}
    for rule in one(kind, name)["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                granted.setdefault((group, resource), set()).update(rule["verbs"])
    return granted


def named_rules(kind: str) -> dict[tuple[str, str, str], set[str]]:
    """(API group, resource, name or empty for all) -> verbs, of the operator's own roles."""
    granted: dict[tuple[str, str, str], set[str]] = {}
    for rule in one(kind)["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                for name in rule.get("resourceNames") or [""]:
                    granted.setdefault((group, resource, name), set()).update(rule["verbs"])
    return granted


def schema(plural: str) -> dict[str, Any]:
    (version,) = CRDS[plural]["spec"]["versions"]
    return version["schema"]["openAPIV3Schema"]


def nodes(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema within a schema, with its path."""
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    if "items" in node:
        yield from nodes(node["items"], f"{path}[]")
    if isinstance(node.get("additionalProperties"), dict):
        yield from nodes(node["additionalProperties"], f"{path}[*]")


ALL_NODES = [(plural, path, node) for plural in CRDS for path, node in nodes(schema(plural))]


def test_kustomizations_list_every_file():
    for folder in (ROOT / "crds", BASE):
        listed = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))["resources"]
        assert sorted(listed) == sorted(p.name for p in folder.glob("*.yaml") if p.name != "kustomization.yaml")


def test_base_holds_no_crds():
    assert not [d for d in DOCUMENTS if d["kind"] == "CustomResourceDefinition"]


def test_nothing_shadows_the_standard_library():
    assert not (ROOT / "operator" / "__init__.py").exists()


@pytest.mark.parametrize(
    ("plural", "kind", "short"),
    [("apps", "App", "cwapp"), ("domains", "Domain", "dom"), ("tlspolicies", "TLSPolicy", "tlsp")],
)
def test_names(plural, kind, short):
    crd = CRDS[plural]
    assert crd["metadata"]["name"] == f"{plural}.{names.GROUP}"
    assert crd["spec"]["group"] == names.GROUP
    assert crd["spec"]["scope"] == "Namespaced"
    assert crd["spec"]["names"] == {
        "kind": kind,
        "listKind": f"{kind}List",
        "plural": plural,
        "singular": kind.lower(),
        "shortNames": [short],
        "categories": ["certward"],
    }
    (version,) = crd["spec"]["versions"]
    assert version["name"] == names.VERSION
    assert version["subresources"] == {"status": {}}


def columns(plural, *, is_wide):
    """The columns that kubectl prints by itself, or those that -o wide adds."""
    (version,) = CRDS[plural]["spec"]["versions"]
    all_of_them = version["additionalPrinterColumns"]
    return {column["name"]: column for column in all_of_them if bool(column.get("priority")) == is_wide}


def test_columns_of_domains():
    usual = columns("domains", is_wide=False)
    assert list(usual) == ["HOSTNAME", "APP", "STATUS", "REASON", "EXPIRES", "UPDATED"]
    assert usual["EXPIRES"]["type"] == "string", "kubectl prints a date in the future as <invalid>"
    assert usual["UPDATED"]["type"] == "date"
    assert list(columns("domains", is_wide=True)) == ["READY", "SERVED", "MESSAGE", "AGE"]


@pytest.mark.parametrize(("plural", "told_by"), [("apps", "Ready"), ("domains", "Ready"), ("tlspolicies", "Enforced")])
def test_wide_columns_say_why_something_is_not_as_it_should_be(plural, told_by):
    both = columns(plural, is_wide=False) | columns(plural, is_wide=True)
    condition = f'.status.conditions[?(@.type=="{told_by}")]'
    assert both[told_by.upper()]["jsonPath"] == f"{condition}.status"
    assert both["MESSAGE"]["jsonPath"] == f"{condition}.message"
    assert both["AGE"] == both["AGE"] | {"type": "date", "jsonPath": ".metadata.creationTimestamp"}


@pytest.mark.parametrize("plural", CRDS)
def test_columns_read_fields_that_the_schema_has(plural):
    paths = {path for crd, path, _ in ALL_NODES if crd == plural}
    for column in (columns(plural, is_wide=False) | columns(plural, is_wide=True)).values():
        path = re.sub(r"\[\?\(@\.type==\"[A-Za-z]+\"\)\]", "[]", column["jsonPath"])
        assert path in paths | {".metadata.creationTimestamp"}, column["name"]


def test_every_field_is_described():
    bare = [
        f"{plural}{path}"
        for plural, path, node in ALL_NODES
        if path and "description" not in node and path != ".metadata" and path[-1] != "]"
    ]
    assert bare == []


def test_nothing_unknown_is_preserved():
    assert not [path for _, path, node in ALL_NODES if node.get("x-kubernetes-preserve-unknown-fields")]


def test_lists_in_specs_are_bounded_and_keyed():
    lists = [(path, node) for _, path, node in ALL_NODES if node.get("type") == "array"]
    assert lists
    for path, node in lists:
        assert node["maxItems"] > 0, path
        # A status is written by one writer, as a whole and in an order of its own.
        told = {"atomic"} if path.startswith(".status") else set()
        assert node["x-kubernetes-list-type"] in {"map", "set"} | told, path


def test_strings_under_rules_are_bounded():
    """Without a bound the API server reckons with 3 MB and refuses the CRD for the cost of its rules."""
    for _, path, node in ALL_NODES:
        if path.startswith(".spec") and node.get("type") == "string":
            assert "maxLength" in node or "enum" in node, path


@pytest.mark.parametrize("plural", CRDS)
def test_conditions_are_standard(plural):
    conditions = schema(plural)["properties"]["status"]["properties"]["conditions"]
    assert conditions["x-kubernetes-list-map-keys"] == ["type"]
    assert conditions["items"] == schema("apps")["properties"]["status"]["properties"]["conditions"]["items"]
    assert sorted(conditions["items"]["required"]) == [
        "lastTransitionTime",
        "message",
        "reason",
        "status",
        "type",
    ]


def test_defaults_are_these_only():
    defaults = {path: node["default"] for _, path, node in ALL_NODES if "default" in node}
    assert defaults == {
        ".status": {"observedGeneration": -1},
        ".spec.certificates": {},
        ".spec.certificates.automatic": False,
        ".spec.httpsRedirect": True,
        ".spec.hsts.includeSubDomains": False,
        ".spec.hsts.preload": False,
    }


def test_every_rule_has_words():
    for _, path, node in ALL_NODES:
        for rule in node.get("x-kubernetes-validations", []):
            assert len(rule["message"]) > 20, path


def test_roles_have_no_wildcards():
    for document in DOCUMENTS:
        for rule in document.get("rules", []):
            assert not any("*" in part for parts in rule.values() for part in parts), document["metadata"]["name"]


def test_operator_may_do_exactly_this():
    read, write = {"get", "list", "watch"}, {"create", "patch", "delete"}
    assert named_rules("ClusterRole") == {
        ("certward.dev", "apps", ""): {"list", "watch", "patch"},
        ("certward.dev", "domains", ""): {"list", "watch"},
        ("certward.dev", "tlspolicies", ""): {"list", "watch"},
        ("certward.dev", "apps/status", ""): {"patch"},
        ("certward.dev", "domains/status", ""): {"patch"},
        ("certward.dev", "tlspolicies/status", ""): {"patch"},
        ("certward.dev", "hostnamerules", claim_rules.NAME): {"get", "create", "patch"},
        ("networking.k8s.io", "ingresses", ""): read | write,
        ("networking.k8s.io", "ingressclasses", ""): {"get", "list"},
        ("", "configmaps", "ingress-nginx-controller"): {"get"},
        ("traefik.io", "ingressroutes", ""): {"list", "watch"},
        ("traefik.io", "ingressroutetcps", ""): {"list", "watch"},
        ("traefik.io", "middlewares", ""): {"get", "list"} | write,
        ("traefik.io", "tlsoptions", ""): {"get", "list"} | write,
        ("projectcontour.io", "httpproxies", ""): read | write,
        ("projectcontour.io", "tlscertificatedelegations", ""): {"get", "list"},
        ("gateway.networking.k8s.io", "httproutes", ""): read | write,
        ("gateway.networking.k8s.io", "listenersets", ""): read | write,
        ("gateway.networking.k8s.io", "gateways", ""): read,
        ("gateway.networking.k8s.io", "gatewayclasses", ""): {"get", "list"},
        ("gateway.envoyproxy.io", "clienttrafficpolicies", ""): {"get", "list"} | write,
        ("gateway.envoyproxy.io", "securitypolicies", ""): {"get", "list"} | write,
        ("", "services", ""): {"get", "list"},
        ("", "services", names.CHALLENGE_SERVICE): write,
        ("discovery.k8s.io", "endpointslices", ""): {"list"},
        ("discovery.k8s.io", "endpointslices", f"{names.CHALLENGE_SERVICE}-ipv4"): {"get"} | write,
        ("discovery.k8s.io", "endpointslices", f"{names.CHALLENGE_SERVICE}-ipv6"): {"get"} | write,
        ("", "secrets", ""): {"get"} | write,
        ("events.k8s.io", "events", ""): {"create"},
    }
    assert named_rules("Role") == {
        ("certward.dev", "apps", ""): {"create"},
        ("certward.dev", "domains", ""): {"create"},
        ("certward.dev", "apps", names.PLATFORM): {"get", "update", "delete"},
        ("certward.dev", "domains", names.PLATFORM): {"get", "delete"},
        ("projectcontour.io", "tlscertificatedelegations", f"certward-{names.PLATFORM}-contour"): write,
        ("coordination.k8s.io", "leases", ""): {"get", "create", "update"},
        ("", "configmaps", ""): {"get", "create", "patch"},
    }


@pytest.mark.parametrize("kind", ROUTE_KINDS)
def test_every_kind_of_route_may_be_listed_and_watched(kind):
    prefix, plural = KINDS[kind]
    _, _, group, _ = prefix.split("/")
    assert rules("ClusterRole")[group, plural] >= {"list", "watch"}


@pytest.mark.parametrize("kind", ["ClusterRole", "Role"])
def test_secrets_are_never_listed(kind):
    assert not rules(kind).get(("", "secrets"), set()) & {"list", "watch"}


def test_users_roles():
    """App teams declare names, platform teams policy."""

    def granted(role: str) -> dict[tuple[str, str], set[str]]:
        label = f"rbac.authorization.k8s.io/aggregate-to-{role}"
        found: dict[tuple[str, str], set[str]] = {}
        for document in DOCUMENTS:
            if document["kind"] == "ClusterRole" and label in document["metadata"].get("labels", {}):
                for key, verbs in rules("ClusterRole", document["metadata"]["name"]).items():
                    found.setdefault(key, set()).update(verbs)
        return found

    read = {"get", "list", "watch"}
    write = read | {"create", "update", "patch", "delete", "deletecollection"}
    kinds = [("certward.dev", plural) for plural in ("apps", "domains", "tlspolicies")]
    assert granted("view") == dict.fromkeys(kinds, read)
    assert granted("edit") == dict(zip(kinds, (write, write, read), strict=True))
    assert granted("admin") == dict.fromkeys(kinds, write)


def test_pod_is_restricted():
    pod = one("Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_configuration_is_where_the_operator_looks():
    pod = one("Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    (volume,) = (v for v in pod["volumes"] if "configMap" in v)
    config = one("ConfigMap", volume["configMap"]["name"])
    path = container["args"][container["args"].index("--config") + 1]
    assert path == f"{mounts[volume['name']]}/config.yaml"
    assert parse(config["data"]["config.yaml"], BASE).issuers


def test_pod_listens_at_all_addresses_of_both_families():
    """A kubelet of a cluster with IPv6 alone would end a pod whose health is told at 0.0.0.0."""
    (container,) = one("Deployment")["spec"]["template"]["spec"]["containers"]
    host, _, port = parse_arguments(container["args"]).listen_health.rpartition(":")
    assert host == ""
    assert int(port) == next(each["containerPort"] for each in container["ports"] if each["name"] == "health")
    config = parse(one("ConfigMap", "certward-config")["data"]["config.yaml"], BASE)
    assert config.challenge.http01.address == ""


def test_services_reach_the_pod():
    template = one("Deployment")["spec"]["template"]
    (container,) = template["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    for name, expected in (("certward", 8089), ("certward-metrics", 8080)):
        service = one("Service", name)["spec"]
        assert service["selector"].items() <= template["metadata"]["labels"].items()
        (port,) = service["ports"]
        assert port["port"] == ports[port["targetPort"]] == expected
    config = yaml.safe_load(one("ConfigMap", "certward-config")["data"]["config.yaml"])
    assert config["challenge"]["http01"]["port"] == ports["http01"]


def test_schema_and_operator_agree_on_hostnames():
    path = ROOT / "tests" / "integration" / "crd_cases" / "domains.yaml"
    specs = [(c.get("spec", {}), c) for c in yaml.safe_load(path.read_text(encoding="utf-8"))["cases"]]
    cases = [(spec["hostname"], "refused" in case) for spec, case in specs if spec.get("hostname") is not None]
    assert cases
    for hostname, is_refused in cases:
        assert bool(hostnames.problem(hostname)) == is_refused, hostname
