"""PutImage: a manifest by the API, with the same effect as a push."""

from __future__ import annotations

from typing import NoReturn

from hatoba.aws.shapes import ecr as t
from hatoba.gateway.call import Call
from hatoba.registry import names
from hatoba.registry.api.manifests import store
from hatoba.registry.manifests import Manifest, parse
from hatoba.registry.problems import Problem
from hatoba.services.ecr import model, views
from hatoba.services.ecr.api.room import ecr, find_repository, invalid, registry, the_repository
from hatoba.services.ecr.distribution import address
from hatoba.services.ecr.model import Repository
from hatoba.store.store import View


@ecr.operation
async def put_image(req: t.PutImageRequest, call: Call) -> t.PutImageResponse:
    repository = the_repository(call.store, call, req)
    tag = req.get("imageTag")
    if tag is not None and not names.is_tag(tag):
        raise invalid("imageTag", "must satisfy regular expression '[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}'")
    data = req["imageManifest"].encode()
    manifest = _parse(data, req.get("imageManifestMediaType", ""))
    if req.get("imageDigest", manifest.digest) != manifest.digest:
        raise t.ImageDigestDoesNotMatchException(
            "The specified image digest does not match the digest that Amazon ECR calculated for the image"
        )
    _refuse_the_same(call.store, repository, manifest, tag)
    try:
        where = address(repository.scope, repository.id)
        await store(registry(call).engine, where, manifest, data, tag, call.closing)
    except Problem as problem:
        _refuse(problem, repository, manifest)
    image = model.find_image(call.store, repository.scope, repository.id, manifest.digest)
    if image is None:  # deleted in this very moment, with its repository or alone
        find_repository(call.store, repository.scope, repository.id)
        raise t.ServerException("The image was deleted while it was being put.")
    return {"image": views.image(image, tag, req["imageManifest"])}


def _parse(data: bytes, media_type: str) -> Manifest:
    try:
        return parse(data, media_type)
    except Problem as problem:
        raise invalid("ImageManifest", problem.message) from None


def _refuse_the_same(view: View, repository: Repository, manifest: Manifest, tag: str | None) -> None:
    image = model.find_image(view, repository.scope, repository.id, manifest.digest)
    if image is None or (tag is not None and tag not in model.tags_of(view, image)):
        return
    named = "" if tag is None else f" and tag '{tag}'"
    raise t.ImageAlreadyExistsException(
        f"Image with digest '{manifest.digest}'{named} already exists in the repository with name "
        f"'{repository.id}' in registry with id '{repository.scope.account}'"
    )


def _refuse(problem: Problem, repository: Repository, manifest: Manifest) -> NoReturn:
    where = f"the repository with name '{repository.id}' in the registry with id '{repository.scope.account}'"
    match problem.code:
        case "TAG_INVALID":
            raise t.ImageTagAlreadyExistsException(problem.message) from None
        case "MANIFEST_BLOB_UNKNOWN" if manifest.children:
            raise t.ReferencedImagesNotFoundException(f"{problem.message} ({where})") from None
        case "MANIFEST_BLOB_UNKNOWN":
            raise t.LayersNotFoundException(f"{problem.message} ({where})") from None
        case "NAME_UNKNOWN":
            raise t.RepositoryNotFoundException(problem.message) from None
    raise t.ServerException(problem.message) from problem
