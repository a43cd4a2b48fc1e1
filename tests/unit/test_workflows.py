"""What has to hold of the workflows, none of which can run here."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
Workflow = dict[Any, Any]
Step = dict[str, Any]
WORKFLOWS: dict[str, Workflow] = {
    path.name: yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))
}
JOBS: dict[str, dict[str, Any]] = {
    f"{name} {job}": body for name, workflow in WORKFLOWS.items() for job, body in workflow["jobs"].items()
}
VARIABLE = re.compile(r"\bvars\.([A-Z_]+)")


def uses(steps: list[Step], action: str) -> list[int]:
    """Where in a job an action is used, whatever its version."""
    return [at for at, step in enumerate(steps) if step.get("uses", "").partition("@")[0] == action]


def triggers(workflow: Workflow) -> set[str]:
    return set(workflow[True])  # YAML 1.1 reads `on` as true


CACHED = {name: job for name, job in JOBS.items() if uses(job["steps"], "actions/cache/restore")}


def test_jobs_that_build_the_cluster_s_programs_have_a_cache() -> None:
    run = {name: [step.get("run", "") for step in job["steps"]] for name, job in JOBS.items()}
    built = {name for name, lines in run.items() if any(re.match(r"make (test|chaos)\b", line) for line in lines)}
    assert built == set(CACHED)


@pytest.mark.parametrize("job", CACHED.values(), ids=CACHED)
def test_the_cache_is_kept_before_anything_can_fail_for_another_reason(job: dict[str, Any]) -> None:
    """`actions/cache` by itself keeps nothing of a job that fails."""
    steps = job["steps"]
    assert not uses(steps, "actions/cache")
    (restore,) = uses(steps, "actions/cache/restore")
    (save,) = uses(steps, "actions/cache/save")
    assert [step.get("run") for step in steps[restore + 1 : save]] == ["make programs"]
    assert not any("run" in step for step in steps[:restore])
    kept, found = steps[save]["with"], steps[restore]["with"]
    assert kept["path"] == found["path"]
    outputs = f"steps.{steps[restore]['id']}.outputs"
    assert kept["key"] == f"${{{{ {outputs}.cache-primary-key }}}}"
    assert steps[save]["if"] == f"{outputs}.cache-hit != 'true'"
    assert found["key"].startswith(found["restore-keys"])
    assert found["key"] != found["restore-keys"]


@pytest.mark.parametrize("job", CACHED.values(), ids=CACHED)
def test_the_cache_is_another_one_when_a_program_is(job: dict[str, Any]) -> None:
    (restore,) = uses(job["steps"], "actions/cache/restore")
    patterns = re.findall(r"'([^']+)'", job["steps"][restore]["with"]["key"])
    assert patterns
    for pattern in patterns:
        assert list(ROOT.glob(pattern)), pattern
    hashed = {path for pattern in patterns for path in ROOT.glob(pattern)}
    pins = {
        path for name in ("go.mod", "go.sum", "package-lock.json") for path in (ROOT / "tests" / "cluster").rglob(name)
    }
    assert pins | set((ROOT / "tests" / "cluster" / "wheels").glob("*.txt")) == hashed


def test_all_jobs_share_one_cache() -> None:
    keys = {job["steps"][uses(job["steps"], "actions/cache/restore")[0]]["with"]["key"] for job in CACHED.values()}
    assert len(keys) == 1


@pytest.mark.parametrize("workflow", WORKFLOWS.values(), ids=WORKFLOWS)
def test_only_runs_for_a_pull_request_are_cancelled_by_newer_ones(workflow: Workflow) -> None:
    concurrency = workflow["concurrency"]
    for_pull_requests = "${{ github.event_name == 'pull_request' }}" if "pull_request" in triggers(workflow) else False
    assert concurrency["cancel-in-progress"] == for_pull_requests
    if len(triggers(workflow)) > 1:
        assert "${{ github.event_name }}" in concurrency["group"]


@pytest.mark.parametrize("job", JOBS.values(), ids=JOBS)
def test_every_job_ends_at_some_time(job: dict[str, Any]) -> None:
    assert 0 < job["timeout-minutes"] <= 90


@pytest.mark.parametrize("job", JOBS.values(), ids=JOBS)
def test_what_is_made_is_a_target_of_the_makefile(job: dict[str, Any]) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"(?m)^([a-z0-9-]+):", makefile))
    for step in job["steps"]:
        for target in re.findall(r"(?m)^make ([a-z0-9-]+)", step.get("run", "")):
            assert target in targets


def first_job(workflow: Workflow) -> dict[str, Any]:
    """The one that all others wait for."""
    (first,) = (job for job in workflow["jobs"].values() if "needs" not in job)
    return first


NAMING = {name: workflow for name, workflow in WORKFLOWS.items() if VARIABLE.search(yaml.safe_dump(workflow))}


def test_there_are_workflows_that_need_a_variable() -> None:
    assert set(NAMING) == {"kind.yml", "release.yml"}


@pytest.mark.parametrize("workflow", NAMING.values(), ids=NAMING)
def test_a_variable_that_is_missing_is_named_before_anything_else_is_done(workflow: Workflow) -> None:
    step = first_job(workflow)["steps"][0]
    (variable,) = set(VARIABLE.findall(yaml.safe_dump(workflow)))
    assert step["env"] == {variable: f"${{{{ vars.{variable} }}}}"}

    def ran(value: str) -> subprocess.CompletedProcess[str]:
        command = ["bash", "-eo", "pipefail", "-c", step["run"]]  # as GitHub runs a step
        return subprocess.run(command, env={variable: value}, capture_output=True, text=True, check=False)

    missing = ran("")
    assert missing.returncode == 1
    assert missing.stdout.startswith("::error::")
    assert variable in missing.stdout
    assert (ran("registry.example.net").returncode, ran("registry.example.net").stdout) == (0, "")
