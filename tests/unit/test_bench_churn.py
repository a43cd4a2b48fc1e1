"""The long run's own judgement: what grows is told from what is noisy, and what is left is found where it is."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

import pytest
from rich.console import Console

from certward.runtime.queue import WorkQueue
from scale import churn_report, remains, results, trend
from scale.churning import told
from scale.declared import OneApp, OneDomain, Place
from scale.inside import looking_inside

LENGTH = 1800.0
TIMES = [10.0 * number for number in range(181)]


def noisy(start: float, growth: float, noise: float, seed: int = 1) -> list[float]:
    """A line that grows by so much over the run, with noise of this standard deviation."""
    chance = random.Random(seed)  # noqa: S311 - the same each time
    return [start + growth * at / LENGTH + chance.gauss(0, noise) for at in TIMES]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(
    ("growth", "noise", "verdict"),
    [
        (0.0, 3.0, "flat"),  # noise alone
        (4.0, 1.0, "flat"),  # a slope that is there, and within what is allowed
        (-40.0, 1.0, "flat"),  # it shrinks
        (16.0, 1.0, "growing"),
        (20.0, 6.0, "growing"),
    ],
)
def test_a_growing_series_is_growing_and_a_noisy_flat_one_is_flat(growth, noise, verdict, seed):
    assert trend.of(TIMES, noisy(100.0, growth, noise, seed), LENGTH).verdict(8.0) == verdict


def test_noise_that_rises_by_chance_is_no_growth():
    line = trend.of([0.0, 60.0, 120.0, 180.0, 240.0], [0.0, 90.0, 10.0, 5.0, 100.0], 240.0)
    assert line.growth > 8.0
    assert line.slope < trend.ERRORS * line.error
    assert line.verdict(8.0) == "flat"


def test_a_step_within_what_is_allowed_is_no_growth():
    line = trend.of(TIMES, [42.0 if at > LENGTH / 2 else 38.0 for at in TIMES], LENGTH)
    assert line.growth > 5.0
    assert line.verdict(5.0) == "flat"
    assert line.verdict(3.0) == "growing"


def test_warming_up_is_no_growth():
    values = [100.0 + min(at, 120.0) for at in TIMES]  # all of it in the first two minutes
    assert trend.of(TIMES, values, LENGTH).verdict(8.0) == "flat"


def test_a_line_has_its_slope_a_minute_and_the_means_of_its_parts():
    line = trend.of(TIMES, [at / 60 * 2 for at in TIMES], LENGTH)
    assert line.slope == pytest.approx(2.0)
    assert line.error == pytest.approx(0.0, abs=1e-9)
    assert line.growth == pytest.approx(2.0 * 27)  # the first three minutes warm up
    assert (line.beginning, line.middle, line.end) == pytest.approx((8.0, 30.0, 57.0))
    assert line.most == 60.0


def test_the_standard_error_is_that_of_the_textbook():
    # x = 1..5 min, y = 2, 4, 5, 4, 5: slope 0.6, residual sum of squares 2.4, sum of squares of x 10
    line = trend.of([60.0, 120.0, 180.0, 240.0, 300.0], [2, 4, 5, 4, 5], 300.0)
    assert line.slope == pytest.approx(0.6)
    assert line.error == pytest.approx((2.4 / 3 / 10) ** 0.5)


def test_too_few_samples_are_no_line():
    with pytest.raises(ValueError, match="2 samples"):
        trend.of([0.0, 50.0, 60.0], [1, 2, 3], 60.0)


def test_a_sparkline_goes_from_the_least_to_the_greatest():
    assert trend.spark([1, 2, 3, 4, 5, 6, 7, 8]) == "▁▂▃▄▅▆▇█"
    assert trend.spark([5.0] * 300) == "▁" * 60
    assert trend.spark([]) == ""


def samples(**series: list[float]) -> list[dict[str, object]]:
    """Samples that stand still, but for these series."""
    still = {"rss_mib": 100.0, "threads": 40, "handles": 60, "queue_due": 0, "queue_age_seconds": 0.0}
    still |= {"traefik_rss_mib": 100.0, "pebble_rss_mib": 50.0}
    return [
        {
            "at_seconds": at,
            "sockets": {"listen": 2},
            **still,
            **{name: values[number] for name, values in series.items()},
        }
        for number, at in enumerate(TIMES)
    ]


@pytest.mark.parametrize(
    ("series", "verdict"),
    [
        ({}, "flat"),
        ({"rss_mib": noisy(100.0, 20.0, 1.0)}, "growing"),
        ({"rss_mib": noisy(1000.0, 20.0, 1.0)}, "flat"),  # less than 5 % of the beginning
        ({"handles": noisy(60.0, 12.0, 2.0)}, "growing"),
        ({"queue_age_seconds": [31.0 if at == 900 else 0.0 for at in TIMES]}, "growing"),
        ({"pebble_rss_mib": noisy(50.0, 500.0, 1.0)}, "flat"),  # it never forgets, and is not what is measured
    ],
)
def test_the_verdict_of_a_run_is_that_of_its_worst_series(series, verdict):
    assert churn_report.trends(samples(**series), LENGTH)["verdict"] == verdict


def figures(**left: object) -> dict[str, object]:
    """Figures of a run in which all is well, but for what is left."""
    nothing = {"in_namespaces": [], "in_cluster": [], "in_metrics": [], "in_memory": {}, "in_memory_for_a_time": {}}
    more = {"texts": 0, "texts_bytes": 0, "objects": {"before": 10, "after": 10}, "sample": {"bugs": 0.0}}
    taken = samples()
    done = {"operations": {"renew": 3}, "operations_total": 3, "domains_moved": 3, "settled": 1, "seed": 1}
    times = {"renew": {"min": 1.0, "median": 1.0, "p90": 1.0, "p99": 1.0, "max": 1.0}}
    told_of_it = {"seconds": 1800, "domains": 72, "rate_per_second": 2.0, "failures": [], "settled_seconds": times}
    run = {**done, **told_of_it, **churn_report.trends(taken, LENGTH), "samples": taken}
    run["grown"] = {"objects": 5, "blocks": 9, "malloc": {"free": 2**20}, "by_type": {"builtins.dict": 5}}
    return {**run, "left": {**nothing, **more, **left}}


@pytest.mark.parametrize(
    ("left", "words"),
    [
        ({"in_cluster": ["a/secrets/d1-tls"]}, "left in cluster: a/secrets/d1-tls"),
        ({"in_memory": {"certward.a.B.c": 3}}, "left in memory: 3 entries of certward.a.B.c"),
        ({"sample": {"bugs": 2.0}}, "2 passes ended with a mistake"),
    ],
)
def test_what_is_left_is_named(left, words):
    assert churn_report.wrong(figures()) == []
    (found,) = churn_report.wrong(figures(**left))
    assert found.startswith(words)


def test_a_run_is_shown_and_is_a_row_of_the_table(capsys):
    told_all = {**figures(), "wrong": []}
    churn_report.show(told_all, Console(width=160))
    shown = capsys.readouterr().out
    assert "verdict: flat" in shown
    assert "malloc: free +1.0 MiB; most: builtins.dict +5" in " ".join(shown.split())
    machine = {"cpu": "A CPU", "cores": 2, "kernel": "6.1", "load_before": 0.5}
    result = {"scenario": "churn-1800", "operator": "certward", "date": "2026-11-26T10:00:00", "machine": machine}
    lines = list(results.markdown([{**result, "figures": told_all}]))
    assert lines[2].startswith("| churn-1800 | 100.0 MiB |")
    assert lines[2].endswith("| 0 | flat |")


def domain(**status: object) -> tuple[OneDomain, dict[str, object]]:
    """A Domain under modern of 2026-11, and a body that says it is so."""
    one = OneDomain(OneApp(Place("ns", [], policy=("modern", "2026-11")), "app"), "d1", "d1.example.com")
    conditions = [
        {"type": "Ready", "status": "True"},
        {
            "type": "PolicyEnforced",
            "status": "True",
            "message": "Handshakes accept what profile modern of revision 2026-11 says.",
        },
    ]
    good = {"state": "CertIssued", "reason": "", "certificate": {"fingerprintSHA256": "aa"}, "conditions": conditions}
    return one, {"status": {**good, **status}}


def test_a_domain_has_followed_when_its_status_says_all_that_is_declared():
    one, body = domain()
    assert told(one, {}) == "not Ready: no status"
    assert told(one, body) == ""
    assert one.fingerprint == "aa"
    one.before = "aa"
    assert told(one, body).startswith("the certificate is still the one before")
    one.before = ""
    one.app.is_automatic = False
    assert told(one, body) == "CertIssued"
    assert told(one, domain(reason="AutomaticDisabled")[1]) == ""
    one.app.is_automatic, one.app.place.policy = True, ("", "")
    assert "profile default of 2026-11 is not enforced" in told(one, body)


def test_what_names_the_deleted_is_found_in_the_attribute_that_holds_it():
    mark = f"churn-{os.getpid()}-x"
    queue = WorkQueue(clock=lambda: 0.0)
    queue._begun = {("Domain", f"{mark}-1", "d1"): 1.0, ("Domain", "other", "d1"): 1.0}
    queue._ready = {"a": {"b": deque([mark, "other", mark])}}  # nested, as known objects are
    found = looking_inside.look(mark)
    assert found["holders"] == {
        "certward.runtime.queue.WorkQueue._begun": 1,
        "certward.runtime.queue.WorkQueue._ready": 2,
    }
    assert found["strings"] >= 1
    assert found["by_type"]["builtins.dict"] > 0
    kept = [bytes([number % 256]) * 3000 for number in range(10_000)]
    more = remains.grown(found, looking_inside.look(mark))
    assert more["blocks"] > 0.9 * len(kept), "others may have let some go meanwhile"
    assert not more["malloc"] or more["malloc"]["in_use"] > 2500 * len(kept)
    assert looking_inside.look(f"{mark}-nowhere")["holders"] == {}


def test_a_process_is_looked_into_when_asked_and_runs_the_next_sitecustomize(tmp_path: Path):
    (tmp_path / "sitecustomize.py").write_text("import builtins\nbuiltins.came = 'both-came'\n")
    inside = Path(looking_inside.__file__).parent
    answer = tmp_path / "answer.json"
    (tmp_path / looking_inside.ASK).write_text(json.dumps({"mark": "both-came", "answer": str(answer)}))
    env = {"PYTHONPATH": os.pathsep.join([str(inside), str(tmp_path)]), "KUBECONFIG": str(tmp_path / "kubeconfig")}
    program = "import time; print(came, flush=True); time.sleep(30)"
    with subprocess.Popen([sys.executable, "-c", program], env=env, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            assert process.stdout.readline().strip() == "both-came"
            process.send_signal(signal.SIGUSR2)
            until = time.monotonic() + 20
            while not answer.exists() and time.monotonic() < until:
                time.sleep(0.05)
        finally:
            process.kill()
    assert json.loads(answer.read_text())["strings"] >= 1
