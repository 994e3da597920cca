"""A push or pull in the words of ECR's operations, for the audit: what was asked, what came of it.

Source: the ECR user guide, "Logging Amazon ECR actions with AWS CloudTrail"; the operations' shapes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hatoba.core.errors import AwsError
from hatoba.registry.ports import Action, Errand

_UPLOAD, _DIGEST = "docker-upload-uuid", "docker-content-digest"
_QUIET = ("upload status", "cancel upload")  # of clients that go on or give up; ECR has no operation for it
_PROVES: Mapping[Action, str] = {"begin upload": _UPLOAD, "finish upload": _DIGEST, "mount": _DIGEST}
# What ECR answers without an error: that there is no such thing.
_ANSWERS = {("has blob", "BLOB_UNKNOWN"), ("manifest", "MANIFEST_UNKNOWN")}
_CODES = {
    "BLOB_UNKNOWN": "LayersNotFoundException",
    "BLOB_UPLOAD_UNKNOWN": "UploadNotFoundException",
    "DENIED": "AccessDeniedException",
    "DIGEST_INVALID": "InvalidLayerException",
    "MANIFEST_BLOB_UNKNOWN": "LayersNotFoundException",
    "MANIFEST_UNKNOWN": "ImageNotFoundException",
    "NAME_UNKNOWN": "RepositoryNotFoundException",
    "RANGE_INVALID": "InvalidLayerPartException",
    "SIZE_INVALID": "InvalidLayerPartException",
    "TAG_INVALID": "ImageTagAlreadyExistsException",
    "UNKNOWN": "ServerException",
    "NO_SPACE": "ServerException",
}


def happened(action: Action, headers: Mapping[str, str] | None) -> bool:
    """Whether an answer with these headers says that it was done; None: it has failed, which is told in any case.

    One request may have come for several things: who has a layer taken from another repository and is refused that
    begins an upload, and finishes none.
    """
    proof = _PROVES.get(action)
    return action not in _QUIET and (headers is None or proof is None or proof in headers)


def parameters(operation: str, errand: Errand, account: str, name: str) -> dict[str, Any]:
    """The request that ECR's API would have been sent, but for contents."""
    where = {"registryId": account, "repositoryName": name}
    layer = errand.digest or errand.reference
    match operation:
        case "DescribeRepositories":
            return {"registryId": account}
        case "ListImageReferrers":
            return where | {"subjectId": {"imageDigest": errand.reference}}
        case "BatchGetImage" | "BatchDeleteImage":
            return where | {"imageIds": [_image(errand.reference)]}
        case "BatchCheckLayerAvailability":
            return where | {"layerDigests": [layer]}
        case "GetDownloadUrlForLayer":
            return where | {"layerDigest": layer}
        case "UploadLayerPart":
            return where | {"uploadId": errand.reference}
        case "CompleteLayerUpload":
            return where | {"uploadId": errand.reference, "layerDigests": [layer]}
        case "PutImage":
            return where | _image(errand.reference)
    return where


def _image(reference: str) -> dict[str, str]:
    return {"imageDigest" if ":" in reference else "imageTag": reference}


def answer(operation: str, asked: Mapping[str, Any], headers: Mapping[str, str]) -> dict[str, Any]:
    """What ECR's API would have answered, as far as it says what was changed. `asked`: the parameters."""
    where = {member: asked[member] for member in ("registryId", "repositoryName", "uploadId") if asked.get(member)}
    match operation:
        case "InitiateLayerUpload":
            return {"uploadId": headers[_UPLOAD]}
        case "UploadLayerPart":
            return where
        case "CompleteLayerUpload":
            return where | {"layerDigest": headers[_DIGEST]}
        case "PutImage":
            tagged = {"imageTag": asked["imageTag"]} if "imageTag" in asked else {}
            return {"image": where | {"imageId": {"imageDigest": headers[_DIGEST]} | tagged}}
    return {}


def error(action: Action, code: str, message: str) -> AwsError | None:
    """A problem of the distribution API as ECR's API would tell it; None where that would be an answer."""
    if (action, code) in _ANSWERS:
        return None
    return AwsError(message, code=_CODES.get(code, "InvalidParameterException"))
