"""What ECR's operations need to be allowed: the API's, and through `distribution` those of the registry.

Source: the service authorisation reference, "Amazon Elastic Container Registry"; the user guide, "IAM permissions for
pushing an image" and "Private repository policies".
"""

from __future__ import annotations

from collections.abc import Iterator

from hatoba.core import arn
from hatoba.gateway.call import Call
from hatoba.gateway.needs import Access, Params, member, named, on, untagged
from hatoba.services.ecr.model import repositories, repository_arn

ALL = "*"


def repository(req: Params, call: Call) -> Iterator[str]:
    """In the registry that the request names: the caller's own, unless it says another account."""
    scope = call.scope._replace(account=req.get("registryId") or call.scope.account)
    yield repository_arn(scope, req.get("repositoryName") or ALL)


def several(req: Params, call: Call) -> Iterator[str]:
    for name in list(member(req, "repositoryNames")) or [ALL]:
        yield from repository({**req, "repositoryName": name}, call)


def policy_of(call: Call, resource: str) -> str | None:
    parsed = arn.parse(resource)
    if parsed is None or not parsed.resource.startswith("repository/"):
        return None
    record = call.store.find(repositories, parsed.scope, parsed.resource.removeprefix("repository/"))
    return record.policy if record is not None else None


ONE = on(repository)
# The room takes nothing but ARNs of repositories of the call's account and region.
TAGGED = named("resourceArn", lambda call, name: name)

ACCESS = Access(
    "ecr",
    {
        "BatchCheckLayerAvailability": ONE,
        "BatchDeleteImage": ONE,
        "BatchGetImage": ONE,
        "CompleteLayerUpload": ONE,
        "CreateRepository": on(repository, tags="tags", tagging="TagResource"),
        "DeleteLifecyclePolicy": ONE,
        "DeleteRepository": ONE,
        "DeleteRepositoryPolicy": ONE,
        "DescribeImages": ONE,
        "DescribeRegistry": on(),
        "DescribeRepositories": on(several),
        "GetAuthorizationToken": on(),
        "GetDownloadUrlForLayer": ONE,
        "GetLifecyclePolicy": ONE,
        "GetLifecyclePolicyPreview": ONE,
        "GetRepositoryPolicy": ONE,
        "InitiateLayerUpload": ONE,
        "ListImageReferrers": ONE,
        "ListImages": ONE,
        "ListTagsForResource": on(TAGGED),
        "PutImage": ONE,
        "PutImageScanningConfiguration": ONE,
        "PutImageTagMutability": ONE,
        "PutLifecyclePolicy": ONE,
        "SetRepositoryPolicy": ONE,
        "StartLifecyclePolicyPreview": ONE,
        "TagResource": on(TAGGED, tags="tags"),
        "UntagResource": on(TAGGED, keys=untagged("tagKeys")),
        "UploadLayerPart": ONE,
    },
    policy_of=policy_of,
)
