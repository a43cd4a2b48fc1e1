"""What is said of a run: for people, and as JSON."""

import json
import statistics
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from chaos.observing import INVARIANTS
from chaos.run import Outcome


def facts(outcome: Outcome) -> dict[str, Any]:
    """The figures of a run, as JSON holds them; times in seconds."""
    seen, world = outcome.seen, outcome.seen.world
    record = world.record
    judged = seen.judge_orders()
    took: defaultdict[str, list[float]] = defaultdict(list)
    for fault in record.faults:
        if fault.recovered is not None:
            took[fault.kind].append(fault.recovered - (fault.healed or fault.at))
    count = Counter(fault.kind for fault in record.faults)
    excused = Counter(why or "NOT EXCUSED" for _, why in outcome.refusals)
    broken: defaultdict[str, list[str]] = defaultdict(list)
    for one in outcome.broken:
        broken[one.invariant].append(one.words)
    return {
        "seed": outcome.wish.seed,
        "mutation": outcome.wish.mutation,
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "seconds": round(outcome.seconds, 1),
        "domains": len(world.hosts),
        "faults": {
            kind: {
                "injected": number,
                "recovered": len(took[kind]),
                "median": round(statistics.median(took[kind]), 2) if took[kind] else None,
                "max": round(max(took[kind]), 2) if took[kind] else None,
            }
            for kind, number in sorted(count.items())
        },
        "injected": len(record.faults),
        "unfinished": outcome.unfinished,
        "gone": world.way.gone,
        "ended by themselves": dict(world.replicas.ended),
        "orders": {"placed": judged.placed, "budget": judged.budget, "reasons": dict(judged.reasons)},
        "certificates": seen.secrets.certificates,
        "load": {"renewals": outcome.load.renewals, "policies": outcome.load.policies},
        "helped": record.helped,
        "handshakes": {"done": seen.clients.done, "failed": len(outcome.refusals), "excused": dict(excused)},
        "read for keys": seen.leaks.read,
        "converged": None if seen.converged_after is None else round(seen.converged_after, 1),
        "broken": dict(broken),
        "refused": [
            {"host": one.hostname, "at": round(one.begun, 2), "error": one.error, "excuse": why}
            for one, why in outcome.refusals
        ],
        "log": [
            {"kind": one.kind, "target": one.target, "at": one.at, "healed": one.healed, "recovered": one.recovered}
            for one in record.faults
        ],
        "causes": [{"host": one.hostname, "why": one.why, "at": one.at, "done": one.done_at} for one in record.causes],
    }


def words(told: dict[str, Any]) -> str:
    """The same for people."""
    lines = [
        f"seed {told['seed']}: {told['injected']} faults of {len(told['faults'])} kinds in {told['seconds']:.0f} s",
        f"{told['domains']} Domains",
        f"{'fault':44} {'injected':>8} {'recovered':>9} {'median, s':>9} {'max, s':>7}",
    ]
    for kind, one in told["faults"].items():
        median, most = (f"{one[name]:.1f}" if one[name] is not None else "-" for name in ("median", "max"))
        lines.append(f"{kind:44} {one['injected']:8} {one['recovered']:9} {median:>9} {most:>7}")
    orders, shakes = told["orders"], told["handshakes"]
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(orders["reasons"].items()))
    excused = ", ".join(f"{count} {why}" for why, count in sorted(shakes["excused"].items())) or "none"
    lines += [
        f"orders: {orders['placed']} placed, {orders['budget']} with a reason ({reasons})",
        f"{told['certificates']} certificates; {told['load']['renewals']} renewals asked for by the load",
        f"{told['load']['policies']} changes of a policy; {told['gone']} times 410 Gone",
        f"replicas that ended by themselves: {told['ended by themselves'] or 'none'}",
        f"handshakes: {shakes['done']} done, {shakes['failed']} failed; excused by: {excused}",
        f"an administrator helped {len(told['helped'])} times",
        f"converged {told['converged']} s after the last fault" if told["converged"] else "it did NOT converge",
        *(f"NOT DONE: {one}" for one in told["unfinished"]),
    ]
    for invariant, meaning in INVARIANTS.items():
        found = told["broken"].get(invariant, [])
        lines.append(f"{'BROKEN' if found else 'held':6} {invariant}: {meaning}")
        lines += [f"         {one}" for one in found[:20]]
        lines += [f"         and {len(found) - 20} more"] if len(found) > 20 else []
    return "\n".join(lines)


def keep(told: dict[str, Any], folder: Path) -> Path:
    """Write the figures down, and return where."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{told['mutation'] or 'chaos'}-{told['seed']}.json"
    file.write_text(json.dumps(told, indent=1, sort_keys=True) + "\n")
    return file
