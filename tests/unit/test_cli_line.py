"""The command line as it is typed: help, wrong usage, where options may stand, what is loaded when."""

import os
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
import typer
from typer.testing import CliRunner

from certward import __version__
from certward.cli import command as commands
from certward.cli import domains, gitops, main, tls_policy, view
from certward.cli.errors import Exit
from certward.model.profiles import PROFILE_NAMES

RUNNER = CliRunner()
GROUPS = ["", "domains", "certs", "certs auto", "tls"]


@pytest.mark.parametrize("group", GROUPS)
def test_help_of_groups(group: str) -> None:
    told = RUNNER.invoke(main.app, [*group.split(), "--help"])

    assert told.exit_code == 0
    for option in ("--namespace", "--all-namespaces", "--app", "--output", "--context", "--kubeconfig"):
        assert option in told.output


def test_help_lists_the_exit_codes() -> None:
    told = RUNNER.invoke(main.app, ["--help"]).output

    for code in Exit:
        assert f"  {int(code)}  " in told


def test_the_version() -> None:
    assert RUNNER.invoke(main.app, ["--version"]).output == f"certward {__version__}\n"


@pytest.mark.parametrize(
    "line",
    ["nonsense", "certs nonsense", "domains -o xml", "domains add", "tls set newest", "certs auto enable --timeout 0"],
)
def test_wrong_usage(line: str) -> None:
    told = RUNNER.invoke(main.app, line.split())

    assert told.exit_code == Exit.USAGE
    assert "Error: " in told.stderr
    assert not told.stdout


@pytest.mark.parametrize("line", ["", "import"])
def test_what_has_nothing_to_list_shows_its_help(line: str) -> None:
    told = RUNNER.invoke(main.app, line.split())

    assert (told.exit_code, told.stderr) == (0, "")
    assert told.stdout.startswith("Usage: ")


@pytest.mark.parametrize("line", ["", "domains", "certs", "certs auto", "tls", "import"])
def test_what_commands_do_is_told_in_whole_sentences(line: str) -> None:
    told = RUNNER.invoke(main.app, [*line.split(), "--help"]).stdout

    assert "..." not in told.partition("Commands:")[2]


def test_a_value_that_is_refused_is_told_with_those_that_are_not() -> None:
    told = RUNNER.invoke(main.app, ["domains", "-o", "wide"]).stderr

    assert "'--output': 'wide' is not one of 'table', 'json', 'yaml'." in told


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("domains add www.example.com -n a -A", "choose one of them"),
        ("domains add 10.0.0.1", "not a hostname"),
        ("domains add a.example.com b.example.com --name x", "one by one"),
        ("certs add only.crt", "Name two files"),
        ("certs add a b --secret c", "Name two files"),
        ("tls impact --revision 1999-01 --kubeconfig /nowhere", "no kubeconfig at /nowhere"),
    ],
)
def test_errors_are_one_sentence_on_stderr(line: str, told: str) -> None:
    result = RUNNER.invoke(main.app, line.split())

    assert result.exit_code in (Exit.USAGE, Exit.NO_CLUSTER)
    assert told in result.stderr
    assert "Traceback" not in result.stderr
    assert not result.stdout


@pytest.mark.parametrize(
    "line",
    [
        "-n team-a -o json things list -a shop",
        "things -n team-a -a shop list -o json",
        "-n other -a blog things list -n team-a -o json -a shop",
    ],
)
def test_common_options_stand_anywhere_and_the_last_counts(line: str) -> None:
    seen = []
    app = typer.Typer()
    app.callback()(commands.with_common(lambda _ctx: None))
    things = commands.group("Things.", lambda _session: None)
    app.add_typer(things, name="things")

    @commands.command(things, "list")
    def _list(session: commands.Session) -> None:
        seen.append((session.flags.namespace, session.flags.app, str(session.flags.output)))

    assert RUNNER.invoke(app, line.split()).exit_code == 0
    assert seen == [("team-a", "shop", "json")]


def test_help_comes_without_loading_what_is_slow() -> None:
    program = "import sys, certward.cli.main; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}

    assert not loaded & {"kubernetes", "kopf", "cryptography", "acme", "rich", "yaml", "urllib3", "aiohttp"}


def test_the_operator_is_no_part_of_the_command_line() -> None:
    scripts = Path(sys.executable).parent
    told = subprocess.run([scripts / "kubectl-certward", "--help"], capture_output=True, text=True, check=True).stdout
    operator = [sys.executable, "-m", "certward", "--help"]

    assert told.startswith("Usage: kubectl certward ")
    assert "--check-config" in subprocess.run(operator, capture_output=True, text=True, check=True).stdout


def test_kubectl_completes_lines() -> None:
    program = Path(sys.executable).parent / "kubectl_complete-certward"

    def told(*words: str) -> list[str]:
        environment = {**os.environ, "KUBECONFIG": "/nowhere"}
        done = subprocess.run([program, *words], capture_output=True, text=True, check=True, env=environment)
        return done.stdout.split()

    assert told("certs", "a") == ["add", "auto", ":4"]
    assert told("tls", "-o", "") == ["table", "json", "yaml", ":4"]
    assert told("certs", "add", "") == [":0"]  # files
    assert told("certs", "-a", "") == [":0"]  # without a cluster there are no names, and no error


@pytest.mark.parametrize(
    ("hostname", "name"),
    [
        ("www.example.com", "www-example-com"),
        ("*.example.com", "wildcard-example-com"),
    ],
)
def test_names_of_domains(hostname: str, name: str) -> None:
    assert domains.domain_name(hostname, {}) == name
    assert domains.domain_name(hostname, {name: hostname}) == name


@pytest.mark.parametrize(
    ("first", "second"),
    [("a-b.example.com", "a.b.example.com"), ("*.example.com", "wildcard.example.com")],
)
def test_hostnames_that_come_to_the_same_name_have_names_of_their_own(first: str, second: str) -> None:
    plain = domains.domain_name(first, {})
    name = domains.domain_name(second, {plain: first})

    assert domains.domain_name(second, {}) == plain
    assert name.startswith(f"{plain}-")
    assert len(name) == len(plain) + 9


def test_long_hostnames_that_begin_alike_have_names_of_their_own() -> None:
    names = [domains.domain_name(f"{'a' * 60}.{end}.example.com", {}) for end in "abc"]

    assert len(set(names)) == 3
    assert {len(name) for name in names} == {63}
    assert names[0] == domains.domain_name(f"{'a' * 60}.a.example.com", {})


@pytest.mark.parametrize(
    ("metadata", "tool"),
    [
        ({}, ""),
        ({"labels": {"app.kubernetes.io/instance": "shop"}}, ""),
        ({"annotations": {"argocd.argoproj.io/tracking-id": "shop:certward.dev/App:team-a/shop"}}, "Argo CD"),
        ({"labels": {"argocd.argoproj.io/instance": "shop"}}, "Argo CD"),
        ({"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}}, "Flux"),
        ({"labels": {"helm.toolkit.fluxcd.io/name": "shop"}}, "Flux"),
        ({"managedFields": [{"manager": "kubectl"}, {"manager": "kustomize-controller"}]}, "Flux"),
    ],
)
def test_who_keeps_an_object_in_git(metadata: dict[str, object], tool: str) -> None:
    assert gitops.manager_of({"metadata": metadata}) == tool


@pytest.mark.parametrize(
    ("hostname", "is_apex"),
    [("example.com", True), ("www.example.com", False), ("example.co.uk", True), ("shop.example.co.uk", False)],
)
def test_an_apex_admits_no_cname(hostname: str, is_apex: bool) -> None:
    assert view.is_apex(hostname) is is_apex


@pytest.mark.parametrize(
    ("lowest", "highest", "told"),
    [("TLSv1.2", "TLSv1.3", "TLS 1.2 to 1.3"), ("TLSv1.3", "TLSv1.3", "TLS 1.3"), ("", "", "")],
)
def test_versions(lowest: str, highest: str, told: str) -> None:
    assert view.versions(lowest, highest) == told


def test_profiles_that_can_be_set_are_those_that_there_are() -> None:
    assert get_args(tls_policy.ProfileName) == PROFILE_NAMES
