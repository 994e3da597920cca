"""Lifecycle policies by boto3: put, tried, shown, taken away."""

from __future__ import annotations

import json
from typing import Any

from tests.conformance.ecr.platform import Platform
from tests.conformance.ecr.test_ecr_images import Repository, digest_of
from tests.conformance.ecr.test_ecr_repositories import refused

KEEP_ONE = json.dumps(
    {
        "rules": [
            {
                "rulePriority": 1,
                "description": "keep one",
                "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1},
                "action": {"type": "expire"},
            }
        ]
    }
)


def test_put_get_delete(ecr: Any, name: str) -> None:
    ecr.create_repository(repositoryName=name)
    assert refused(ecr.get_lifecycle_policy, repositoryName=name)[0] == "LifecyclePolicyNotFoundException"
    ecr.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=KEEP_ONE)
    assert ecr.get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"] == KEEP_ONE
    wrong = KEEP_ONE.replace("any", "tagged")
    code, message = refused(ecr.put_lifecycle_policy, repositoryName=name, lifecyclePolicyText=wrong)
    assert code == "InvalidParameterException"
    assert "Lifecycle policy validation failure" in message
    assert ecr.delete_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"] == KEEP_ONE
    assert refused(ecr.delete_lifecycle_policy, repositoryName=name)[0] == "LifecyclePolicyNotFoundException"
    ecr.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=KEEP_ONE)
    ecr.delete_repository(repositoryName=name)
    ecr.create_repository(repositoryName=name)
    assert refused(ecr.get_lifecycle_policy, repositoryName=name)[0] == "LifecyclePolicyNotFoundException"


def test_preview(shared: Platform, name: str) -> None:
    repository = Repository(shared, name)
    ecr = repository.ecr
    params = {"repositoryName": name}
    assert refused(ecr.start_lifecycle_policy_preview, **params)[0] == "LifecyclePolicyNotFoundException"
    assert refused(ecr.get_lifecycle_policy_preview, **params)[0] == "LifecyclePolicyPreviewNotFoundException"
    pushed = [digest_of(repository.push(f"v{number}", f"{number}".encode())) for number in range(3)]
    ecr.start_lifecycle_policy_preview(**params, lifecyclePolicyText=KEEP_ONE)
    ecr.get_waiter("lifecycle_policy_preview_complete").wait(**params)
    preview = ecr.get_lifecycle_policy_preview(**params)
    assert preview["summary"]["expiringImageTotalCount"] == 2
    assert {found["imageDigest"] for found in preview["previewResults"]} == set(pushed[:2])
    assert {found["appliedRulePriority"] for found in preview["previewResults"]} == {1}
    pages = list(ecr.get_paginator("get_lifecycle_policy_preview").paginate(**params, PaginationConfig={"PageSize": 1}))
    assert [len(page["previewResults"]) for page in pages] == [1, 1]
    assert ecr.get_lifecycle_policy_preview(**params, filter={"tagStatus": "UNTAGGED"})["previewResults"] == []
    assert len(repository.ids()) == 3  # it was only a preview
