"""Answers of the API server in words, and the exit codes that go with them."""

import pytest

from certward.cli.errors import Exit, refusal

FORBIDDEN = (
    'domains.certward.dev is forbidden: User "ann" cannot create resource "domains" in API group "certward.dev" in the '
    'namespace "team-a"'
)
QUOTA = 'domains.certward.dev "www" is forbidden: exceeded quota: small, requested: count/domains.certward.dev=1'
TERMINATING = {
    "message": 'domains.certward.dev "www" is forbidden: unable to create new content in namespace team-a',
    "details": {"causes": [{"reason": "NamespaceTerminating", "field": "metadata.namespace"}]},
}
INVALID = 'Domain.certward.dev "www" is invalid: spec.hostname: Invalid value: "x": write at least two labels'


@pytest.mark.parametrize(
    ("status", "body", "code", "told"),
    [
        (401, {"message": "Unauthorized"}, Exit.NO_RIGHTS, "does not accept your credentials"),
        (
            403,
            {"message": FORBIDDEN},
            Exit.NO_RIGHTS,
            "ann has no right to create domains.certward.dev in namespace team-a",
        ),
        (403, {"message": FORBIDDEN}, Exit.NO_RIGHTS, "The role edit"),
        (403, {"message": QUOTA}, Exit.NO_RIGHTS, "exceeded quota"),
        (
            403,
            TERMINATING,
            Exit.NOT_FOUND,
            "team-a is being deleted, so that Domain www cannot come into it.",
        ),
        (404, {}, Exit.NO_CLUSTER, "Certward is not installed there"),
        (404, {"details": {"name": "www"}, "message": "www not found"}, Exit.NOT_FOUND, "www not found"),
        (409, {"reason": "AlreadyExists"}, Exit.FAILED, "Domain www is there already"),
        (409, {"reason": "Conflict", "message": "modified"}, Exit.FAILED, "by somebody else"),
        (422, {"message": INVALID}, Exit.USAGE, "refuses Domain www: spec.hostname: Invalid value"),
        (429, {}, Exit.FAILED, "too much to do"),
        (503, {"message": "etcd is away"}, Exit.NO_CLUSTER, "answered 503"),
    ],
)
def test_refusals(status: int, body: dict[str, object], code: Exit, told: str) -> None:
    error = refusal(status, body, verb="create", what="Domain www", plural="domains.certward.dev", namespace="team-a")

    assert error.code is code
    assert told in error.message


def test_a_right_that_is_missing_everywhere_names_no_role() -> None:
    message = 'x is forbidden: User "ann" cannot list resource "apps" in API group "certward.dev" at the cluster scope'
    error = refusal(403, {"message": message}, verb="list", what="App", plural="apps.certward.dev", namespace="")

    assert "ann has no right to list apps.certward.dev in all namespaces. Leave out -A" in error.message
    assert "role" not in error.message
