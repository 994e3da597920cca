"""Layers by the API: availability, upload in parts, a link to download."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import urlencode

from hatoba.aws.shapes import ecr as t
from hatoba.core.errors import AwsError
from hatoba.gateway.call import Call
from hatoba.registry import names
from hatoba.registry.names import Digest
from hatoba.registry.problems import Problem
from hatoba.registry.ranges import Span
from hatoba.services.ecr import model
from hatoba.services.ecr.api.room import ecr, registry, the_repository
from hatoba.services.ecr.distribution import address
from hatoba.services.ecr.model import Repository

PART = 20_971_520  # bytes: what a part should have, as ECR tells its clients
MEDIA_TYPE = "application/vnd.docker.image.rootfs.diff.tar.gzip"


@ecr.operation
async def batch_check_layer_availability(
    req: t.BatchCheckLayerAvailabilityRequest, call: Call
) -> t.BatchCheckLayerAvailabilityResponse:
    repository = the_repository(call.store, call, req)
    found: list[t.Layer] = []
    failures: list[t.LayerFailure] = []
    for text in req["layerDigests"]:
        digest = names.digest(text)
        if digest is None:
            reason = "Invalid request parameters: the layer digest is not valid"
            failures.append({"layerDigest": text, "failureCode": "InvalidLayerDigest", "failureReason": reason})
            continue
        found.append(await _availability(call, repository, digest))
    return {"layers": found, "failures": failures}


async def _availability(call: Call, repository: Repository, digest: Digest) -> t.Layer:
    # Wanted: who is told that a layer is there will not send it.
    size = await registry(call).engine.blobs.size(digest, wanted=True)
    layer = model.find_layer(call.store, repository.scope, repository.id, digest)
    if layer is None or size is None:
        return {"layerDigest": digest, "layerAvailability": "UNAVAILABLE"}
    return {"layerDigest": digest, "layerAvailability": "AVAILABLE", "layerSize": size, "mediaType": MEDIA_TYPE}


@ecr.operation
async def initiate_layer_upload(req: t.InitiateLayerUploadRequest, call: Call) -> t.InitiateLayerUploadResponse:
    repository = the_repository(call.store, call, req)
    upload = await registry(call).engine.uploads.start(address(repository.scope, repository.id))
    return {"uploadId": upload, "partSize": PART}


@ecr.operation
async def upload_layer_part(req: t.UploadLayerPartRequest, call: Call) -> t.UploadLayerPartResponse:
    repository = the_repository(call.store, call, req)
    uploads = registry(call).engine.uploads
    where, upload, part = address(repository.scope, repository.id), req["uploadId"], req["layerPartBlob"]
    span = Span(req["partFirstByte"], req["partLastByte"])
    try:
        if span.length != len(part):
            size = await uploads.size(where, upload)
            raise _invalid_part(repository, upload, size, f"the part has {len(part)} bytes, not {span.length}")
        size = await uploads.append(where, upload, _whole(part), span)
    except Problem as problem:
        if problem.code != "RANGE_INVALID":
            raise _translated(problem, repository, upload) from None
        size = await uploads.size(where, upload)
        raise _invalid_part(repository, upload, size, f"the next byte is {size}, not {span.first}") from None
    return {
        "registryId": repository.scope.account,
        "repositoryName": repository.id,
        "uploadId": upload,
        "lastByteReceived": size - 1,
    }


@ecr.operation
async def complete_layer_upload(req: t.CompleteLayerUploadRequest, call: Call) -> t.CompleteLayerUploadResponse:
    repository = the_repository(call.store, call, req)
    engine, upload, where = registry(call).engine, req["uploadId"], address(repository.scope, repository.id)
    digest = names.digest(req["layerDigests"][0])
    if digest is None or len(set(req["layerDigests"])) != 1:
        raise t.InvalidLayerException("Exactly one valid layer digest is taken.")
    try:
        if await engine.uploads.size(where, upload) == 0:
            raise t.EmptyUploadException(f"The upload with id '{upload}' has no parts.")
        if model.find_layer(call.store, repository.scope, repository.id, digest) is not None:
            raise t.LayerAlreadyExistsException(
                f"Layer with digest '{digest}' already exists in the repository with name '{repository.id}' "
                f"in the registry with id '{repository.scope.account}'"
            )
        with engine.blobs.pin(digest):
            size = await engine.uploads.finish(where, upload, _whole(b""), digest)
            engine.repositories.link_blob(where, digest, size, call.closing)
    except Problem as problem:
        raise _translated(problem, repository, upload) from None
    return {
        "registryId": repository.scope.account,
        "repositoryName": repository.id,
        "uploadId": upload,
        "layerDigest": digest,
    }


@ecr.operation
async def get_download_url_for_layer(
    req: t.GetDownloadUrlForLayerRequest, call: Call
) -> t.GetDownloadUrlForLayerResponse:
    repository = the_repository(call.store, call, req)
    digest = req["layerDigest"]
    if model.find_layer(call.store, repository.scope, repository.id, digest) is None:
        raise t.LayersNotFoundException(
            f"The layer with digest '{digest}' does not exist in the repository with name '{repository.id}' "
            f"in the registry with id '{repository.scope.account}'"
        )
    here = registry(call)
    path = here.naming.blob_path(repository.scope, repository.id, digest)
    query = urlencode({"ticket": here.tokens.link_ticket(path)})
    return {"downloadUrl": f"http://{here.naming.endpoint}{path}?{query}", "layerDigest": digest}


async def _whole(data: bytes) -> AsyncIterator[bytes]:
    if data:
        yield data


def _invalid_part(repository: Repository, upload: str, size: int, why: str) -> AwsError:
    return t.InvalidLayerPartException(
        f"The layer part is not valid: {why}.",
        registryId=repository.scope.account,
        repositoryName=repository.id,
        uploadId=upload,
        lastValidByteReceived=max(size - 1, 0),
    )


def _translated(problem: Problem, repository: Repository, upload: str) -> AwsError:
    match problem.code:
        case "BLOB_UPLOAD_UNKNOWN":
            return t.UploadNotFoundException(
                f"The upload with id '{upload}' does not exist in the repository with name '{repository.id}' "
                f"in the registry with id '{repository.scope.account}'"
            )
        case "DIGEST_INVALID":
            return t.InvalidLayerException("The layer digest does not match the content that was uploaded.")
        case "NAME_UNKNOWN":
            return t.RepositoryNotFoundException(problem.message)
    return t.ServerException(problem.message)
