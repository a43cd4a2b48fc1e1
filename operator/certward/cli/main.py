"""The entry of `kubectl certward` and `certward`: the groups of commands put together.

Modules of commands import what is slow (the `kubernetes` package, cryptography) where they use it, so that --help and
the completion of shells come at once.
"""

import contextlib
import io
import os
import shlex
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from certward import __version__
from certward.cli import certs, dashboard, domains, migrate, tls, tls_policy, tls_upgrade
from certward.cli.command import with_common
from certward.cli.doctor import command as doctor
from certward.cli.explain import command as explain
from certward.cli.importing import command as importing

EXIT_CODES = """\b
Exit codes:
  0  done
  1  it did not come out as asked (a failure, or the time limit of --wait)
  2  wrong usage: an option, a value or a file that cannot be used
  3  not found: no such App, Domain or certificate
  4  no rights
  5  no cluster: no kubeconfig, no answer, or Certward is not installed there
"""


class Root(TyperGroup):
    """All commands. What pydantic says of a value that is refused is told without its own preamble."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - its type is private to typer
        """Read the options before the first command."""
        with _in_words():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> object:  # noqa: ANN401
        """Run the command."""
        with _in_words():
            return super().invoke(ctx)


@contextlib.contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except typer.BadParameter as error:
        error.message = error.message.removeprefix("Value error, ")
        raise


app = typer.Typer(
    help="Hostnames, certificates and TLS of your apps.\n\nAutomatic certificates: kubectl certward certs auto enable",
    epilog=EXIT_CODES,
    cls=Root,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"certward {__version__}")
        raise typer.Exit


def _root(
    ctx: typer.Context,
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    del version
    if ctx.invoked_subcommand is None:  # as kubectl: help, and no error
        typer.echo(ctx.get_help())


app.callback(invoke_without_command=True)(with_common(_root))
app.add_typer(domains.group, name="domains")
app.add_typer(certs.group, name="certs")
app.add_typer(tls.group, name="tls")
app.add_typer(explain.group)
app.add_typer(doctor.group)
app.add_typer(dashboard.group)
app.add_typer(importing.group, name="import")
#: Modules that add their commands to a group when they are loaded.
COMMANDS = (migrate, tls_policy, tls_upgrade)


def main() -> None:
    """Run the command line and exit."""
    # kubectl runs its plugin by the name kubectl-certward; people type it with a blank.
    is_plugin = sys.argv[0].endswith("kubectl-certward")
    app(prog_name="kubectl certward" if is_plugin else "certward")


def complete() -> None:
    """Answer kubectl, which asks a program kubectl_complete-NAME for the words that complete a line of a plugin.

    It gives the words behind the plugin's name, the one to be completed last, and reads candidates, one a line, and a
    directive: 4 for these and no files, 0 for files (ShellCompDirective of github.com/spf13/cobra).
    """
    words = ["certward", *(sys.argv[1:] or [""])]
    os.environ |= {
        "_CERTWARD_COMPLETE": "complete_bash",
        "COMP_WORDS": shlex.join(words),
        "COMP_CWORD": str(len(words) - 1),
    }
    told = io.StringIO()
    with contextlib.redirect_stdout(told), contextlib.suppress(SystemExit):
        app(prog_name="certward")
    found = told.getvalue().split()
    sys.stdout.write("".join(f"{word}\n" for word in found) + (":4\n" if found else ":0\n"))


if __name__ == "__main__":
    main()
