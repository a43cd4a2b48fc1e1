"""What an account is granted by RBAC and what it has used, as the audit log tells; and what one has without the other.

A right is the smallest thing that RBAC can grant or keep: one verb on one resource, of one name or of any, in one
namespace or in all. So each can be looked at by itself, whichever rules it was written in.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

Object = Mapping[str, Any]

ANY = ""
_CREATED = 201
#: Requests whose authorization knows no name, although the audit log fills it in from the body.
_NAMELESS = ("create", "list", "watch", "deletecollection")


class Right(NamedTuple):
    """What a rule grants.

    Attributes:
        namespace: where; ANY for the whole cluster, kinds without a namespace among them.
        group: of the API; empty for the core.
        resource: in its plural, with subresource: `domains/status`.
        verb: as RBAC has it.
        name: of this object only; ANY for all.
    """

    namespace: str
    group: str
    resource: str
    verb: str
    name: str = ANY

    def covers(self, use: "Use") -> bool:
        """Whether RBAC lets a request pass by this right alone."""
        return (
            self.namespace in (ANY, use.namespace)
            and (self.group, self.resource, self.verb) == (use.group, use.resource, use.verb)
            and self.name in (ANY, use.name)
        )


class Use(NamedTuple):
    """What was asked for; fields as those of a Right, but empty are the namespace of a request over all and no name."""

    namespace: str
    group: str
    resource: str
    verb: str
    name: str = ""


def granted(objects: Iterable[Object], account: str, namespace: str) -> set[Right]:
    """What the roles among some objects grant to a ServiceAccount by the bindings among them.

    Args:
        objects: such as kustomize or Helm render; what is neither a role nor a binding is passed over.
        account: the name of the ServiceAccount.
        namespace: its namespace.

    Raises:
        KeyError: a binding refers to a role that is not among the objects.
        ValueError: a rule has a wildcard or is about something else than resources, which this does not know.
    """
    everything = list(objects)
    roles = {_place(each): each["rules"] for each in everything if each["kind"] in ("Role", "ClusterRole")}
    rights: set[Right] = set()
    for binding in everything:
        if binding["kind"] not in ("RoleBinding", "ClusterRoleBinding"):
            continue
        if not any(_is_account(subject, account, namespace) for subject in binding.get("subjects") or ()):
            continue
        where = binding["metadata"]["namespace"] if binding["kind"] == "RoleBinding" else ANY
        kind, name = binding["roleRef"]["kind"], binding["roleRef"]["name"]
        for rule in roles[kind, where if kind == "Role" else ANY, name]:
            rights |= _of_rule(rule, where)
    return rights


def used(entries: Iterable[Object]) -> set[Use]:
    """What audit events say was asked for and let through; requests that are not for resources are passed over.

    A server-side apply that makes the object needs `create` besides `patch`, and is one event: the second is seen by
    the answer 201.
    """
    uses: set[Use] = set()
    for entry in entries:
        ref = entry.get("objectRef")
        if ref is None or entry["annotations"]["authorization.k8s.io/decision"] != "allow":
            continue
        verb = entry["verb"]
        resource = "/".join(filter(None, (ref["resource"], ref.get("subresource"))))
        place = ref.get("namespace", ""), ref.get("apiGroup", ""), resource
        uses.add(Use(*place, verb, "" if verb in _NAMELESS else ref.get("name", "")))
        if verb == "patch" and entry.get("responseStatus", {}).get("code") == _CREATED:
            uses.add(Use(*place, "create", ref["name"]))
    return uses


def unneeded(rights: Iterable[Right], uses: Iterable[Use]) -> set[Right]:
    """The rights without each of which every use would still be allowed; of two that are the same, both."""
    rights = list(rights)
    needed: set[Right] = set()
    for use in uses:
        by = [right for right in rights if right.covers(use)]
        if len(by) == 1:
            needed.update(by)
    return set(rights) - needed


def refused(rights: Iterable[Right], uses: Iterable[Use]) -> set[Use]:
    """The uses that these rights do not allow."""
    rights = list(rights)
    return {use for use in uses if not any(right.covers(use) for right in rights)}


def too_wide(rights: Iterable[Right], uses: Iterable[Use], own: str) -> set[Right]:
    """The rights in the whole cluster that were needed in the namespace `own` only.

    Left out is `get` where `list` is granted in the whole cluster anyway: it shows nothing more.
    """
    rights, uses = set(rights), list(uses)
    wide: set[Right] = set()
    for right in rights:
        places = {use.namespace for use in uses if right.covers(use)}
        is_shown = right.verb == "get" and right._replace(verb="list", name=ANY) in rights
        if right.namespace == ANY and places == {own} and not is_shown:
            wide.add(right)
    return wide


def in_words(what: Right | Use) -> str:
    """As in "patch domains.certward.dev/status of certward in certward-system"."""
    plural, _, sub = what.resource.partition("/")
    words = f"{what.verb} {plural}{f'.{what.group}' if what.group else ''}{f'/{sub}' if sub else ''}"
    return words + (f" of {what.name}" if what.name else "") + (f" in {what.namespace}" if what.namespace else "")


def _place(role: Object) -> tuple[str, str, str]:
    meta = role["metadata"]
    return role["kind"], meta.get("namespace", ANY) if role["kind"] == "Role" else ANY, meta["name"]


def _is_account(subject: Object, account: str, namespace: str) -> bool:
    told = subject["kind"], subject.get("namespace"), subject["name"]
    return told == ("ServiceAccount", namespace, account)


def _of_rule(rule: Object, where: str) -> set[Right]:
    if rule.keys() - {"apiGroups", "resources", "resourceNames", "verbs"}:
        raise ValueError(f"this rule is about something else than resources: {rule}")
    rights = {
        Right(where, group, resource, verb, name)
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames") or (ANY,)
    }
    if any("*" in part for right in rights for part in right):
        raise ValueError(f"this rule has a wildcard: {rule}")
    return rights
