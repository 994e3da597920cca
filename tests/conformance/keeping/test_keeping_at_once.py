"""Many clients at once: nothing is lost, no version comes twice, nobody is told of a race that does them no harm."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

from botocore.exceptions import ClientError

from tests.conformance.keeping.rooms import Platform
from tools.instance import eventually

CLIENTS, TIMES = 4, 10


def test_everybody_who_overwrites_a_parameter_gets_a_version(keeping: Platform, account: str) -> None:
    clients = [keeping.client("ssm", account=account) for _ in range(CLIENTS)]
    clients[0].put_parameter(Name="/a", Value="0", Type="SecureString")

    def overwrite(ssm: Any) -> list[int]:
        return [ssm.put_parameter(Name="/a", Value="x", Overwrite=True)["Version"] for _ in range(TIMES)]

    with ThreadPoolExecutor() as pool:
        found = [version for versions in pool.map(overwrite, clients) for version in versions]
    assert sorted(found) == list(range(2, CLIENTS * TIMES + 2))


def test_one_of_those_who_create_a_parameter_does(keeping: Platform, account: str) -> None:
    clients = [keeping.client("ssm", account=account) for _ in range(CLIENTS)]

    def create(number: int) -> str:
        name = ("top", "/top")[number % 2]  # these two are one ARN
        try:
            clients[number].put_parameter(Name=name, Value="x", Type="SecureString")
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "created"

    with ThreadPoolExecutor() as pool:
        found = sorted(pool.map(create, range(CLIENTS)))
    assert found == [*["ParameterAlreadyExists"] * (CLIENTS - 1), "created"]


def test_everybody_who_puts_a_secret_gets_a_version(keeping: Platform, account: str) -> None:
    clients = [keeping.client("secretsmanager", account=account) for _ in range(CLIENTS)]
    clients[0].create_secret(Name="a", SecretString="0", AddReplicaRegions=[{"Region": "eu-west-1"}])

    def put(secrets: Any) -> set[str]:
        return {secrets.put_secret_value(SecretId="a", SecretString=str(uuid4()))["VersionId"] for _ in range(TIMES)}

    with ThreadPoolExecutor() as pool:
        made = set().union(*pool.map(put, clients))
    assert len(made) == CLIENTS * TIMES
    shown = clients[0].describe_secret(SecretId="a")["VersionIdsToStages"]
    assert sorted(label for labels in shown.values() for label in labels) == ["AWSCURRENT", "AWSPREVIOUS"]
    assert shown.keys() <= made
    current = clients[0].get_secret_value(SecretId="a")["SecretString"]
    there = keeping.client("secretsmanager", account=account, region="eu-west-1")
    eventually(lambda: there.get_secret_value(SecretId="a")["SecretString"] == current, 10)
