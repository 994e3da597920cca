"""What policies of all kinds say together. Pure.

    an explicit Deny anywhere ─ the organisation's limits ─ the resource's policy ─ the principal's policies
    ─ its boundary ─ the session's policies

Each kind that is there has to allow, but for the resource's policy: within an account it may grant by itself, and then
how it names the caller decides what is not asked any more (`principals.Named`). From another account it has to grant,
beside all that the caller's own account says. Some resources' policies (KMS keys, roles) are asked within the account
too: unless they name the account, its own policies do not count.

Sources: the IAM user guide, "Policy evaluation logic", "Cross-account policy evaluation logic", "Troubleshoot access
denied error messages".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from hatoba.policy.principals import Named
from hatoba.policy.request import Request
from hatoba.policy.rules import Bundle, Rule

Kind = Literal[
    "service control policy",
    "resource control policy",
    "resource-based policy",
    "identity-based policy",
    "permissions boundary",
    "session policy",
    "VPC endpoint policy",
]
_ARTICLES = {"identity-based policy": "an"}


class Applicable(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The policies that apply to a request. What is None does not limit."""

    identity: Bundle
    boundary: Bundle | None = None
    session: Bundle | None = None
    resource: Bundle | None = None
    control: tuple[Bundle, ...] = ()  # service control policies, level by level
    resource_control: tuple[Bundle, ...] = ()
    endpoint: Bundle | None = None  # of the VPC endpoint through which the request came
    same_account: bool = True  # the resource's and the caller's
    trusts_account: bool = True  # False: the resource's policy has to name the account, or the caller


class Decision(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """`by`: the kind of policy that decided, None for a root without any. `rule`: the statement; None where it is one
    that is missing. `policy`: what its policy is called."""

    allowed: bool
    explicit: bool = False  # a Deny that applies
    by: Kind | None = None
    rule: Rule | None = None
    policy: str = ""

    def why(self, action: str) -> str:
        """The end of a sentence that says who is not authorised to do what."""
        if self.explicit:
            return f"with an explicit deny in {_ARTICLES.get(self.by or '', 'a')} {self.by}"
        return f"because no {self.by} allows the {action} action"


def decide(request: Request, policies: Applicable) -> Decision:
    for kind, bundle in _all(policies):
        denying = bundle.deny(request)
        if denying is not None:
            return Decision(allowed=False, explicit=True, by=kind, rule=denying, policy=bundle.called(denying))
    limited = _limits(request, policies)
    if limited is not None:
        return limited
    named, granting = policies.resource.grant(request) if policies.resource is not None else (Named.NOT, None)
    if not policies.same_account:
        if named is Named.NOT:
            return _missing("resource-based policy")
    elif named is Named.DIRECTLY:
        return _allowed("resource-based policy", policies.resource, granting)
    elif not policies.trusts_account and named is Named.NOT:
        return _missing("resource-based policy")
    if request.caller.root:
        return Decision(allowed=True)
    if not request.caller.account:
        # No account of its own in which to ask: an anonymous caller, a service for itself, an outside identity.
        if named is Named.DIRECTLY:
            return _allowed("resource-based policy", policies.resource, granting)
        return _missing("resource-based policy")
    if policies.same_account and named is Named.ROLE:
        return _within(request, policies) or _allowed("resource-based policy", policies.resource, granting)
    allowing = policies.identity.allow(request)
    if allowing is None:
        return _missing("identity-based policy")
    return _within(request, policies) or _allowed("identity-based policy", policies.identity, allowing)


def _all(policies: Applicable) -> Iterator[tuple[Kind, Bundle]]:
    yield from (("resource control policy", bundle) for bundle in policies.resource_control)
    yield from (("service control policy", bundle) for bundle in policies.control)
    if policies.resource is not None:
        yield "resource-based policy", policies.resource
    yield "identity-based policy", policies.identity
    if policies.boundary is not None:
        yield "permissions boundary", policies.boundary
    if policies.session is not None:
        yield "session policy", policies.session
    if policies.endpoint is not None:
        yield "VPC endpoint policy", policies.endpoint


def _limits(request: Request, policies: Applicable) -> Decision | None:
    """Every level of an organisation has to allow, and the endpoint, whoever asks."""
    if not all(bundle.allow(request) for bundle in policies.resource_control):
        return _missing("resource control policy")
    if not all(bundle.allow(request) for bundle in policies.control):
        return _missing("service control policy")
    if policies.endpoint is not None and policies.endpoint.grant(request)[0] is Named.NOT:
        return _missing("VPC endpoint policy")
    return None


def _within(request: Request, policies: Applicable) -> Decision | None:
    """What a boundary or a session's policies do not allow."""
    if policies.boundary is not None and policies.boundary.allow(request) is None:
        return _missing("permissions boundary")
    if policies.session is not None and policies.session.allow(request) is None:
        return _missing("session policy")
    return None


def _missing(kind: Kind) -> Decision:
    return Decision(allowed=False, by=kind)


def _allowed(kind: Kind, bundle: Bundle | None, rule: Rule | None) -> Decision:
    name = bundle.called(rule) if bundle is not None and rule is not None else ""
    return Decision(allowed=True, by=kind, rule=rule, policy=name)
