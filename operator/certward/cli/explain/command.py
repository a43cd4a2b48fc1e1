"""`explain HOSTNAME|DOMAIN`: in which link of the chain a hostname stops, why, and what to do."""

from typing import Annotated

import typer

from certward.cli import completion, words
from certward.cli.command import command
from certward.cli.context import Session
from certward.cli.defaults import OPERATOR, OPERATOR_NAMESPACE
from certward.cli.errors import Exit
from certward.cli.findings import Verdict, is_any_broken

group = typer.Typer()

_ASKED = Annotated[
    str,
    typer.Argument(
        metavar="HOSTNAME|DOMAIN",
        help="A hostname, or a Domain by its name or NAMESPACE/NAME.",
        autocompletion=completion.domains,
    ),
]
_RESOLVER = Annotated[
    str | None, typer.Option(metavar="ADDR[:PORT]", help="The DNS resolver to ask; by default this machine's.")
]
_HTTP = Annotated[
    str | None,
    typer.Option(metavar="HOST[:PORT]", help="Ask for plain HTTP there, wherever the hostname points to."),
]
_HTTPS = Annotated[
    str | None,
    typer.Option(metavar="HOST[:PORT]", help="Ask for HTTPS there, wherever the hostname points to."),
]


@command(group, "explain", "explain www.example.com", "explain www.example.com --http 203.0.113.7 --https 203.0.113.7")
def explain(
    session: Session,
    asked: _ASKED,
    resolver: _RESOLVER = None,
    http: _HTTP = None,
    https: _HTTPS = None,
    operator_namespace: OPERATOR = OPERATOR_NAMESPACE,
) -> int:
    """Walk a hostname's chain from DNS to the handshake: where does it stop, why, and what is to be done?

    Looks from here and with your rights, and says so where something cannot be seen like that. Before the DNS of a
    hostname is changed, --http and --https ask the platform's address for it.
    """
    from certward.cli.explain.chain import stop_of, summary, walk
    from certward.cli.explain.gather import gather
    from certward.cli.explain.looks import eyes

    facts = gather(session, asked, eyes(resolver, http, https), operator_namespace)
    links = walk(facts)
    stop, out = stop_of(links), session.out
    if out.is_table:
        out.heading(summary(facts.hostname, links))
        out.table(
            ["Link", "Verdict", "Found"], [[each.name, str(each.finding.verdict), each.finding.told] for each in links]
        )
        for each in links:
            if each.finding.advice:
                out.line()
                out.line(f"{each.name}: {each.finding.advice}")
        if stop and facts.reason:
            out.line()
            out.line(words.page_of(facts.reason))
        if facts.events and stop:
            out.line()
            out.table(
                ["Event", "Type", "Reason", "Message"], [[e.at, e.kind, e.reason, e.message] for e in facts.events]
            )
    else:
        domain = facts.domain
        out.data(
            {
                "hostname": facts.hostname,
                "domain": f"{domain.meta.namespace}/{domain.meta.name}" if domain else None,
                "stopsAt": stop.name if stop else None,
                "isBroken": stop is not None and stop.finding.verdict is Verdict.BROKEN,
                "summary": summary(facts.hostname, links),
                "links": [each.data() for each in links],
                "events": [
                    {"at": e.at, "type": e.kind, "reason": e.reason, "message": e.message} for e in facts.events
                ],
            }
        )
    return Exit.FAILED if is_any_broken(each.finding for each in links) else Exit.DONE
