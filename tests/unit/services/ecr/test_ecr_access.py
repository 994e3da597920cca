"""What ECR's requests need to be allowed, as the service authorisation reference has it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hatoba.services.ecr.access import ACCESS
from hatoba.services.ecr.model import Repository, repositories
from tests.unit.services.asked import SCOPE, Asked

POLICY = '{"Statement": []}'
FAR = "arn:aws:ecr:us-east-1:999999999999"
R = {"repositoryName": "team/app"}


@pytest.fixture(scope="module")
def asked() -> Iterator[Asked]:
    asked = Asked("ecr", ACCESS, repositories)
    asked.put(repositories, Repository(key=repositories.key(SCOPE, "team/app"), created=0.0, policy=POLICY))
    asked.put(repositories, Repository(key=repositories.key(SCOPE, "plain"), created=0.0))
    yield asked
    asked.close()


@pytest.mark.parametrize(
    ("operation", "req", "resources"),
    [
        ("BatchGetImage", {**R, "imageIds": [{"imageTag": "v1"}]}, ["repository/team/app"]),
        ("PutImage", {**R, "imageManifest": "{}"}, ["repository/team/app"]),
        ("CreateRepository", R, ["repository/team/app"]),
        ("DescribeRepositories", {}, ["repository/*"]),
        ("DescribeRepositories", {"repositoryNames": ["aa", "bb/c"]}, ["repository/aa", "repository/bb/c"]),
        ("ListImages", {**R, "registryId": "999999999999"}, [f"{FAR}:repository/team/app"]),
        ("GetAuthorizationToken", {}, ["*"]),
        ("DescribeRegistry", {}, ["*"]),
        ("ListTagsForResource", {"resourceArn": f"{FAR}:repository/a"}, [f"{FAR}:repository/a"]),
    ],
)  # fmt: skip
def test_the_repository_is_what_is_needed(
    asked: Asked, operation: str, req: dict[str, Any], resources: list[str]
) -> None:
    assert asked.said(operation, **req) == [f"ecr:{operation} {resource}" for resource in resources]


def test_tags_at_creation_need_the_right_to_tag(asked: Asked) -> None:
    found = asked.needs("CreateRepository", **R, tags=[{"Key": "team", "Value": "blue"}])
    assert [need.action for need in found] == ["ecr:CreateRepository", "ecr:TagResource"]
    assert all(need.keys["aws:RequestTag/team"] == "blue" for need in found)
    assert asked.keys("UntagResource", resourceArn="a", tagKeys=["x"]) == {"aws:TagKeys": ["x"]}


def test_a_repositorys_own_policy_goes_along(asked: Asked) -> None:
    def policies(operation: str, **req: Any) -> list[str | None]:
        return [need.policy for need in asked.needs(operation, **req)]

    assert policies("ListImages", **R) == [POLICY]
    assert policies("DescribeRepositories", repositoryNames=["team/app", "plain", "none"]) == [POLICY, None, None]
    assert policies("ListImages", **R, registryId="999999999999") == [None]
    assert policies("DescribeRepositories") == policies("GetAuthorizationToken") == [None]
    assert policies(
        "ListTagsForResource", resourceArn=f"arn:aws:ecr:us-east-1:{SCOPE.account}:repository/team/app"
    ) == [POLICY]
