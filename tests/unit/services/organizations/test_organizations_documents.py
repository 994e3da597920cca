"""Which documents control policies can have."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hatoba.services.organizations.plan.documents import Unfit, check
from hatoba.services.organizations.plan.managed import KINDS, POLICIES, RESOURCE, SERVICE

ALLOW = {"Effect": "Allow", "Action": "*", "Resource": "*"}
DENY = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}


def text(*statements: dict[str, Any], **more: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements), **more})


@pytest.mark.parametrize(
    "document",
    [
        text(ALLOW),
        text({"Effect": "Deny", "NotAction": ["iam:*", "sts:*"], "NotResource": "arn:aws:s3:::a/*"}),
        text({**ALLOW, "Action": "ec2:Run*", "Condition": {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}}),
    ],
)
def test_what_a_service_control_policy_may_say(document: str) -> None:
    check(SERVICE, document)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("{", "JSON"),
        ('{"Version": "2012-10-17"}', "requirements"),
        (json.dumps({"Statement": [ALLOW]}), "2012-10-17"),
        (text({**ALLOW, "Principal": "*"}), "Principal"),
        (text({"Effect": "Allow", "Action": "*"}), "Resource"),
        (text({**ALLOW, "Resource": "bucket"}), "ARN"),
        (text({**ALLOW, "Action": "RunTask"}), "service"),
        (text({**ALLOW, "Effect": "Perhaps"}), "Effect"),
        (text({**ALLOW, "Condition": {"NoSuchOperator": {"a": "b"}}}), "condition"),
        (text({**ALLOW, "Sid": "A"}, {**ALLOW, "Sid": "A"}), "Sid"),
    ],
)
def test_what_it_may_not(document: str, words: str) -> None:
    with pytest.raises(Unfit, match=words):
        check(SERVICE, document)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, None),
        ({"Action": ["kms:Decrypt", "sts:AssumeRole"]}, None),
        ({"Effect": "Allow"}, "deny"),
        ({"Principal": {"AWS": "123456789012"}}, "Principal"),
        ({"Action": "*"}, "guard"),
        ({"Action": "ec2:RunInstances"}, "guard"),
    ],
)
def test_what_a_resource_control_policy_may_say(change: dict[str, Any], words: str | None) -> None:
    if words is None:
        check(RESOURCE, text({**DENY, **change}))
        return
    with pytest.raises(Unfit, match=words):
        check(RESOURCE, text({**DENY, **change}))


def test_every_type_has_a_policy_that_allows_everything() -> None:
    for type_, kind in KINDS.items():
        managed = POLICIES[kind.default]
        assert managed.type == type_
        assert managed.arn("aws").startswith("arn:aws:organizations::aws:policy/")
        [statement] = json.loads(managed.content)["Statement"]
        assert (statement["Effect"], statement["Action"], statement["Resource"]) == ("Allow", "*", "*")
