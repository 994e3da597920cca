"""What a principal's own policies say: compiled once, and exactly as current as the records that they come from.

A `Standing` remembers the records it was made of, and the account's place in its organisation. As long as that is the
same and IAM's tables were not written to at all, it holds without a look; after a write to any of them the records are
found again, and it holds if they are the same ones. So a change of a user, a group, a membership, a role, a policy's
default version or a boundary shows in the next request, and a change of anything else costs one look.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec.structs import replace

from hatoba.core import arn as arns
from hatoba.core.keys import Scope
from hatoba.gateway.call import Principal
from hatoba.gateway.membership import Membership, Memberships
from hatoba.policy.compiler import Compiler, Latest
from hatoba.policy.decision import Applicable
from hatoba.policy.principals import Caller
from hatoba.services.iam import managed, model
from hatoba.services.iam.model import GROUP, POLICY, ROLE, USER, Group, Policy, Role, User, is_managed_by_aws
from hatoba.store import Table
from hatoba.store.store import View

_TABLES: tuple[Table[Any], ...] = (model.users, model.groups, model.roles, model.policies)
_PRINCIPALS = 512  # whose standings are remembered

_EVERYTHING = (
    "everything",
    '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}',
)

Named = tuple[str, str]  # what a policy is called, and its text


class Papers(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A principal's policies as texts, and of which records they were taken."""

    records: tuple[object, ...] = ()
    identity: tuple[Named, ...] = ()
    boundary: Named | None = None
    session: tuple[Named, ...] | None = None  # what limits a session; None: nothing does
    holder: str = ""  # the ARN of the user or role whose tags the principal has


class Standing(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    caller: Caller
    service: Caller  # a room that asks for a resource: also as the service that it is
    papers: Papers
    place: Membership | None = None  # the account's, in its organisation
    policies: Applicable  # to a resource of the same account that has no policy of its own


class Standings:
    def __init__(self, view: View, compiler: Compiler, memberships: Memberships) -> None:
        self._view = view
        self._memberships = memberships
        self._compiler = compiler
        self._known: Latest[Principal, tuple[tuple[int, ...], Standing]] = Latest(_PRINCIPALS)

    def of(self, principal: Principal) -> Standing:
        stamp = tuple([self._view.changes(table) for table in _TABLES])
        known = self._known.get(principal)
        place = self._place(principal)
        if known is not None and known[1].place is not place:
            known = None
        if known is not None and known[0] == stamp:
            return known[1]
        papers = papers_of(self._view, principal)
        if known is not None and _same(known[1].papers, papers):
            standing = known[1]
        else:
            standing = self._standing(principal, papers, place)
        self._known.put(principal, (stamp, standing))
        return standing

    def _place(self, principal: Principal) -> Membership | None:
        if not principal.account or principal.kind == "anonymous":
            return None
        return self._memberships.of(principal.arn.split(":", 2)[1], principal.account)

    def _standing(self, principal: Principal, papers: Papers, place: Membership | None) -> Standing:
        caller, host = caller_of(principal), service_of(principal)
        service = replace(caller, services=frozenset([host])) if host else caller
        policies = self._compiled(papers, None if principal.kind == "service" else place)
        return Standing(caller=caller, service=service, papers=papers, place=place, policies=policies)

    def _compiled(self, papers: Papers, place: Membership | None) -> Applicable:
        """`place`: whose control policies limit; None for service-linked roles, which nobody's do."""
        bundle = self._compiler.bundle
        return Applicable(
            identity=bundle(*papers.identity),
            boundary=None if papers.boundary is None else bundle(papers.boundary),
            session=None if papers.session is None else bundle(*papers.session),
            control=() if place is None else tuple(bundle(*level) for level in place.service_control),
        )


def _same(before: Papers, now: Papers) -> bool:
    return len(before.records) == len(now.records) and all(
        one is other for one, other in zip(before.records, now.records, strict=True)
    )


def caller_of(principal: Principal) -> Caller:
    """As the policy engine knows somebody. A room acts as its service-linked role."""
    if principal.kind == "anonymous":
        return Caller()
    session = principal.session
    return Caller(
        account=principal.account,
        arn=principal.arn,
        id=principal.id,
        role=principal.role or "",
        user=(session.user or "") if session is not None else "",
        root=principal.kind == "root",
    )


def service_of(principal: Principal) -> str:
    """The service principal that a room acts as: `ecs.amazonaws.com`; "" for anybody else."""
    if principal.kind != "service":
        return ""
    if principal.role is None:  # it comes from no account
        return f"{principal.id.rpartition(':')[2]}.amazonaws.com"
    return principal.role.partition(":role/aws-service-role/")[2].partition("/")[0]


# --- whose policies


def papers_of(view: View, principal: Principal) -> Papers:
    papers = _own(view, principal)
    context = principal.session
    if context is None:
        return papers
    # A federated user's session may do nothing but what its policies say; a role's all that the role may, without.
    limited = context.policy is not None or context.policy_arns or principal.kind == "federated"
    records = list(papers.records)
    given: list[Named] = [] if context.policy is None else [("SessionPolicy", context.policy)]
    scope = Scope(principal.arn.split(":")[1], principal.account, "")
    for arn in context.policy_arns:
        given += _managed(view, scope, arn, records)
    return replace(papers, records=tuple(records), session=tuple(given) if limited else None)


def _own(view: View, principal: Principal) -> Papers:
    match principal.kind:
        case "service":
            return _of_service(principal)
        case "role":
            return _of_role(view, principal)
        case "user":
            return _of_user(view, principal.arn, principal.id)
        case "federated":
            user = principal.session.user if principal.session is not None else None
            if user is not None and user.endswith(":root"):
                return Papers(identity=(_EVERYTHING,))  # and what the session's policies leave of it
            return _of_user(view, user or "")
    return Papers()


def _of_service(principal: Principal) -> Papers:
    parsed = arns.parse(principal.role or "")
    if parsed is None:
        return Papers()
    linked = managed.of_linked_role(parsed.resource.rpartition("/")[2], parsed.partition)
    texts = ((arn, managed.document(arn)) for arn in linked)
    return Papers(identity=tuple((arn, text) for arn, text in texts if text is not None))


def _of_role(view: View, principal: Principal) -> Papers:
    """None for the session of a role that was deleted, and perhaps made again: that is another one."""
    role = ROLE.by_arn(view, principal.role or "")
    if role is None or role.unique != principal.id.partition(":")[0]:
        return Papers()
    return of_holder(view, role)


def _of_user(view: View, arn: str, unique: str = "") -> Papers:
    user = USER.by_arn(view, arn)
    if user is None or unique not in ("", user.unique):
        return Papers()
    return of_holder(view, user)


def of_holder(view: View, holder: User | Group | Role) -> Papers:
    """All that somebody's permissions come from: their own policies, and those of a user's groups."""
    holders: list[User | Group | Role] = [holder]
    if isinstance(holder, User):
        found = (GROUP.find(view, holder.scope, group) for group in holder.groups)
        holders += [group for group in found if group is not None]
    records: list[object] = list(holders)
    identity: list[Named] = []
    for each in holders:
        identity += each.inline.items()
        for arn in each.attached:
            identity += _managed(view, holder.scope, arn, records)
    boundary: Named | None = None
    if holder.boundary is not None:
        # One that is not there allows nothing.
        text = next((text for _, text in _managed(view, holder.scope, holder.boundary, records)), _NOTHING)
        boundary = (holder.boundary, text)
    return Papers(records=tuple(records), identity=tuple(identity), boundary=boundary, holder=_arn(holder))


_NOTHING = '{"Statement": []}'


def _arn(holder: User | Group | Role) -> str:
    match holder:
        case User():
            return USER.arn(holder)
        case Role():
            return ROLE.arn(holder)
        case Group():
            return GROUP.arn(holder)


def _managed(view: View, scope: Scope, arn: str, records: list[object]) -> Iterator[Named]:
    """A managed policy's text, AWS's or a customer's; its record joins `records`. Nothing for one that is not there."""
    if is_managed_by_aws(arn):
        text = managed.document(arn)
        if text is not None:
            yield arn, text
        return
    policy = POLICY.find(view, scope, arn.rpartition("/")[2])
    records.append(policy)
    if isinstance(policy, Policy) and POLICY.arn(policy) == arn:
        yield from ((arn, version.document) for version in policy.versions if version.id == policy.default)
