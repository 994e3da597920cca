"""Images: describe, list, fetch and delete.

An image is named by digest or by tag; an answer names what it could not find in `failures` and does the rest. Deleting
an image's last tag deletes the image, as ECR documents it; its layers go when nothing refers to them any more.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from hatoba.aws.shapes import ecr as t
from hatoba.core.errors import AwsError
from hatoba.gateway.call import Call
from hatoba.gateway.continued import small_next_token
from hatoba.registry import names
from hatoba.services.ecr import model, views
from hatoba.services.ecr.api.room import PAGE, bad_token, ecr, registry, the_repository
from hatoba.services.ecr.distribution import address
from hatoba.services.ecr.model import Image, Repository
from hatoba.store import Tx
from hatoba.store.store import View


class _Failed(Exception):
    """One image of a batch: the others are not held up by it."""

    def __init__(self, code: t.ImageFailureCode, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


@ecr.operation
async def describe_images(req: t.DescribeImagesRequest, call: Call) -> t.DescribeImagesResponse:
    repository = the_repository(call.store, call, req)
    if "imageIds" in req:
        if "nextToken" in req or "maxResults" in req:
            raise t.InvalidParameterException("imageIds cannot be used together with nextToken or maxResults.")
        named = {image.digest: image for image in (_described(call.store, repository, i) for i in req["imageIds"])}
        return {"imageDetails": _details(call.store, named.values())}
    page, token = call.page(
        _filtered(call.store, repository, req.get("filter", {})),
        order=lambda image: image.digest,
        token=req.get("nextToken"),
        limit=req.get("maxResults", PAGE),
        filters=(repository.id, req.get("filter")),
        bad_token=bad_token,
    )
    return {"imageDetails": _details(call.store, page), **small_next_token(token)}


@ecr.operation
async def list_images(req: t.ListImagesRequest, call: Call) -> t.ListImagesResponse:
    repository = the_repository(call.store, call, req)
    page, token = call.page(
        (
            identifier
            for image in _filtered(call.store, repository, req.get("filter", {}))
            for identifier in views.identifiers(image.digest, model.tags_of(call.store, image))
        ),
        order=lambda identifier: f"{identifier['imageDigest']} {identifier.get('imageTag', '')}",
        token=req.get("nextToken"),
        limit=req.get("maxResults", PAGE),
        filters=(repository.id, req.get("filter")),
        bad_token=bad_token,
    )
    return {"imageIds": page, **small_next_token(token)}


@ecr.operation
async def list_image_referrers(req: t.ListImageReferrersRequest, call: Call) -> t.ListImageReferrersResponse:
    """What the registry's referrers API tells, too."""
    repository, subject = the_repository(call.store, call, req), req["subjectId"]["imageDigest"]
    wanted = req.get("filter", {})
    kinds = wanted.get("artifactTypes")
    found = call.store.index(model.images, "subject", (repository.scope, repository.id, subject))
    if wanted.get("artifactStatus", "ACTIVE") not in ("ACTIVE", "ANY"):
        found = []  # nothing is ever archived
    page, token = call.page(
        (image for image in found if kinds is None or image.artifact_type in kinds),
        order=lambda image: image.digest,
        token=req.get("nextToken"),
        limit=req.get("maxResults", PAGE),
        filters=(repository.id, subject, wanted),
        bad_token=bad_token,
    )
    return {"referrers": [views.referrer(image) for image in page], **small_next_token(token)}


@ecr.operation
async def batch_get_image(req: t.BatchGetImageRequest, call: Call) -> t.BatchGetImageResponse:
    repository = the_repository(call.store, call, req)
    here = registry(call).engine
    images: list[t.Image] = []
    failures: list[t.ImageFailure] = []
    for wanted in req["imageIds"]:
        try:
            image = _find(call.store, repository, wanted)
        except _Failed as failed:
            failures.append(_failure(wanted, failed))
            continue
        data = await here.blobs.read(image.digest)
        if data is None:  # deleted and collected since
            failures.append(_failure(wanted, _not_found()))
            continue
        images.append(views.image(image, wanted.get("imageTag"), data.decode()))
        here.repositories.pulled(address(image.scope, image.repository), image.digest)
    return {"images": images, "failures": failures}


@ecr.operation
async def batch_delete_image(req: t.BatchDeleteImageRequest, call: Call) -> t.BatchDeleteImageResponse:
    deleted: list[t.ImageIdentifier] = []
    failures: list[t.ImageFailure] = []
    with call.tx() as tx:
        repository = the_repository(tx, call, req)
        # An index may come in the same call as what it lists: the indexes go first.
        for wanted in sorted(req["imageIds"], key=lambda wanted: not _is_list(tx, repository, wanted)):
            try:
                deleted += _delete(tx, repository, wanted)
            except _Failed as failed:
                failures.append(_failure(wanted, failed))
    return {"imageIds": deleted, "failures": failures}


# --- finding


def _find(view: View, repository: Repository, wanted: t.ImageIdentifier) -> Image:
    digest, tag = wanted.get("imageDigest"), wanted.get("imageTag")
    if digest is None and tag is None:
        raise _Failed("MissingDigestAndTag", "Invalid request parameters: both tag and digest cannot be null")
    if digest is not None and names.digest(digest) is None:
        raise _Failed("InvalidImageDigest", f"Invalid request parameters: '{digest}' is not a digest")
    if tag is not None:
        if not names.is_tag(tag):
            raise _Failed("InvalidImageTag", f"Invalid request parameters: '{tag}' is not an image tag")
        found = model.find_tag(view, repository.scope, repository.id, tag)
        if found is None:
            raise _not_found()
        if digest is not None and found.digest != digest:
            raise _Failed("ImageTagDoesNotMatchDigest", "The image tag does not match the image digest")
        digest = found.digest
    image = model.find_image(view, repository.scope, repository.id, digest or "")
    if image is None:
        raise _not_found()
    return image


def _not_found() -> _Failed:
    return _Failed("ImageNotFound", "Requested image not found")


def _failure(wanted: t.ImageIdentifier, failed: _Failed) -> t.ImageFailure:
    return {"imageId": wanted, "failureCode": failed.code, "failureReason": failed.reason}


def _described(view: View, repository: Repository, wanted: t.ImageIdentifier) -> Image:
    try:
        return _find(view, repository, wanted)
    except _Failed as failed:
        raise _described_error(repository, wanted, failed) from None


def _described_error(repository: Repository, wanted: t.ImageIdentifier, failed: _Failed) -> AwsError:
    if failed.code not in ("ImageNotFound", "ImageTagDoesNotMatchDigest"):
        return t.InvalidParameterException(failed.reason)
    digest, tag = wanted.get("imageDigest", "null"), wanted.get("imageTag", "null")
    return t.ImageNotFoundException(
        f"The image with imageId {{imageDigest:'{digest}', imageTag:'{tag}'}} does not exist within the repository "
        f"with name '{repository.id}' in the registry with id '{repository.scope.account}'"
    )


def _filtered(
    view: View, repository: Repository, wanted: t.DescribeImagesFilter | t.ListImagesFilter
) -> Iterable[Image]:
    if wanted.get("imageStatus", "ACTIVE") not in ("ACTIVE", "ANY"):
        return []  # nothing is ever archived
    found = model.images_of(view, repository.scope, repository.id)
    status = wanted.get("tagStatus", "ANY")
    if status == "ANY":
        return found
    return (image for image in found if bool(_count_tags(view, image)) == (status == "TAGGED"))


def _count_tags(view: View, image: Image) -> int:
    return view.count(model.tags, "image", (image.scope, image.repository, image.digest))


def _details(view: View, found: Iterable[Image]) -> list[t.ImageDetail]:
    return [views.image_detail(image, model.tags_of(view, image)) for image in found]


# --- deleting


def _is_list(view: View, repository: Repository, wanted: t.ImageIdentifier) -> bool:
    with contextlib.suppress(_Failed):
        return bool(_find(view, repository, wanted).children)
    return False


def _delete(tx: Tx, repository: Repository, wanted: t.ImageIdentifier) -> list[t.ImageIdentifier]:
    """By digest the image with all its tags; by tag the tag, and the image with its last one (API reference)."""
    image = _find(tx, repository, wanted)
    tag = wanted.get("imageTag")
    if tag is not None and _count_tags(tx, image) > 1:
        tx.forget(model.tags, model.tags.key(image.scope, f"{image.repository}:{tag}"))
        return views.identifiers(image.digest, [tag])
    lists = model.referring(tx, image.scope, image.repository, image.digest)
    if lists:
        shown = ", ".join(found.digest for found in lists)
        raise _Failed("ImageReferencedByManifestList", f"Requested image referenced by manifest list: [{shown}]")
    return views.identifiers(image.digest, model.delete_image(tx, image))
