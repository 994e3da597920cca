"""Repositories, their tags and policies, tokens: journeys with boto3, errors in ECR's words."""

from __future__ import annotations

import base64
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conformance.apart import ACCOUNT, OTHER_ACCOUNT
from tests.conformance.ecr.platform import Platform


def refused(work: Any, **params: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        work(**params)
    told = error.value.response["Error"]
    return told["Code"], told["Message"]


def test_create_describe_delete(ecr: Any, shared: Platform, name: str) -> None:
    made = ecr.create_repository(repositoryName=name)["repository"]
    assert made["repositoryArn"] == f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/{name}"
    assert made["repositoryUri"] == f"{shared.registry}/{name}"
    assert made["registryId"] == ACCOUNT
    assert made["imageTagMutability"] == "MUTABLE"
    assert abs(made["createdAt"].timestamp() - time.time()) < 60
    assert ecr.describe_repositories(repositoryNames=[name])["repositories"] == [made]
    assert ecr.delete_repository(repositoryName=name)["repository"] == made
    assert refused(ecr.describe_repositories, repositoryNames=[name]) == (
        "RepositoryNotFoundException",
        f"The repository with name '{name}' does not exist in the registry with id '{ACCOUNT}'",
    )


def test_twice(ecr: Any, name: str) -> None:
    ecr.create_repository(repositoryName=name)
    assert refused(ecr.create_repository, repositoryName=name) == (
        "RepositoryAlreadyExistsException",
        f"The repository with name '{name}' already exists in the registry with id '{ACCOUNT}'",
    )


@pytest.mark.parametrize("bad", ["App", "a//b", "-a", "210987654321/eu-west-1/app"])
def test_bad_name(ecr: Any, bad: str) -> None:
    code, message = refused(ecr.create_repository, repositoryName=bad)
    assert code == "InvalidParameterException"
    assert "repositoryName" in message


def test_other_accounts_and_regions_are_apart(shared: Platform, name: str) -> None:
    uris = []
    for ecr in (shared.client(), shared.other(), shared.client(region="eu-west-1")):
        uris.append(ecr.create_repository(repositoryName=name)["repository"]["repositoryUri"])
    assert uris == [
        f"{shared.registry}/{name}",
        f"{shared.registry}/{OTHER_ACCOUNT}/us-east-1/{name}",
        f"{shared.registry}/{ACCOUNT}/eu-west-1/{name}",
    ]
    shared.other().delete_repository(repositoryName=name)
    assert shared.client().describe_repositories(repositoryNames=[name])["repositories"]
    code, _ = refused(shared.client().describe_repositories, registryId=OTHER_ACCOUNT)
    assert code == "AccessDeniedException"


def test_pages(shared: Platform) -> None:
    ecr = shared.client(region="ap-south-1")
    names = sorted(f"page/{number}" for number in range(7))
    for name in names:
        ecr.create_repository(repositoryName=name)
    pages = list(ecr.get_paginator("describe_repositories").paginate(PaginationConfig={"PageSize": 3}))
    assert [len(page["repositories"]) for page in pages] == [3, 3, 1]
    assert [found["repositoryName"] for page in pages for found in page["repositories"]] == names
    code, _ = refused(shared.client().describe_repositories, nextToken=pages[0]["nextToken"])
    assert code == "InvalidParameterException"  # another region's


def test_tags(ecr: Any, name: str) -> None:
    tags = [{"Key": "team", "Value": "a"}, {"Key": "empty", "Value": ""}]
    arn = ecr.create_repository(repositoryName=name, tags=tags)["repository"]["repositoryArn"]
    assert ecr.list_tags_for_resource(resourceArn=arn)["tags"] == tags
    ecr.tag_resource(resourceArn=arn, tags=[{"Key": "team", "Value": "b"}, {"Key": "new", "Value": "x"}])
    ecr.untag_resource(resourceArn=arn, tagKeys=["empty", "unknown"])
    found = {tag["Key"]: tag["Value"] for tag in ecr.list_tags_for_resource(resourceArn=arn)["tags"]}
    assert found == {"team": "b", "new": "x"}
    many = [{"Key": f"k{number}", "Value": ""} for number in range(49)]
    assert refused(ecr.tag_resource, resourceArn=arn, tags=many)[0] == "TooManyTagsException"
    assert refused(ecr.tag_resource, resourceArn=arn, tags=[{"Key": "aws:x", "Value": ""}])[0] == (
        "InvalidTagParameterException"
    )
    ecr.delete_repository(repositoryName=name)
    assert refused(ecr.list_tags_for_resource, resourceArn=arn)[0] == "RepositoryNotFoundException"
    ecr.create_repository(repositoryName=name)
    assert ecr.list_tags_for_resource(resourceArn=arn)["tags"] == []
    assert refused(ecr.list_tags_for_resource, resourceArn="arn:aws:ecs:us-east-1:1:cluster/x")[0] == (
        "InvalidParameterException"
    )


def test_policy(ecr: Any, name: str) -> None:
    ecr.create_repository(repositoryName=name)
    code, message = refused(ecr.get_repository_policy, repositoryName=name)
    assert code == "RepositoryPolicyNotFoundException"
    assert message == (
        f"Repository policy does not exist for the repository with name '{name}' in the registry with id '{ACCOUNT}'"
    )
    text = '{"Version": "2008-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "ecr:*"}]}'
    ecr.set_repository_policy(repositoryName=name, policyText=text)
    assert ecr.get_repository_policy(repositoryName=name)["policyText"] == text
    for bad in ("", "{}", "[1]", '{"Statement": []}'):
        code, _ = refused(ecr.set_repository_policy, repositoryName=name, policyText=bad)
        assert code == "InvalidParameterException"
    assert ecr.delete_repository_policy(repositoryName=name)["policyText"] == text
    assert refused(ecr.delete_repository_policy, repositoryName=name)[0] == "RepositoryPolicyNotFoundException"


def test_settings(ecr: Any, name: str) -> None:
    ecr.create_repository(repositoryName=name, imageScanningConfiguration={"scanOnPush": True})
    assert ecr.put_image_tag_mutability(repositoryName=name, imageTagMutability="IMMUTABLE")["imageTagMutability"]
    ecr.put_image_scanning_configuration(repositoryName=name, imageScanningConfiguration={"scanOnPush": False})
    (found,) = ecr.describe_repositories(repositoryNames=[name])["repositories"]
    assert found["imageTagMutability"] == "IMMUTABLE"
    assert found["imageScanningConfiguration"] == {"scanOnPush": False}
    assert found["encryptionConfiguration"] == {"encryptionType": "AES256"}
    filters = [{"filterType": "WILDCARD", "filter": "latest*"}]
    answer = ecr.put_image_tag_mutability(
        repositoryName=name,
        imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
        imageTagMutabilityExclusionFilters=filters,
    )
    assert answer["imageTagMutabilityExclusionFilters"] == filters
    assert refused(ecr.put_image_tag_mutability, repositoryName=name, imageTagMutability="MUTABLE_WITH_EXCLUSION")[
        0
    ] == ("InvalidParameterException")
    assert ecr.describe_registry()["replicationConfiguration"] == {"rules": []}


def test_token(shared: Platform, name: str) -> None:
    (data,) = shared.client().get_authorization_token()["authorizationData"]
    assert data["proxyEndpoint"] == f"http://{shared.registry}"
    assert 11.9 * 3600 < data["expiresAt"].timestamp() - time.time() <= 12 * 3600
    user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    assert (user, len(password) < 4096) == ("AWS", True)
    shared.client().create_repository(repositoryName=name)
    assert shared.http()("GET", f"/v2/{name}/tags/list").status == 200
    for wrong in (f"AWS:{password[:-8]}AAAAAAA=", f"aws:{password}", "AWS:", "AWS:x"):
        assert shared.http(wrong)("GET", "/v2/").status == 401
    other = shared.http(shared.login(shared.other()))
    answer = other("GET", f"/v2/{name}/tags/list")
    assert (answer.status, answer.json()["errors"][0]["code"]) == (403, "DENIED")
    assert other("GET", "/v2/_catalog").status == 403
    assert name in shared.http()("GET", "/v2/_catalog").json()["repositories"]
