"""What can go wrong for whoever types a command, as a sentence and an exit code that scripts can rely on."""

import enum
from collections.abc import Mapping
from typing import Any


class Exit(enum.IntEnum):
    """Exit codes. They are part of the interface: docs/cli.md and `certward --help` list them."""

    DONE = 0
    FAILED = 1  # it did not come out as asked: --wait ran into a failure or its time limit, an answer was no
    USAGE = 2  # a wrong option, a value that is refused, a file that cannot be used
    NOT_FOUND = 3
    NO_RIGHTS = 4
    NO_CLUSTER = 5  # no kubeconfig, no answer, or Certward is not installed there


class CliError(Exception):
    """Ends a command.

    Attributes:
        message: one or a few sentences: what is wrong and what to do.
        code: the exit code.
    """

    def __init__(self, message: str, code: Exit) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


def failed(message: str) -> CliError:
    """It did not come out as asked."""
    return CliError(message, Exit.FAILED)


def usage(message: str) -> CliError:
    """The command cannot be meant like that."""
    return CliError(message, Exit.USAGE)


def not_found(message: str) -> CliError:
    """Something that was named is not there."""
    return CliError(message, Exit.NOT_FOUND)


def no_rights(message: str) -> CliError:
    """The user may not."""
    return CliError(message, Exit.NO_RIGHTS)


def no_cluster(message: str) -> CliError:
    """There is no cluster with Certward to talk to."""
    return CliError(message, Exit.NO_CLUSTER)


_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _CONFLICT, _GONE = 401, 403, 404, 409, 410
_BAD_REQUEST, _UNPROCESSABLE, _TOO_MANY = 400, 422, 429
#: Who may write what, by the roles that Certward adds to the cluster's own ones.
_ROLE = {"apps": "edit", "domains": "edit", "tlspolicies": "admin", "secrets": "edit"}


def refusal(status: int, body: Mapping[str, Any], *, verb: str, what: str, plural: str, namespace: str) -> CliError:
    """What an error answer of the API server means for the user.

    Args:
        status: of the HTTP answer.
        body: the Status object of the answer; empty where it was something else.
        verb: of Kubernetes: get, list, create, patch, delete.
        what: the object in words, such as "Domain www".
        plural: the resource with its group, such as "domains.certward.dev".
        namespace: in which; empty for all.
    """
    message = str(body.get("message") or "")
    if status == _UNAUTHORIZED:
        return no_rights("The cluster does not accept your credentials. Log in again, or choose another --context.")
    if status == _FORBIDDEN:
        return _forbidden(body, verb=verb, what=what, plural=plural, namespace=namespace)
    if status == _NOT_FOUND and not body.get("details"):
        return no_cluster(
            f"This cluster knows no {plural}: Certward is not installed there, or its definitions (CRDs) are missing. "
            "Is it the right --context?"
        )
    if status in (_NOT_FOUND, _GONE):
        return not_found(message or f"{what} is not there.")
    if status == _CONFLICT and body.get("reason") == "AlreadyExists":
        return failed(f"{what} is there already.")
    if status == _CONFLICT:
        return failed(f"{what} was changed by somebody else at the same time. Look at it, then try again: {message}")
    if status in (_BAD_REQUEST, _UNPROCESSABLE):
        return usage(f"The cluster refuses {what}: {_in_words(message)}")
    if status == _TOO_MANY:
        return failed("The cluster has too much to do just now. Try again in a moment.")
    return no_cluster(f"The cluster answered {status} to {verb} {what}: {message or 'no reason given'}")


def _forbidden(body: Mapping[str, Any], *, verb: str, what: str, plural: str, namespace: str) -> CliError:
    message, causes = str(body.get("message") or ""), (body.get("details") or {}).get("causes") or ()
    if " cannot " in message:
        return no_rights(_missing_right(message, verb, plural, namespace))
    if any(cause.get("reason") == "NamespaceTerminating" for cause in causes):
        return not_found(f"Namespace {namespace} is being deleted, so that {what} cannot come into it.")
    return no_rights(f"The cluster refuses to {verb} {what}: {message}")


def _missing_right(message: str, verb: str, plural: str, namespace: str) -> str:
    account = message.split('User "', 1)[-1].split('"', 1)[0] if 'User "' in message else ""
    resource = plural.split(".", 1)[0]
    role = "view" if verb in ("get", "list", "watch") and resource != "secrets" else _ROLE.get(resource)
    if not namespace:
        where, advice = "in all namespaces", " Leave out -A, or ask your administrator."
    else:
        where = f"in namespace {namespace}"
        advice = f" The role {role} in that namespace has it: ask your administrator." if role else ""
    whose = f"Your account {account}" if account else "Your account"
    return f"{whose} has no right to {verb} {plural} {where}.{advice}"


def _in_words(message: str) -> str:
    """The API server's message without the name of the object in front of it."""
    _, found, rest = message.partition(" is invalid: ")
    return (rest if found else message).strip()
