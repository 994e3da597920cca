"""Repositories: create, describe, delete, tag mutability; and the registry itself."""

from __future__ import annotations

from hatoba.aws.shapes import ecr as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.gateway.continued import small_next_token
from hatoba.gateway.tags import set_tags
from hatoba.services.ecr import model, naming, views
from hatoba.services.ecr.api.room import (
    PAGE,
    bad_token,
    ecr,
    find_repository,
    invalid,
    registry,
    scope_of,
    the_repository,
)
from hatoba.services.ecr.api.tag import checked
from hatoba.services.ecr.model import Mutability, Repository

_EXCLUDING = ("IMMUTABLE_WITH_EXCLUSION", "MUTABLE_WITH_EXCLUSION")


@ecr.operation
async def create_repository(req: t.CreateRepositoryRequest, call: Call) -> t.CreateRepositoryResponse:
    scope, name = scope_of(call, req), req["repositoryName"]
    if naming.is_prefixed(name):
        raise invalid("repositoryName", f"'{name}' would be read as a repository of another account or region")
    if req.get("encryptionConfiguration", {}).get("encryptionType", "AES256") != "AES256":
        raise invalid("encryptionConfiguration.encryptionType", "only AES256 is available: there is no KMS here yet")
    mutability = req.get("imageTagMutability", "MUTABLE")
    record = Repository(
        key=model.repositories.key(scope, name),
        created=call.now,
        mutability=mutability,
        exclusions=_exclusions(mutability, req.get("imageTagMutabilityExclusionFilters")),
        scan_on_push=req.get("imageScanningConfiguration", {}).get("scanOnPush", False),
    )
    tags = checked({}, req.get("tags", []))
    with call.tx() as tx:
        if tx.get(model.repositories, record.key) is not None:
            raise t.RepositoryAlreadyExistsException(
                f"The repository with name '{name}' already exists in the registry with id '{scope.account}'"
            )
        tx.put(model.repositories, record)
        set_tags(tx, scope, model.repository_arn(scope, name), tags)
    return {"repository": views.repository(record, registry(call).naming)}


@ecr.operation
async def describe_repositories(req: t.DescribeRepositoriesRequest, call: Call) -> t.DescribeRepositoriesResponse:
    scope, names = scope_of(call, req), req.get("repositoryNames")
    shown = registry(call).naming
    if names is not None:
        if "nextToken" in req or "maxResults" in req:
            raise t.InvalidParameterException("repositoryNames cannot be used together with nextToken or maxResults.")
        found = [find_repository(call.store, scope, name) for name in dict.fromkeys(names)]
        return {"repositories": [views.repository(record, shown) for record in found]}
    page, token = call.page(
        call.store.scan(model.repositories, scope),
        order=lambda record: record.id,
        token=req.get("nextToken"),
        limit=req.get("maxResults", PAGE),
        bad_token=bad_token,
    )
    return {"repositories": [views.repository(record, shown) for record in page], **small_next_token(token)}


@ecr.operation
async def delete_repository(req: t.DeleteRepositoryRequest, call: Call) -> t.DeleteRepositoryResponse:
    with call.tx() as tx:
        record = the_repository(tx, call, req)
        if not req.get("force", False) and tx.count(model.images, "repository", (record.scope, record.id)):
            raise t.RepositoryNotEmptyException(
                f"The repository with name '{record.id}' in registry with id '{record.scope.account}' "
                "cannot be deleted because it still contains images"
            )
        model.delete_repository(tx, record.key)
    return {"repository": views.repository(record, registry(call).naming)}


@ecr.operation
async def put_image_tag_mutability(req: t.PutImageTagMutabilityRequest, call: Call) -> t.PutImageTagMutabilityResponse:
    mutability = req["imageTagMutability"]
    exclusions = _exclusions(mutability, req.get("imageTagMutabilityExclusionFilters"))
    with call.tx() as tx:
        record = replace(the_repository(tx, call, req), mutability=mutability, exclusions=exclusions)
        tx.put(model.repositories, record)
    answer: t.PutImageTagMutabilityResponse = {
        "registryId": record.scope.account,
        "repositoryName": record.id,
        "imageTagMutability": mutability,
    }
    if exclusions:
        answer["imageTagMutabilityExclusionFilters"] = views.exclusions(record)
    return answer


@ecr.operation
async def put_image_scanning_configuration(
    req: t.PutImageScanningConfigurationRequest, call: Call
) -> t.PutImageScanningConfigurationResponse:
    wanted = req["imageScanningConfiguration"].get("scanOnPush", False)
    with call.tx() as tx:
        record = tx.put(model.repositories, replace(the_repository(tx, call, req), scan_on_push=wanted))
    return {
        "registryId": record.scope.account,
        "repositoryName": record.id,
        "imageScanningConfiguration": {"scanOnPush": wanted},
    }


@ecr.operation
async def describe_registry(req: t.DescribeRegistryRequest, call: Call) -> t.DescribeRegistryResponse:
    return {"registryId": call.scope.account, "replicationConfiguration": {"rules": []}}


def _exclusions(mutability: Mutability, filters: list[t.ImageTagMutabilityExclusionFilter] | None) -> tuple[str, ...]:
    wildcards = tuple(found["filter"] for found in filters or ())
    if (mutability in _EXCLUDING) != bool(wildcards):
        raise invalid(
            "imageTagMutabilityExclusionFilters",
            f"must be given with {' and '.join(_EXCLUDING)}, and with no other mutability",
        )
    for wildcard in wildcards:
        if wildcard.count("*") > 2:
            raise invalid("imageTagMutabilityExclusionFilters", f"'{wildcard}' has more than two wildcards")
    return wildcards
