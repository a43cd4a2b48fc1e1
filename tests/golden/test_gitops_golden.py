"""What Argo CD and Flux make of every state, as the page says it, and what must hold of that."""

import pytest

from generators import generator
from gitops import rules, states, table

ROWS = table.rows()
SEEN = {(kind, words): obj for kind, words, obj in states.objects()}


def test_the_table_is_up_to_date() -> None:
    assert table.PAGE.read_text(encoding="utf-8") == table.page(), "run `make docs`"


def test_the_patch_of_argo_cd_is_up_to_date() -> None:
    made = generator("argocd")
    assert made.CONFIG_MAP.read_text(encoding="utf-8") == made.patch(), "run `make docs`"


@pytest.mark.parametrize(
    ("kind", "words", "said", "argo", "flux", "kstatus"), ROWS, ids=[f"{r[0]}: {r[1]}" for r in ROWS]
)
def test_the_tools_agree(kind: str, words: str, said: str, argo: str, flux: str, kstatus: str) -> None:
    """Nobody is told that all is well by one of them and that something is wrong by the other."""
    assert rules.kstatus(SEEN[kind, words]) == kstatus
    if argo == "Healthy":
        assert flux == "Current"
    if flux == "Failed":
        assert argo == "Degraded"
    if flux == "Current":  # overdue is a matter for people, and none of the deployment
        assert argo == "Healthy" or words == "served, a renewal is overdue"
    if said.startswith("Waiting"):
        assert argo in ("Suspended", "Healthy"), "never for ever in progress"
    if kstatus == "Failed":
        assert flux == "Failed", "the expressions hide nothing"


@pytest.mark.parametrize(("kind", "words"), SEEN)
def test_a_change_that_nobody_has_looked_at_is_in_progress(kind: str, words: str) -> None:
    obj = SEEN[kind, words]
    changed = {**obj, "metadata": {**obj["metadata"], "generation": 7}}
    assert (rules.argocd(changed)[0], rules.flux(changed), rules.kstatus(changed)) == (
        "Progressing",
        "InProgress",
        "InProgress",
    )


@pytest.mark.parametrize(("kind", "words"), SEEN)
def test_reconciling_and_stalled_never_hold_together(kind: str, words: str) -> None:
    conditions = {c["type"]: c["status"] for c in SEEN[kind, words]["status"].get("conditions", ())}
    assert not conditions.get("Reconciling") == conditions.get("Stalled") == "True"


@pytest.mark.parametrize("kind", ["App", "Domain", "TLSPolicy"])
@pytest.mark.parametrize("status", [None, {}, {"conditions": []}, {"conditions": [{"type": "Ready"}]}])
def test_a_status_that_says_little_breaks_nothing(kind: str, status: object) -> None:
    obj = {"apiVersion": "certward.dev/v1alpha1", "kind": kind, "metadata": {"name": "a", "generation": 1}}
    health, message = rules.argocd(obj if status is None else {**obj, "status": status})
    assert health in ("Progressing", "Healthy")
    assert isinstance(message, str)


def test_every_state_of_domains_is_there() -> None:
    crd = rules.ROOT / "crds" / "domains.yaml"
    (version,) = rules.yaml.safe_load(crd.read_text(encoding="utf-8"))["spec"]["versions"]
    known = version["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]["state"]["enum"]
    assert {obj["status"].get("state") for (kind, _), obj in SEEN.items() if kind == "Domain"} - {None} == set(known)
