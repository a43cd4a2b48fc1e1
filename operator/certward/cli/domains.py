"""`domains`: the hostnames of an App, and the DNS record that each of them needs."""

from certward.cli.command import group as new_group
from certward.cli.context import Session


def listing(session: Session) -> None:
    """List the hostnames."""
    found = session.domains(session.apps())
    if not session.out.is_table:
        session.out.data([{"domain": domain.hostname, "app": domain.app} for domain in found])
        return
    session.out.table(["Domain", "App"], [[domain.hostname, domain.app] for domain in found])


group = new_group("Hostnames of your apps, and the DNS record that each of them needs.", listing)
