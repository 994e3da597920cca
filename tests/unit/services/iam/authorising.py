"""Somebody asks for something, over IAM's records in memory: allowed, or refused in which words?

lab.user("bob", allow("ecs:*"))
lab.asks(lab.bob, "ecs:RunTask") == "allowed"
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hatoba.aws import models
from hatoba.core.errors import AwsError
from hatoba.core.records import replace
from hatoba.gateway.call import Call, Principal, SessionContext
from hatoba.gateway.needs import Access, Keys, Need
from hatoba.gateway.tags import Tags, tags
from hatoba.services.iam import model
from hatoba.services.iam.authorizer import PolicyAuthorizer
from hatoba.services.iam.model import POLICY, ROLE, USER, Group, Policy, PolicyVersion, Role, User
from hatoba.store import Table
from tests.unit.services.asked import SCOPE, Asked

ACCOUNT, FRIEND = SCOPE.account, "444455556666"
TASK = f"arn:aws:ecs:us-east-1:{ACCOUNT}:task/default/t"


def allow(*actions: str, on: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": on, **more}


def deny(*actions: str, on: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    return {**allow(*actions, on=on, **more), "Effect": "Deny"}


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def attached(*statements: dict[str, Any], to: Any = "*") -> str:
    """A resource's policy, for `to`."""
    return document(*({**statement, "Principal": to} for statement in statements))


class Lab(Asked):
    def __init__(self) -> None:
        super().__init__("ecs", Access("ecs", {}), *model.TABLES, tags)
        self.encoded: list[Any] = []
        self.authorizer = PolicyAuthorizer(self.store, self._encode)

    def _encode(self, account: str, verdict: Any) -> str:
        self.encoded.append((account, json.loads(json.dumps(verdict))))
        return "sealed"

    # --- who there is

    def user(self, name: str, *statements: dict[str, Any], account: str = ACCOUNT, **more: Any) -> Principal:
        user = self._kept(model.users, User, "AIDA", name, statements, account, **more)
        return Principal(kind="user", account=account, arn=USER.arn(user), id=user.unique)

    def group(self, name: str, *statements: dict[str, Any], **more: Any) -> Group:
        return self._kept(model.groups, Group, "AGPA", name, statements, ACCOUNT, **more)

    def role(
        self,
        name: str,
        *statements: dict[str, Any],
        account: str = ACCOUNT,
        session: SessionContext | None = None,
        **more: Any,
    ) -> Principal:
        """A session of it."""
        role = self._kept(model.roles, Role, "AROA", name, statements, account, trust="{}", **more)
        arn = f"arn:aws:sts::{account}:assumed-role/{name}/s"
        return Principal(
            kind="role", account=account, arn=arn, id=f"{role.unique}:s", role=ROLE.arn(role), session=session
        )

    def policy(self, name: str, *versions: str, default: str = "v1") -> str:
        known = self.store.find(model.policies, SCOPE.everywhere(), name.lower())
        kept = [PolicyVersion(id=f"v{n}", document=text, created=0.0) for n, text in enumerate(versions, 1)]
        policy = Policy(
            key=model.policies.key(SCOPE.everywhere(), name.lower()),
            version=known.version if known is not None else 0,
            name=name,
            unique="ANPA",
            created=0.0,
            versions=tuple(kept),
            default=default,
            updated=0.0,
        )
        self._runner.run(self._write(lambda tx: tx.put(model.policies, policy)))
        return POLICY.arn(policy)

    def tag(self, arn: str, **given: str) -> None:
        parts = arn.split(":")
        scope = SCOPE._replace(account=parts[4], region=parts[3])
        self.put(tags, Tags(key=tags.key(scope, arn), tags=given))

    def gone(self, table: Table[Any], name: str) -> None:
        key = table.key(SCOPE.everywhere(), name)
        self._runner.run(self._write(lambda tx: tx.forget(table, key)))

    def _kept(self, table: Any, kind: Any, prefix: str, name: str, statements: Any, account: str, **more: Any) -> Any:
        key = table.key(SCOPE._replace(account=account).everywhere(), name.lower())
        known = self.store.get(table, key)
        inline = {"own": document(*statements)} if statements else {}
        made = kind(key=key, name=name, created=0.0, **{"unique": f"{prefix}{name.upper()}", "inline": inline, **more})
        if known is not None:
            made = replace(made, version=known.version)
        self._runner.run(self._write(lambda tx: tx.put(table, made)))
        return made

    # --- what is asked

    def call(self, who: Principal, **more: Any) -> Call:
        given: dict[str, Any] = {"scope": SCOPE, "service": "ecs", "operation": "RunTask", "source_ip": "203.0.113.7"}
        return Call(self._platform, principal=who, request_id="r", **{**given, **more})

    def asks(
        self,
        who: Principal,
        action: str,
        resource: str = "*",
        *,
        keys: Keys | None = None,
        policy: str | None = None,
        trusts_account: bool = True,
        operation: tuple[str, str] = ("ecs", "RunTask"),
        **call: Any,
    ) -> str:
        """`allowed`, or what the refusal says."""
        need = Need(action=action, resource=resource, keys=keys or {}, policy=policy, trusts_account=trusts_account)
        asked = models.load(operation[0]).operation(operation[1])
        assert asked is not None
        try:
            self.authorizer.decide(self.call(who, **call), asked, iter([need]))
        except AwsError as error:
            return error.message
        return "allowed"

    def may(self, who: Principal, action: str, resource: str = "*", **more: Any) -> bool:
        return self.asks(who, action, resource, **more) == "allowed"

    def holds(self, who: Principal, operator: str, key: str, value: str | list[str], **more: Any) -> bool:
        """Whether a condition does, of a request that this somebody makes: an Allow applies, and a Deny does not."""
        condition = {operator: {key: value}}
        given = attached(allow("ecs:RunTask", Condition=condition))
        return self.may(who, "ecs:RunTask", more.pop("resource", TASK), policy=given, trusts_account=False, **more)


@contextmanager
def lab() -> Iterator[Lab]:
    made = Lab()
    try:
        yield made
    finally:
        made.close()
