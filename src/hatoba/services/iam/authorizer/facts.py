"""Condition keys of a request, each found out when a policy asks for it.

What the room says in a `Need` comes first; then what is known of every request: who asks, from where, when, for whom,
and the tags of both sides. A key that is not known here is not there.

Source: the IAM user guide, "AWS global condition context keys".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime

from hatoba.aws.index import signing_name
from hatoba.core import arn as arns
from hatoba.gateway.call import Call
from hatoba.gateway.membership import Membership, Memberships
from hatoba.gateway.needs import EVERYTHING, Keys, Need
from hatoba.gateway.tags import tags
from hatoba.policy.request import Values
from hatoba.services.iam.authorizer.standing import Standing, service_of
from hatoba.store.store import View

_TYPES = {
    "root": "Account",
    "user": "User",
    "role": "AssumedRole",
    "service": "AssumedRole",
    "federated": "FederatedUser",
}
_LOOPBACK = ("127.", "::1")


class Facts:
    """Implements `policy.request.Context` for one need of a call."""

    __slots__ = ("_found", "_memberships", "_view", "call", "need", "standing")

    def __init__(self, view: View, memberships: Memberships, call: Call, standing: Standing, need: Need) -> None:
        self._view = view
        self._memberships = memberships
        self._found: dict[str, Values | None] | None = None
        self.call = call
        self.standing = standing
        self.need = need

    def get(self, key: str) -> Values | None:
        # Many statements ask for the same few keys.
        found = self._found
        if found is None:
            found = self._found = _folded(self.need.keys)
        if key not in found:
            found[key] = self._find(key)
        return found[key]

    def _find(self, key: str) -> Values | None:
        kind, slash, name = key.partition("/")
        if not slash:
            find = _GLOBAL.get(key)
            return find(self) if find is not None else self._claimed(key)
        if kind == "aws:principaltag":
            return self._principal_tag(name)
        # Services have names of their own for it: `ecs:ResourceTag/…`.
        return self._resource_tag(name) if kind.endswith(":resourcetag") else None

    def known(self) -> Iterator[tuple[str, Values]]:
        """What is told about the request where a refusal is explained."""
        yield from ((name, _values(value)) for name, value in self.need.keys.items())
        for key in _GLOBAL:
            found = self.get(key)
            if found:
                yield key, found

    def place_of(self, account: str) -> Membership | None:
        """An account's place in its organisation."""
        return self._memberships.of(self.call.scope.partition, account)

    # --- tags, and what was claimed

    def _principal_tag(self, name: str) -> Values | None:
        session = self.call.principal.session
        given = dict(session.tags) if session is not None else {}
        return _named(given, name) or _named(self._tags(self.standing.papers.holder), name)

    def _resource_tag(self, name: str) -> Values | None:
        return _named(self._tags(self.need.resource), name)

    def _tags(self, arn: str) -> Mapping[str, str]:
        parsed = arns.parse(arn)
        if parsed is None:
            return {}
        record = self._view.find(tags, parsed.scope, arn)
        return record.tags if record is not None else {}

    def _claimed(self, key: str) -> Values | None:
        """What a provider said of whom it vouched for."""
        session = self.call.principal.session
        found = [value for name, value in session.claims if name.lower() == key] if session is not None else []
        return tuple(found) or None


def _folded(given: Keys) -> dict[str, Values | None]:
    """By names in lower case. Two that differ in nothing else (tags may) have the values of both: what one of them
    satisfies does not speak for the other."""
    found: dict[str, Values | None] = {}
    for name, value in given.items():
        key = name.lower()
        found[key] = (*(found.get(key) or ()), *_values(value)) if key in found else _values(value)
    return found


def _values(said: str | object) -> Values:
    if isinstance(said, str):
        return (said,)
    assert isinstance(said, list | tuple)
    return tuple(said)


def _named(given: Mapping[str, str], name: str) -> Values | None:
    """Tags by a name in lower case; all, where several differ in nothing else: that nobody can decide."""
    found = tuple(value for key, value in given.items() if key.lower() == name)
    return found or None


# --- of every request


def _principal_arn(facts: Facts) -> Values:
    """Of a session the role's."""
    who = facts.call.principal
    return (who.role or who.arn,)


def _unless_anonymous(facts: Facts, known: str) -> str:
    """Who has not signed is nobody of the account that happens to be asked."""
    return "anonymous" if facts.call.principal.kind == "anonymous" else known


def _principal_type(facts: Facts) -> Values:
    return (_TYPES.get(facts.call.principal.kind, "Anonymous"),)


def _username(facts: Facts) -> Values | None:
    who = facts.call.principal
    return (who.arn.rpartition("/")[2],) if who.kind == "user" else None


# A service is a principal of its own where it says for which resource it asks; as its linked role it is like any role.


def _service_name(facts: Facts) -> Values | None:
    return (service_of(facts.call.principal),) if facts.call.source else None


def _is_service(facts: Facts) -> Values:
    return _flag(facts.call.source)


def _source_account(facts: Facts) -> Values | None:
    return (owner(facts.call, facts.call.source),) if facts.call.source else None


def _source_arn(facts: Facts) -> Values | None:
    return (facts.call.source,) if facts.call.source else None


def _via(facts: Facts) -> Values | None:
    return tuple(f"{signing_name(service)}.amazonaws.com" for service in facts.call.via) or None


def _first(facts: Facts) -> Values | None:
    return (_via(facts) or ())[:1] or None


def _last(facts: Facts) -> Values | None:
    return (_via(facts) or ())[-1:] or None


def _source_ip(facts: Facts) -> Values | None:
    """A public one: who comes through an endpoint of a VPC has an address there."""
    return (facts.call.address,) if facts.call.address and facts.call.way is None else None


def _vpc_source_ip(facts: Facts) -> Values | None:
    return (facts.call.address,) if facts.call.address and facts.call.way is not None else None


def _source_endpoint(facts: Facts) -> Values | None:
    return (facts.call.way.endpoint,) if facts.call.way is not None else None


def _source_vpc(facts: Facts) -> Values | None:
    return (facts.call.way.vpc,) if facts.call.way is not None else None


def _endpoint_account(facts: Facts) -> Values | None:
    return (facts.call.way.account,) if facts.call.way is not None else None


def _secure(facts: Facts) -> Values:
    """Whether nobody can listen in: what comes over loopback leaves the machine as little as what one room asks of
    another."""
    return _flag(facts.call.secure or facts.call.by or facts.call.source_ip.startswith(_LOOPBACK))


def _resource_account(facts: Facts) -> Values:
    return (facts.need.holder or owner(facts.call, facts.need.resource),)


def owner(call: Call, resource: str) -> str:
    """The account of a resource: what names none, or AWS's own, is as good as the call's."""
    if resource == EVERYTHING:
        return call.scope.account
    parsed = arns.parse(resource)
    return parsed.account if parsed is not None and parsed.account not in ("", "aws", "*") else call.scope.account


# --- organisations


def _own_place(facts: Facts) -> Membership | None:
    """Of whoever is somebody of an account: a service that asks as itself is not."""
    return None if facts.call.source else facts.standing.place


def _resource_place(facts: Facts) -> Membership | None:
    return facts.place_of(facts.need.holder or owner(facts.call, facts.need.resource))


def _source_place(facts: Facts) -> Membership | None:
    """Of the account of the resource for which a service asks."""
    call = facts.call
    return facts.place_of(owner(call, call.source)) if call.source else None


def _organization(place: Membership | None) -> Values | None:
    return None if place is None or not place.organization else (place.organization,)


def _path(place: Membership | None) -> Values | None:
    return None if place is None or not place.path else (place.path,)


# --- sessions


def _factor(facts: Facts) -> Values | None:
    session = facts.call.principal.session
    return None if session is None else _flag(session.mfa_at is not None)


def _factor_age(facts: Facts) -> Values | None:
    session = facts.call.principal.session
    if session is None or session.mfa_at is None:
        return None
    return (str(max(0, int(facts.call.now - session.mfa_at))),)


def _issued(facts: Facts) -> Values | None:
    session = facts.call.principal.session
    return None if session is None else (_date(session.issued),)


def _source_identity(facts: Facts) -> Values | None:
    session = facts.call.principal.session
    return None if session is None or session.source_identity is None else (session.source_identity,)


def _provider(facts: Facts) -> Values | None:
    session = facts.call.principal.session
    return None if session is None or session.provider is None else (session.provider,)


def _agent(facts: Facts) -> Values | None:
    return (facts.call.user_agent,) if facts.call.user_agent else None


def _flag(value: object) -> Values:
    return ("true",) if value else ("false",)


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


_GLOBAL: dict[str, Callable[[Facts], Values | None]] = {
    "aws:calledvia": _via,
    "aws:calledviafirst": _first,
    "aws:calledvialast": _last,
    "aws:currenttime": lambda facts: (_date(facts.call.now),),
    "aws:epochtime": lambda facts: (str(int(facts.call.now)),),
    "aws:federatedprovider": _provider,
    "aws:multifactorauthage": _factor_age,
    "aws:multifactorauthpresent": _factor,
    "aws:principalaccount": lambda facts: (_unless_anonymous(facts, facts.call.principal.account),),
    "aws:principalarn": _principal_arn,
    "aws:principalisawsservice": _is_service,
    "aws:principalorgid": lambda facts: _organization(_own_place(facts)),
    "aws:principalorgpaths": lambda facts: _path(_own_place(facts)),
    "aws:principalservicename": _service_name,
    "aws:principalservicenameslist": _service_name,
    "aws:principaltype": _principal_type,
    "aws:requestedregion": lambda facts: (facts.call.scope.region,),
    "aws:resourceaccount": _resource_account,
    "aws:resourceorgid": lambda facts: _organization(_resource_place(facts)),
    "aws:resourceorgpaths": lambda facts: _path(_resource_place(facts)),
    "aws:securetransport": _secure,
    "aws:sourceaccount": _source_account,
    "aws:sourcearn": _source_arn,
    "aws:sourceidentity": _source_identity,
    "aws:sourceorgid": lambda facts: _organization(_source_place(facts)),
    "aws:sourceorgpaths": lambda facts: _path(_source_place(facts)),
    "aws:sourceip": _source_ip,
    "aws:sourcevpc": _source_vpc,
    "aws:sourcevpce": _source_endpoint,
    "aws:tokenissuetime": _issued,
    "aws:useragent": _agent,
    "aws:userid": lambda facts: (_unless_anonymous(facts, facts.call.principal.id),),
    "aws:username": _username,
    "aws:vpceaccount": _endpoint_account,
    "aws:vpcsourceip": _vpc_source_ip,
    "aws:viaawsservice": lambda facts: _flag(facts.call.via),
}
