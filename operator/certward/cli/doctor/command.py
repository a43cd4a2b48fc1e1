"""`doctor`: whether the installation is in order, check by check."""

import typer

from certward.cli import words
from certward.cli.command import command
from certward.cli.context import Session
from certward.cli.defaults import OPERATOR, OPERATOR_NAMESPACE
from certward.cli.errors import Exit
from certward.cli.findings import Verdict, is_any_broken

group = typer.Typer()


@command(group, "doctor", "doctor", "doctor -o json")
def doctor(session: Session, operator_namespace: OPERATOR = OPERATOR_NAMESPACE) -> int:
    """Look at the installation: definitions, operator, rights, configuration, ingress, CA, clocks, Domains.

    Looks with your rights, and says so where something cannot be seen like that.
    """
    from certward.cli.doctor.gather import examine

    checks, out = list(examine(session, operator_namespace)), session.out
    is_broken = is_any_broken(check.finding for check in checks)
    if out.is_table:
        counts = [
            words.count(number, "warning") if verdict is Verdict.WARNING else f"{number} {verdict}"
            for verdict in (Verdict.BROKEN, Verdict.WARNING, Verdict.NOT_LOOKED_AT)
            if (number := sum(check.finding.verdict is verdict for check in checks))
        ]
        out.heading(f"{len(checks)} checks: {', '.join(counts) or 'all is well'}")
        out.table(["Check", "Verdict", "Found"], [[c.name, str(c.finding.verdict), c.finding.told] for c in checks])
        for check in checks:
            if check.finding.advice:
                out.line()
                out.line(f"{check.name}: {check.finding.advice}")
    else:
        out.data({"isBroken": is_broken, "checks": [{"check": c.name, **c.finding.data()} for c in checks]})
    return Exit.FAILED if is_broken else Exit.DONE
