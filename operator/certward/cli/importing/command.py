"""`import cert-manager`: cert-manager's objects become Apps, Domains and issuers of the operator's configuration."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from certward.cli.command import command
from certward.cli.command import group as new_group
from certward.cli.context import Session
from certward.cli.defaults import OPERATOR, OPERATOR_NAMESPACE
from certward.cli.errors import Exit, usage
from certward.cli.output import Format

if TYPE_CHECKING:
    from certward.cli.importing.assemble import Import
    from certward.cli.importing.report import Step

group = new_group("Move from another tool to Certward, without reissuing a certificate and without a failed request.")

FILES = Annotated[
    list[Path] | None,
    typer.Option(
        "-f",
        "--filename",
        metavar="PATH",
        help="Read manifests instead of the cluster: a file, a folder or - for the standard input; may be given again.",
    ),
]
APPLY = Annotated[
    bool, typer.Option("--apply/--dry-run", help="Write it to the cluster; without this, only tell what would be done.")
]
FOLDER = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Write apps.yaml, domains.yaml, certward-config.yaml and report.md into this folder, for git.",
    ),
]
AUTOMATIC = Annotated[
    bool,
    typer.Option(
        "--automatic",
        help="Turn automatic certificates on from the start, also for hosts whose Secret cannot be adopted.",
    ),
]
LOSS = Annotated[
    bool,
    typer.Option(
        "--with-loss",
        help="Also take over hosts whose routes ask for things that Certward cannot write; see the report.",
    ),
]
ACCOUNTS = Annotated[
    bool,
    typer.Option(
        "--adopt-accounts",
        help="With --apply: go on with cert-manager's ACME accounts, and with their standing at the CA.",
    ),
]
DEFAULT_ISSUER = Annotated[
    str,
    typer.Option(
        metavar="[KIND/]NAME",
        help="The issuer of Ingresses that name none (kubernetes.io/tls-acme); KIND is ClusterIssuer or Issuer.",
    ),
]
RESOURCES = Annotated[
    str,
    typer.Option(metavar="NAMESPACE", help="Where ClusterIssuers have their Secrets (cert-manager's own namespace)."),
]


@command(
    group,
    "cert-manager",
    "import cert-manager -A",
    "import cert-manager -A --apply --adopt-accounts",
    "import cert-manager -f manifests/ --output-dir certward/",
    "import cert-manager -n shop -o yaml",
)
def cert_manager(
    session: Session,
    *,
    filename: FILES = None,
    apply: APPLY = False,
    output_dir: FOLDER = None,
    adopt_accounts: ACCOUNTS = False,
    automatic: AUTOMATIC = False,
    with_loss: LOSS = False,
    default_issuer: DEFAULT_ISSUER = "",
    cluster_resource_namespace: RESOURCES = "cert-manager",
    operator_namespace: OPERATOR = OPERATOR_NAMESPACE,
) -> int:
    """Read Certificates, Issuers, ClusterIssuers, Ingresses and annotated Gateways, and write Apps and Domains.

    The Secrets that cert-manager has filled are served as they are (manual certificates), so that nothing is reissued.
    Nothing of cert-manager's is changed or deleted. A report says what has become of each object, what is lost, and in
    which order to go on so that no request fails.
    """
    from certward.cli.importing import assemble, report, sources, writing
    from certward.cli.importing.findings import Options

    if adopt_accounts and not (apply or filename is None):
        raise usage("--adopt-accounts copies Secrets of the cluster; it goes without -f, or with --apply.")
    options = Options(automatic, with_loss, default_issuer, cluster_resource_namespace)
    if filename:
        found = sources.from_files(filename, session.flags.namespace or "default")
        if apply:
            found = sources.with_cluster(session, found, operator_namespace, default_issuer)
    else:
        found = sources.from_cluster(session, operator_namespace, default_issuer)
    result = assemble.translate(found, options)
    way = report.steps(result, operator_namespace, is_applied=apply, apply_command=_again(session, filename))
    if output_dir:
        for file in writing.to_folder(output_dir, result, way):
            session.out.say(f"Writing {file}... done")
    if adopt_accounts:
        _adopt(session, result, operator_namespace, is_applied=apply)
    # The report comes last: whoever reads it through a pipe may close that at any time.
    is_done = not apply or writing.apply(session, result, operator_namespace)
    _show(session, result, way, is_applied=apply)
    return Exit.DONE if is_done else Exit.FAILED


def _again(session: Session, filename: list[Path] | None) -> str:
    """The same command, with --apply."""
    words = ["kubectl certward import cert-manager"]
    words += [f"-f {path}" for path in filename or ()]
    flags = session.flags
    words += ["-A"] if flags.all_namespaces else [f"-n {flags.namespace}"] if flags.namespace else []
    return " ".join([*words, "--apply"])


def _show(session: Session, result: "Import", way: "list[Step]", *, is_applied: bool) -> None:
    """What came out, in the format that was asked for."""
    from certward.cli.importing import report, writing

    if session.out.form is Format.JSON:
        session.out.data(report.data(result, way))
    elif session.out.form is Format.YAML:
        session.out.stdout.write(writing.commented_issuers(result) + "".join(writing.manifests(result)))
        for text in (*result.unread, f"{report.headline(result)}. The report: -o table, or --output-dir DIR."):
            session.out.say(text)
    else:
        _tell(session, result, way, is_applied=is_applied)


def _tell(session: Session, result: "Import", way: "list[Step]", *, is_applied: bool) -> None:
    """The report for people."""
    from certward.cli.importing import report

    out = session.out
    for text in result.unread:
        out.warn(text)
    out.heading(f"From cert-manager to Certward: {report.headline(result)}")
    if not result.findings:
        out.line("There is nothing of cert-manager here.")
        return
    out.table(
        ["Object", "Outcome", "Becomes"],
        [[str(f.source), str(f.outcome), ", ".join(f.becomes)] for f in result.findings],
    )
    out.line()
    out.heading("What to know of each")
    for one in result.findings:
        if one.notes:
            out.line(f"{one.source}: {one.outcome}")
            for text in report.note_lines(one):
                out.line(f"  - {text}")
    out.line()
    out.heading("What is written" if is_applied else "What would be written")
    for text in report.written(result) or ["nothing"]:
        out.line(text)
    for text in result.there:
        out.line(f"{text} is there already")
    out.line()
    out.heading("The way on")
    for number, step in enumerate(way, 1):
        out.line(f"{number}. {step.title}")
        for line in step.commands:
            out.line(f"     {line}")


def _adopt(session: Session, result: "Import", operator_namespace: str, *, is_applied: bool) -> None:
    """Take accounts over, or tell which would be."""
    from certward.cli.importing import writing

    for account, why_not in writing.accounts_to_adopt(session, result, operator_namespace):
        held = f"Secret {account.held.namespace}/{account.held.name}"
        if why_not:
            session.out.say(f"The account of {account.issuer} is not adopted: {why_not}")
        elif is_applied:
            writing.adopt(session, account, operator_namespace)
        else:
            session.out.say(f"The account of {account.issuer} would be adopted from {held} (with --apply).")
