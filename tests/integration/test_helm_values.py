"""The values of the Helm chart, each by what it changes in the objects; no cluster."""

from pathlib import Path

import pytest
import yaml

from certward.plan.shards import MOST_SHARDS
from integration.rendering import CHART, MANIFESTS, Object, Refused, by_name, helm, kustomize

VALUES: Object = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
SCHEMA = "values don't meet the specifications of the schema"
ADMISSION: Object = {"admission": {"operator": True, "hostnames": True}}
OTHERS: Object = {"monitoring": {"enabled": True}, "networkPolicy": {"enabled": True}}


def rendered(values: Object) -> dict[str, Object]:
    return by_name(helm({"crds": {"install": False}, **values}))


def pod(values: Object) -> Object:
    spec: Object = rendered(values)["Deployment certward"]["spec"]["template"]["spec"]
    return spec


def container(values: Object) -> Object:
    (found,) = pod(values)["containers"]
    spec: Object = found
    return spec


def with_chart_as_part(folder: Path, values: Object) -> Path:
    """A chart of somebody's, of which Certward is a part that can be turned off."""
    (folder / "charts").mkdir()
    (folder / "charts" / "certward").symlink_to(CHART.resolve())
    part = {"name": "certward", "version": "0.1.0", "condition": "certward.enabled"}
    chart = {"apiVersion": "v2", "name": "platform", "version": "1.0.0", "dependencies": [part]}
    (folder / "Chart.yaml").write_text(yaml.safe_dump(chart), encoding="utf-8")
    (folder / "values.yaml").write_text(yaml.safe_dump({"certward": values}), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("field", "entry", "where"),
    [
        ("extraEnv", {"name": "HTTPS_PROXY", "value": "http://proxy.example.net:3128"}, "env"),
        ("extraEnv", {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}, "env"),
        ("extraVolumeMounts", {"name": "roots", "mountPath": "/etc/roots", "readOnly": True}, "volumeMounts"),
        ("extraVolumes", {"name": "roots", "configMap": {"name": "roots"}}, "volumes"),
    ],
    ids=["a variable", "a variable from a Secret", "a mount", "a volume"],
)
def test_what_is_extra_comes_after_what_is_there(field: str, entry: Object, where: str) -> None:
    spec = pod if where == "volumes" else container
    assert spec({field: [entry]})[where] == [*spec({})[where], entry]


def test_an_affinity_takes_the_place_of_the_charts_own() -> None:
    own = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}}
    assert "affinity" not in pod({})
    assert list(pod({"replicas": 2})["affinity"]) == ["podAntiAffinity"]
    assert pod({"replicas": 2, "affinity": own})["affinity"] == own
    spread = {"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "ScheduleAnyway"}
    assert pod({"topologySpreadConstraints": [spread]})["topologySpreadConstraints"] == [spread]


def test_null_leaves_user_and_groups_to_the_cluster_and_keeps_the_rest() -> None:
    mine = dict.fromkeys(("runAsUser", "runAsGroup", "fsGroup"))
    told = (CHART / "values.yaml").read_text(encoding="utf-8")
    assert "podSecurityContext: {runAsUser: null, runAsGroup: null, fsGroup: null}" in told
    found = pod({"podSecurityContext": mine})
    assert found["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert found["containers"] == pod({})["containers"]


def test_a_security_context_is_merged_into_the_charts() -> None:
    assert pod({"podSecurityContext": {"fsGroup": 7}})["securityContext"] == {
        **pod({})["securityContext"],
        "fsGroup": 7,
    }
    changed = container({"securityContext": {"seLinuxOptions": {"level": "s0"}}})["securityContext"]
    assert changed == {**container({})["securityContext"], "seLinuxOptions": {"level": "s0"}}


@pytest.mark.parametrize("is_made", [True, False])
def test_another_account_is_named_wherever_the_account_is(is_made: bool) -> None:
    account = {"create": is_made, "name": "tls-operator", "annotations": {"a": "b"}}
    values: Object = {**ADMISSION, **OTHERS, "serviceAccount": account, "defaultsReadableBy": []}
    found = rendered(values)
    assert found["Deployment certward"]["spec"]["template"]["spec"]["serviceAccountName"] == "tls-operator"
    bound = {
        name: each["subjects"] for name, each in found.items() if "Binding certward" in name and "subjects" in each
    }
    assert set(bound) == {
        "ClusterRoleBinding certward",
        "ClusterRoleBinding certward-confined",
        "ClusterRoleBinding certward-any-hostname",
        "RoleBinding certward",
    }
    expected = [{"kind": "ServiceAccount", "name": "tls-operator", "namespace": "certward-system"}]
    assert all(subjects == expected for subjects in bound.values())
    assert [name for name in found if name.startswith("ServiceAccount ")] == ["ServiceAccount tls-operator"] * is_made
    if is_made:
        made = found["ServiceAccount tls-operator"]
        assert made["metadata"]["annotations"] == {"a": "b"}
        assert made["automountServiceAccountToken"] is False


def test_an_account_that_the_chart_does_not_make_has_to_be_named_and_is_not_everybodys() -> None:
    with pytest.raises(Refused, match=r"serviceAccount\.name: with create: false, say which account there is"):
        helm({"serviceAccount": {"create": False}})
    with pytest.raises(Refused, match=r"serviceAccount\.name: not default"):
        helm({"serviceAccount": {"create": False, "name": "default"}})


def test_services_get_annotations_and_the_one_for_metrics_its_own() -> None:
    both = {"annotations": {"a": "1", "b": "1"}, "metricsAnnotations": {"b": "2"}}
    found = rendered({"service": both})
    assert found["Service certward"]["metadata"]["annotations"] == {"a": "1", "b": "1"}
    assert found["Service certward-metrics"]["metadata"]["annotations"] == {"a": "1", "b": "2"}


def test_who_reads_the_defaults_is_who_is_named() -> None:
    found = rendered({"defaultsReadableBy": [{"kind": "Group", "name": "staff", "apiGroup": ""}]})
    assert [each["name"] for each in found["RoleBinding certward-defaults"]["subjects"]] == ["staff"]
    assert "RoleBinding certward-defaults" not in rendered({"defaultsReadableBy": []})


def test_monitoring_is_what_the_component_has() -> None:
    component = {each["kind"]: each for each in kustomize(MANIFESTS / "monitoring")}
    added = helm({"crds": {"install": False}, "monitoring": {"enabled": True}})
    before = {(each["kind"], each["metadata"]["name"]) for each in helm({"crds": {"install": False}})}
    mine = {each["kind"]: each for each in added if (each["kind"], each["metadata"]["name"]) not in before}
    assert set(mine) == {"ServiceMonitor", "PrometheusRule", "ConfigMap"}
    assert mine == component


def test_monitoring_gets_labels_and_an_interval() -> None:
    given = {"release": "prometheus", "app.kubernetes.io/name": "other"}
    found = rendered({"monitoring": {"enabled": True, "labels": given, "interval": "1m30s"}})
    for kind in ("ServiceMonitor", "PrometheusRule"):
        assert found[f"{kind} certward"]["metadata"]["labels"] == {
            "release": "prometheus",
            "app.kubernetes.io/name": "certward",
        }
    assert [each["interval"] for each in found["ServiceMonitor certward"]["spec"]["endpoints"]] == ["1m30s"]


def test_admission_can_tell_before_it_refuses() -> None:
    actions = {"operatorActions": ["Audit"], "hostnamesActions": ["Warn", "Audit"]}
    found = rendered({"admission": {**ADMISSION["admission"], **actions}})
    bindings = {each["metadata"]["name"]: each for name, each in found.items() if "AdmissionPolicyBinding" in name}
    assert {name: each["spec"]["validationActions"] for name, each in bindings.items()} == {
        "certward-operator-secrets": ["Audit"],
        "certward-operator-objects": ["Audit"],
        "certward-hostnames": ["Warn", "Audit"],
        "certward-managed": ["Warn", "Audit"],
    }


def test_as_many_replicas_as_shards_and_no_more() -> None:
    assert rendered({"replicas": MOST_SHARDS})["Deployment certward"]["spec"]["replicas"] == MOST_SHARDS
    with pytest.raises(Refused, match="maximum"):
        helm({"replicas": MOST_SHARDS + 1})


@pytest.mark.parametrize("is_on", [True, False])
def test_it_is_a_part_of_another_chart_that_can_be_turned_off(tmp_path: Path, is_on: bool) -> None:
    values = {"enabled": is_on, "image": {"repository": "registry.example.net/certward"}}
    found = helm(chart=with_chart_as_part(tmp_path, values))
    assert bool(found) is is_on


def test_by_itself_it_does_not_pass_over_that_it_is_turned_off() -> None:
    assert helm({"enabled": True}) == helm()
    with pytest.raises(Refused, match="enabled: false turns off a chart that is part of another one"):
        helm({"enabled": False})


def test_null_removes_a_key_in_a_part_of_another_chart_too(tmp_path: Path) -> None:
    chart = with_chart_as_part(tmp_path, {"config": {"dns": None}, "podSecurityContext": {"runAsUser": None}})
    found = by_name(helm(chart=chart))
    assert "dns" not in found["ConfigMap certward-config"]["data"]["config.yaml"]
    security = found["Deployment certward"]["spec"]["template"]["spec"]["securityContext"]
    assert security == {key: value for key, value in VALUES["podSecurityContext"].items() if key != "runAsUser"}


BAD: dict[str, tuple[Object, str]] = {
    "a variable without a name": ({"extraEnv": [{"value": "x"}]}, "/extraEnv/0"),
    "a variable that is a number": ({"extraEnv": [{"name": "A", "value": 1}]}, "/extraEnv/0/value"),
    "a misspelt field of a variable": ({"extraEnv": [{"name": "A", "valuefrom": {}}]}, "/extraEnv/0"),
    "a variable that is there": ({"extraEnv": [{"name": "POD_NAME", "value": "x"}]}, "/extraEnv/0/name"),
    "a volume that is there": ({"extraVolumes": [{"name": "tmp", "emptyDir": {}}]}, "/extraVolumes/0/name"),
    "a mount over another one": (
        {"extraVolumeMounts": [{"name": "a", "mountPath": "/etc/certward"}]},
        "/extraVolumeMounts/0/mountPath",
    ),
    "a misspelt field of the account": ({"serviceAccount": {"nam": "x"}}, "/serviceAccount"),
    "an account with a name that is none": ({"serviceAccount": {"name": "Mine"}}, "/serviceAccount/name"),
    "an annotation that is a number": ({"service": {"annotations": {"a": 1}}}, "/service/annotations/a"),
    "a reader of no kind": ({"defaultsReadableBy": [{"name": "staff"}]}, "/defaultsReadableBy/0"),
    "an interval without a unit": ({"monitoring": {"interval": "30"}}, "/monitoring/interval"),
    "an action that is not there": ({"admission": {"hostnamesActions": ["Log"]}}, "/admission/hostnamesActions"),
    "refused and warned of at once": (
        {"admission": {"operatorActions": ["Deny", "Warn"]}},
        "/admission/operatorActions",
    ),
    "no action": ({"admission": {"hostnamesActions": []}}, "/admission/hostnamesActions"),
    "a switch that is a text": ({"enabled": "no"}, "/enabled"),
}


@pytest.mark.parametrize(("values", "where"), BAD.values(), ids=BAD)
def test_bad_values_are_refused_with_their_place(values: Object, where: str) -> None:
    with pytest.raises(Refused) as refused:
        helm(values)
    assert SCHEMA in str(refused.value)
    assert f"at '{where}'" in str(refused.value)
