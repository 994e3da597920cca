"""Does a role trust whoever asks for a session of it? Its trust policy, decided by the policy engine. Pure.

A Deny that applies wins, and an Allow has to name the caller. What nobody here can tell (a condition key that is
neither there nor known not to be) keeps an Allow from applying, and a Deny not.

Source: the IAM user guide, "How to use trust policies".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from hatoba.gateway.call import Principal
from hatoba.gateway.membership import Level
from hatoba.policy.document import read
from hatoba.policy.principals import Caller
from hatoba.policy.request import UNKNOWN, Request, Values
from hatoba.policy.rules import Bundle, compile_document

Context = Mapping[str, str | Sequence[str] | None]  # condition keys; None: known not to be there
_REMEMBERED = 256  # policies, compiled; each has 2,048 characters at most
_COMPLETE = ("aws:requesttag/", "aws:principaltag/")  # of these all that there are are known


def allows(document: str, action: str, principal: Principal, services: Iterable[str], context: Context) -> bool:
    """`services` are the service principals that the caller acts as. A room is trusted as them alone."""
    if principal.kind == "anonymous":
        return False
    if principal.kind == "service":
        return _decide(document, action, Caller(services=frozenset(services)), context)
    caller = Caller(
        account=principal.account,
        arn=principal.arn,
        id=principal.id,
        role=principal.role or "",
        user=(principal.session.user or "") if principal.session is not None else "",
        root=principal.kind == "root",
        services=frozenset(services),
    )
    return _decide(document, action, caller, context)


def allows_federated(document: str, action: str, provider: str, context: Context) -> bool:
    """For whoever a provider (an ARN) vouches for, who is nobody of the account."""
    return _decide(document, action, Caller(provider=provider), context)


def guarded(levels: Iterable[Level], action: str, role: str, provider: str, context: Context) -> bool:
    """Whether the organisation of the role's account lets it be taken: each level has to allow, and any may deny. Where
    somebody of an account asks, the authorizer sees to it."""
    request = Request(action, role, Caller(provider=provider), _Known(context))
    bundles = [_level(level) for level in levels]
    return all(bundle.deny(request) is None and bundle.allow(request) is not None for bundle in bundles)


class _Known:
    """Implements `policy.request.Context`."""

    def __init__(self, context: Context) -> None:
        self._known = {name.lower(): value for name, value in context.items()}

    def get(self, key: str) -> Values | None:
        if key not in self._known:
            return None if key.startswith(_COMPLETE) else UNKNOWN
        value = self._known[key]
        if value is None:
            return None
        return (value,) if isinstance(value, str) else tuple(value)


def _decide(document: str, action: str, caller: Caller, context: Context) -> bool:
    trust = _compiled(document)
    request = Request(action, "*", caller, _Known(context))
    return trust.deny(request) is None and trust.grant(request)[1] is not None


@lru_cache(_REMEMBERED)
def _level(level: Level) -> Bundle:
    return Bundle([(name, compile_document(read(text))) for name, text in level])


@lru_cache(_REMEMBERED)
def _compiled(document: str) -> Bundle:
    return Bundle([("trust policy", compile_document(read(document)))])
