"""How a command is declared: a function of a Session; the options that all commands share are added here.

They may stand before or after the name of a command (`certward -n demo certs auto -a shop`); the last one counts.
"""

import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any, Concatenate, ParamSpec

import typer

from certward.cli import completion
from certward.cli.context import Flags, Session
from certward.cli.errors import CliError, Exit, usage
from certward.cli.output import Format

P = ParamSpec("P")

NAMESPACE = Annotated[
    str | None,
    typer.Option(
        "-n",
        "--namespace",
        metavar="NAME",
        help="The namespace; by default the context's.",
        autocompletion=completion.namespaces,
    ),
]
ALL_NAMESPACES = Annotated[bool, typer.Option("-A", "--all-namespaces", help="All namespaces.")]
APP = Annotated[
    str | None,
    typer.Option(
        "-a",
        "--app",
        metavar="APP",
        help="The App; may be left out where the namespace has only one.",
        autocompletion=completion.apps,
    ),
]
OUTPUT = Annotated[
    Format | None,
    typer.Option("-o", "--output", help="How results are shown; the default is table.", show_choices=True),
]
CONTEXT = Annotated[
    str | None,
    typer.Option(
        "--context",
        metavar="NAME",
        help="The context of the kubeconfig; by default the current one.",
        autocompletion=completion.contexts,
    ),
]
KUBECONFIG = Annotated[
    str | None,
    typer.Option("--kubeconfig", metavar="FILE", help="The kubeconfig; by default $KUBECONFIG or ~/.kube/config."),
]
#: In the order in which --help lists them.
COMMON: dict[str, Any] = {
    "namespace": NAMESPACE,
    "all_namespaces": ALL_NAMESPACES,
    "app": APP,
    "output": OUTPUT,
    "context": CONTEXT,
    "kubeconfig": KUBECONFIG,
}

_DEFAULTS = {"all_namespaces": False}


def group(help_text: str, listing: Callable[[Session], int | None] | None = None) -> typer.Typer:
    """A group of commands.

    Args:
        help_text: what it is about.
        listing: what the group does without a command; help where there is nothing to list.
    """
    # Without a short help of its own, one is made that ends in the middle of the sentence.
    made = typer.Typer(help=help_text, short_help=help_text, rich_markup_mode=None, add_completion=False)

    def callback(ctx: typer.Context) -> None:
        if ctx.invoked_subcommand is None and listing is not None:
            _run(ctx, listing)
        elif ctx.invoked_subcommand is None:
            typer.echo(ctx.get_help())

    made.callback(invoke_without_command=True)(with_common(callback))
    return made


def command(
    of: typer.Typer, name: str, *examples: str
) -> Callable[[Callable[Concatenate[Session, P], int | None]], Callable[Concatenate[Session, P], int | None]]:
    """Declare a command: its function gets a Session and its own parameters, and may return an exit code.

    Args:
        of: the group that it belongs to.
        name: as it is typed.
        examples: lines for --help, without the name of the program.
    """

    def declare(
        function: Callable[Concatenate[Session, P], int | None],
    ) -> Callable[Concatenate[Session, P], int | None]:
        @functools.wraps(function)
        def run(ctx: typer.Context, **given: object) -> None:
            _run(ctx, function, **given)

        own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
        _declare(run, own)
        summary = " ".join((inspect.getdoc(function) or "").partition("\n\n")[0].split())
        of.command(name, short_help=summary, epilog=_epilog(examples))(with_common(run))
        return function

    return declare


def with_common(function: Callable[..., None]) -> Callable[..., None]:
    """Add the common options to a function that takes a typer.Context first; it reads them by `flags_of`."""

    @functools.wraps(function)
    def run(ctx: typer.Context, **given: object) -> None:
        function(ctx, **{name: value for name, value in given.items() if name not in COMMON})

    own = list(inspect.signature(function).parameters.values())[1:]
    names = {parameter.name for parameter in own}
    _declare(
        run,
        own
        + [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=_DEFAULTS.get(name), annotation=annotation)
            for name, annotation in COMMON.items()
            if name not in names
        ],
    )
    return run


def _epilog(examples: Sequence[str]) -> str | None:
    if not examples:
        return None
    return "\n".join(["\b", "Examples:", *(f"  kubectl certward {example}" for example in examples)])


def flags_of(ctx: typer.Context) -> Flags:
    """The common options as they were given, wherever in the line they stand."""
    given: dict[str, Any] = {}
    for one in reversed(list(_upwards(ctx))):
        given |= {name: value for name, value in one.params.items() if name in COMMON and value not in (None, False)}
    if given.get("namespace") and given.get("all_namespaces"):
        raise usage("-n names one namespace and -A means all: choose one of them.")
    return Flags(**given)


def _upwards(ctx: typer.Context) -> Iterator[typer.Context]:
    one: Any = ctx
    while one is not None:
        yield one
        one = one.parent


def _run(ctx: typer.Context, function: Callable[..., int | None], **given: object) -> None:
    try:
        code = function(Session(flags_of(ctx)), **given) or Exit.DONE
    except CliError as error:
        typer.echo(f"Error: {error.message}", err=True)
        code = error.code
    if code:
        raise typer.Exit(int(code))


def _declare(function: Callable[..., None], parameters: list[inspect.Parameter]) -> None:
    """Make typer see these parameters behind the context."""
    context = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    # Keyword-only, so that one without a default may follow one that has it; typer calls by keyword.
    own = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]
    # As inspect.signature reads it (PEP 362); typeshed gives functions no such attribute.
    vars(function)["__signature__"] = inspect.Signature([context, *own])
    function.__annotations__ = {parameter.name: parameter.annotation for parameter in [context, *own]}
