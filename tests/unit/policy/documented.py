"""Decisions of the public documentation, as text: `decisions/*.txt`, one decision a line.

    # Title of the page that says so
    identity {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}         policies in force from here on: a document,
    boundary {...}                                                          a statement or a list of them; more of a
                                                                            kind add up; a new title forgets all
    allowed identity-based | user/Bob | s3:GetObject | arn:aws:s3:::b/k | aws:SourceIp=10.0.0.1; aws:TagKeys=[a, b]

A verdict is `allowed`, `explicit` or `implicit`, and what decided; `-` stands for a root without policies. Who asks
belongs to the account 123456789012 unless another is said (`444455556666:user/Bob`); `owner` says whose the resource
is, `asks-the-key` that its policy has to name the account, as those of KMS keys and roles have to.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from hatoba.policy.compiler import Compiler
from hatoba.policy.decision import Applicable, Decision, decide
from hatoba.policy.principals import Caller
from hatoba.policy.request import Keys, Request
from hatoba.policy.rules import Bundle

FOLDER = Path(__file__).parent / "decisions"
ACCOUNT = "123456789012"
KINDS = ("identity", "boundary", "session", "resource", "control", "resource-control")

compiler = Compiler()


class Case(NamedTuple):
    title: str
    line: int
    verdict: str
    by: str
    who: str
    action: str
    resource: str
    keys: dict[str, str | list[str]]
    policies: dict[str, tuple[str, ...]]
    owner: str
    trusts_account: bool


def cases(path: Path) -> Iterator[Case]:
    title, owner, trusts = "", ACCOUNT, True
    policies: dict[str, tuple[str, ...]] = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        word, _, rest = line.strip().partition(" ")
        match word:
            case "" | "--":
                continue
            case "#":
                title, owner, trusts, policies = rest, ACCOUNT, True, {}
            case "owner":
                owner = rest
            case "asks-the-key":
                trusts = False
            case "forget":
                policies = {kind: held for kind, held in policies.items() if kind not in rest.split()}
            case _ if word in KINDS:
                policies = policies | {word: (*policies.get(word, ()), document(json.loads(rest)))}
            case _:
                verdict, who, action, resource, *keys = (part.strip() for part in line.split("|"))
                said, _, by = verdict.partition(" ")
                found = context(keys[0]) if keys else {}
                yield Case(title, number, said, by, who, action, resource, found, policies, owner, trusts)


def document(raw: Any) -> str:
    if isinstance(raw, list) or "Statement" not in raw:
        raw = {"Version": "2012-10-17", "Statement": raw}
    return json.dumps(raw)


def context(text: str) -> dict[str, str | list[str]]:
    found: dict[str, str | list[str]] = {}
    for part in text.split(";"):
        key, _, value = part.strip().partition("=")
        listed = value.startswith("[")
        found[key] = [one.strip() for one in value[1:-1].split(",") if one.strip()] if listed else value
    return found


def caller(who: str) -> tuple[Caller, dict[str, str | list[str]]]:
    """Who asks, and the condition keys that tell of them."""
    account, _, rest = who.rpartition(":") if who[:12].isdigit() else (ACCOUNT, "", who)
    kind, _, name = rest.partition("/")
    iam, sts = f"arn:aws:iam::{account}", f"arn:aws:sts::{account}"
    match kind:
        case "anonymous":
            return Caller(), {"aws:PrincipalType": "Anonymous"}
        case "service":
            return Caller(services=frozenset([name])), {"aws:PrincipalIsAWSService": "true"}
        case "web":
            return Caller(provider=name), {}
        case "root":
            asks = Caller(account=account, arn=f"{iam}:root", id=account, root=True)
            return asks, told(asks, asks.arn, "Account")
        case "user":
            asks = Caller(account=account, arn=f"{iam}:user/{name}", id="AIDAEXAMPLE")
            return asks, told(asks, asks.arn, "User") | {"aws:username": name.rpartition("/")[2]}
        case "role":
            role, _, session = name.partition("/")
            arn, id_ = f"{sts}:assumed-role/{role}/{session}", f"AROAEXAMPLE:{session}"
            asks = Caller(account=account, arn=arn, id=id_, role=f"{iam}:role/{role}")
            return asks, told(asks, asks.role, "AssumedRole")
        case "federated-user":
            asks = Caller(
                account=account, arn=f"{sts}:federated-user/{name}", id=f"{account}:{name}", user=f"{iam}:user/Broker"
            )
            return asks, told(asks, asks.arn, "FederatedUser")
    raise ValueError(who)


def told(asks: Caller, arn: str, type_: str) -> dict[str, str | list[str]]:
    return {
        "aws:userid": asks.id,
        "aws:PrincipalArn": arn,
        "aws:PrincipalAccount": asks.account,
        "aws:PrincipalType": type_,
        "aws:PrincipalIsAWSService": "false",
    }


def bundle(case: Case, kind: str) -> Bundle | None:
    texts = case.policies.get(kind)
    return None if texts is None else Bundle([(kind, compiler.policy(text)) for text in texts])


def decided(case: Case) -> Decision:
    asks, known = caller(case.who)
    request = Request(case.action, case.resource, asks, Keys(known | case.keys))
    control, limits = bundle(case, "control"), bundle(case, "resource-control")
    return decide(
        request,
        Applicable(
            identity=bundle(case, "identity") or Bundle([]),
            boundary=bundle(case, "boundary"),
            session=bundle(case, "session"),
            resource=bundle(case, "resource"),
            control=() if control is None else (control,),
            resource_control=() if limits is None else (limits,),
            same_account=asks.account in ("", case.owner),
            trusts_account=case.trusts_account,
        ),
    )
