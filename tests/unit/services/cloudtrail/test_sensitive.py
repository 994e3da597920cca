"""What may never be kept in clear, over every operation that is implemented."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from hatoba.app.rooms import ROOMS
from hatoba.aws import models
from hatoba.aws.models import Member, Operation, ServiceModel
from hatoba.aws.sensitive import HIDDEN, conceal
from hatoba.gateway.room import snake
from hatoba.services.cloudtrail.plan.reading import only_reads
from hatoba.services.cloudtrail.plan.things import things

# Members whose names sound like secrets, and whose values are none.
_HARMLESS = re.compile(
    r"(next|continuation|client|clientRequest|idempotency|pagination|request|marker|sequence)_?token|grantTokens?|secret_?(arn|id|name|list)"
    r"|credentialSpec|credentialsParameter|tokenEndpoint|valueFrom|CiphertextBlob|secretOptions|rotationRole|secretArn"
    r"|(Primary|Replica)Secret|ClientSecretArn|PasswordLength|ExcludeCharacters|passwordReset|MinimumPassword|TokenId$"
    r"|RequireSymbols|secretsmanager|PasswordLastUsed|tokenVersion|SecretVersion|ServiceSpecificCredentialId|KeyMetadata"
    r"|CredentialAge|MaxPasswordAge|PasswordReuse|HardExpiry|UseExistingClientSecret|TokenLeeway|RemovePrivateKey",
    re.IGNORECASE,
)
_SECRET = re.compile(r"secret|token|password|plaintext|private_?key|passphrase|seed", re.IGNORECASE)


def _filled(model: ServiceModel, use: Member, name: str, depth: int = 0) -> Any:
    """A value of the shape, whose texts are their member's names; None: of numbers and of what is too deep."""
    shape = model.shapes[use.shape]
    if depth > 8:
        return None
    match shape.type:
        case "structure":
            parts = ((key, _filled(model, member, key, depth + 1)) for key, member in shape.members.items())
            return {key: part for key, part in parts if part is not None}
        case "list":
            assert shape.member is not None
            part = _filled(model, shape.member, name, depth + 1)
            return [part] if part is not None else []
        case "map":
            assert shape.value is not None
            part = _filled(model, shape.value, name, depth + 1)
            return {"key": part} if part is not None else {}
        case "string":
            return f"clear:{name}"
        case "blob":
            return f"clear:{name}".encode()
    return None


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)
    elif isinstance(value, str):
        yield value
    else:
        assert not isinstance(value, bytes)


@pytest.mark.parametrize("room", [room.service for room in ROOMS], ids=lambda room: room.name)
def test_nothing_that_sounds_like_a_secret_is_kept_in_clear(room: Any) -> None:
    model = models.load(room.name)
    for name in model.operations:
        if snake(name) in room.handlers:
            operation = model.operation(name)
            assert operation is not None
            _check(operation, operation.input)
            if not only_reads(name):
                _check(operation, operation.output)


def _check(operation: Operation, use: Member | None) -> None:
    if use is None:
        return
    filled = _filled(operation.model, use, "")
    kept = conceal(operation, use, filled)
    assert conceal(operation, use, filled, fits=True) == kept
    for text in _texts(kept):
        if text.startswith("clear:") and _SECRET.search(text) and not _HARMLESS.search(text):
            pytest.fail(f"{operation} {use.shape} keeps {text.removeprefix('clear:')} in clear")


def test_a_member_that_the_model_marks_is_hidden_and_bytes_are_measured() -> None:
    create = models.load("secretsmanager").operation("CreateSecret")
    assert create is not None
    kept = conceal(create, create.input, {"Name": "n", "SecretString": "s", "SecretBinary": b"123", "Odd": 1})
    assert kept == {"Name": "n", "SecretString": HIDDEN, "SecretBinary": HIDDEN, "Odd": HIDDEN}
    encrypt = models.load("kms").operation("Encrypt")
    assert encrypt is not None
    assert conceal(encrypt, encrypt.output, {"CiphertextBlob": b"1234"}) == {"CiphertextBlob": {"bytes": 4}}


@pytest.mark.parametrize("value", [None, 3, "text", [], [1], {"a": None}])
def test_values_of_another_form_tell_nothing(value: Any) -> None:
    """Audited before they are refused."""
    register = models.load("ecs").operation("RegisterTaskDefinition")
    assert register is not None
    conceal(register, register.input, {"containerDefinitions": value, "tags": value, "volumes": [value]})


@pytest.mark.parametrize(
    ("name", "reads"),
    [
        ("DescribeTasks", True),
        ("GetSecretValue", True),
        ("Decrypt", True),
        ("AssumeRole", True),
        ("LookupEvents", True),
        ("RunTask", False),
        ("PutParameter", False),
        ("SignalSomething", False),
        ("TagResource", False),
        ("Sign", True),
        ("PutRecord", False),
    ],
)
def test_which_operations_read(name: str, reads: bool) -> None:
    assert only_reads(name) is reads


def test_what_an_answer_names_is_found_where_the_model_has_arns() -> None:
    create = models.load("ecs").operation("CreateService")
    assert create is not None
    cluster, service = (f"arn:aws:ecs:us-east-1:123456789012:{rest}" for rest in ("cluster/c", "service/c/s"))
    role, group = (
        "arn:aws:iam::123456789012:role/r",
        "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/g/1",
    )
    answer = {
        "service": {
            "serviceArn": service,
            "clusterArn": cluster,
            "serviceName": "arn:aws:ecs:us-east-1:123456789012:cluster/no-arn",
            "roleArn": "",
            "loadBalancers": [{"targetGroupArn": group}],
            "deployments": [{"networkConfiguration": {"awsvpcConfiguration": {"roleArn": role}}}],
        }
    }
    found = things(create, [cluster, f"{cluster}*"], answer)
    assert {thing.name for thing in found} == {cluster, service, group}
    assert [thing.kind for thing in found][:2] == ["AWS::ECS::Cluster", "AWS::ECS::Service"]
    assert things(create, [cluster], None) == (("AWS::ECS::Cluster", cluster),)


def test_buckets_and_objects_are_told_by_name() -> None:
    put = models.load("s3").operation("PutObject")
    assert put is not None
    names = ["arn:aws:s3:::bucket/a/b", "arn:aws:s3:::bucket"]
    assert [thing.kind for thing in things(put, names, None)] == ["AWS::S3::Object", "AWS::S3::Bucket"]


def test_a_command_is_not_told_by_the_session_that_it_runs_in() -> None:
    """ECS's model hides what ExecuteCommand runs; Systems Manager's does not, which is asked for the session."""
    operation = models.load("ssm").operation("StartSession")
    assert operation is not None
    asked = {"Target": "ecs:a_b_c", "Parameters": {"command": ["login hush"]}}
    for fits in (True, False):
        hidden = {"Target": "ecs:a_b_c", "Parameters": {"command": HIDDEN}}
        assert conceal(operation, operation.input, asked, fits=fits) == hidden
