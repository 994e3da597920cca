"""Who asks, and whom a Principal element names. Pure.

How a principal is named decides what else its permissions depend on: an account that is named leaves it to its own
policies who of it may; a role that is named stays within its boundary and its session's policies; a user, a session or
everybody are given the permission themselves.

Sources: the IAM user guide, "AWS JSON policy elements: Principal", "… NotPrincipal", and "Policy evaluation logic".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import IntEnum

import msgspec

_ACCOUNT = re.compile(r"\d{12}")
_ROOT = re.compile(r"arn:[\w-]+:iam::\d{12}:root")


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks. Of what does not apply to somebody, nothing is said."""

    account: str = ""  # "" for the anonymous, and for services that act for themselves
    arn: str = ""  # the user's, the session's (`assumed-role`, `federated-user`), or the account's root's
    id: str = ""  # the unique id: `AIDA…`, `AROA…:session`, `account:name`
    role: str = ""  # the ARN of the role of which this is a session
    user: str = ""  # the ARN of the user who federated this session
    root: bool = False
    services: frozenset[str] = frozenset()  # service principals: `ecs-tasks.amazonaws.com`
    provider: str = ""  # who vouches for somebody without an identity of the account: a provider's ARN or name


class Named(IntEnum):
    """How somebody is named, the stronger the higher."""

    NOT = 0
    ACCOUNT = 1
    ROLE = 2
    DIRECTLY = 3


class Principals:
    """A Principal element."""

    __slots__ = ("_accounts", "_everybody", "_federated", "_names", "_services")

    def __init__(self, named: Iterable[tuple[str, str]]) -> None:
        accounts, names, services, federated = set(), set(), set(), set()
        self._everybody = False
        for kind, name in named:
            if not name:
                continue  # or it would name all of whom nothing is said
            if kind in ("*", "AWS") and name == "*":
                self._everybody = True
            elif kind == "AWS" and (_ROOT.fullmatch(name) or _ACCOUNT.fullmatch(name)):
                accounts.add(name)
            elif kind == "AWS":
                names.add(name)
            elif kind == "Service":
                services.add(name.lower())
            elif kind == "Federated":
                federated.add(name)
        self._accounts, self._names = frozenset(accounts), frozenset(names)
        self._services, self._federated = frozenset(services), frozenset(federated)

    def names(self, caller: Caller) -> Named:
        """How the caller is named, in the strongest of ways."""
        if self._everybody or self._names_directly(caller):
            return Named.DIRECTLY
        if caller.role and (caller.role in self._names or caller.id.partition(":")[0] in self._names):
            return Named.ROLE
        if caller.user and caller.user in self._names:
            return Named.ROLE
        return Named.ACCOUNT if self._names_account(caller) else Named.NOT

    def _names_account(self, caller: Caller) -> bool:
        """By its number, or in its own partition by its root's ARN."""
        if not self._accounts or not caller.account:
            return False
        partition = caller.arn.split(":", 2)[1] if caller.arn else "aws"
        return not self._accounts.isdisjoint((caller.account, f"arn:{partition}:iam::{caller.account}:root"))

    def _names_directly(self, caller: Caller) -> bool:
        if caller.arn in self._names or (caller.id and caller.id in self._names):
            return True
        if caller.root and self._names_account(caller):
            return True
        return not self._services.isdisjoint(caller.services) or caller.provider in self._federated

    def spares(self, caller: Caller) -> bool:
        """Whether, as exceptions (NotPrincipal), these except the caller: the account, the role and the session or the
        user have to be named all."""
        if self._everybody:
            return True
        if not caller.account:
            return self._names_directly(caller)
        if not self._names_account(caller):
            return False
        if caller.role and caller.role not in self._names:
            return False
        return self._names_directly(caller)
