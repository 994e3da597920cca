"""S3's own rest-xml: everything in which its wire differs from the others' stands here.

    addresses   the bucket may be in the host; a presigned request's headers in the query; `aws-chunked` tells a length
    answers     one root element for each operation, GetBucketLocation's without its structure, 206 for a range
    errors      no envelope; none for HEAD or 304; what went wrong is partly said in headers

Source: S3's API reference, "Virtual hosting of buckets", "Error responses", the operations' response syntax.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any
from urllib.parse import quote

import msgspec

from hatoba.aws.models import Operation, ServiceModel
from hatoba.aws.protocols.base import FindSecret, Params
from hatoba.aws.protocols.errors import declared_shape
from hatoba.aws.protocols.rest_xml import HEAD, RestXmlProtocol
from hatoba.aws.protocols.xml_tree import escape
from hatoba.aws.sigv4 import Verified, refusals, version2
from hatoba.aws.sigv4.refusals import Words
from hatoba.aws.wire import WireRequest, WireResponse, form
from hatoba.core.errors import AwsError

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"

# The root elements that are not called as the model's shape of the output is.
_ROOTS = {
    "CompleteMultipartUpload": "CompleteMultipartUploadResult",
    "CreateMultipartUpload": "InitiateMultipartUploadResult",
    "DeleteObjects": "DeleteResult",
    "GetBucketAcl": "AccessControlPolicy",
    "GetBucketCors": "CORSConfiguration",
    "GetBucketLifecycleConfiguration": "LifecycleConfiguration",
    "GetBucketLogging": "BucketLoggingStatus",
    "GetBucketRequestPayment": "RequestPaymentConfiguration",
    "GetBucketTagging": "Tagging",
    "GetBucketVersioning": "VersioningConfiguration",
    "GetBucketWebsite": "WebsiteConfiguration",
    "GetBucketAccelerateConfiguration": "AccelerateConfiguration",
    "GetBucketNotificationConfiguration": "NotificationConfiguration",
    "GetObjectAcl": "AccessControlPolicy",
    "GetObjectAttributes": "GetObjectAttributesResponse",
    "GetObjectTagging": "Tagging",
    "ListBuckets": "ListAllMyBucketsResult",
    "ListMultipartUploads": "ListMultipartUploadsResult",
    "ListObjectVersions": "ListVersionsResult",
    "ListObjects": "ListBucketResult",
    "ListObjectsV2": "ListBucketResult",
    "ListParts": "ListPartsResult",
}

# Members of errors that are told in headers: their names there.
_IN_HEADERS = {
    "AllowedMethods": "allow",
    "BucketRegion": "x-amz-bucket-region",
    "DeleteMarker": "x-amz-delete-marker",
    "EntityTag": "etag",
    "LastModified": "last-modified",
    "MarkerVersionId": "x-amz-version-id",
}
_PRESIGNED = ("x-amz-", "content-md5", "content-type")  # headers that a presigned request has in its query
_SUFFIXES = (".amazonaws.com.cn", ".amazonaws.com", ".api.aws", ".localhost")
_SERVICE = re.compile(r"(?:(?P<bucket>.+)\.)?s3(?:-fips)?(?:-accelerate)?(?:[.-]dualstack)?(?:[.-][a-z0-9-]+)?")
_LIMITED = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-")


@lru_cache(maxsize=4096)
def bucket_of_host(host: str) -> str | None:
    """The bucket in front of the service's name; None where the path has it.

    `b.s3.eu-west-1.amazonaws.com`, `b.s3.localhost:4566` and `b.localhost:4566` are the bucket `b`'s.
    """
    name = (host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host).lower()
    suffix = next((suffix for suffix in _SUFFIXES if name.endswith(suffix)), None)
    if suffix is None:
        return None
    labels = name[: -len(suffix)]
    found = _SERVICE.fullmatch(labels)
    if found is not None:
        return found["bucket"]
    return labels if suffix == ".localhost" and _LIMITED.issuperset(labels) else None


class S3Protocol(RestXmlProtocol):
    words: Words = refusals.S3
    anonymous = True  # a bucket's policy may let everybody in

    def addressed(self, request: WireRequest) -> WireRequest:
        """As if it had named its bucket in the path, and sent its headers as headers."""
        path, headers = request.path, request.headers
        bucket = bucket_of_host(headers.get("host", ""))
        if bucket is not None:
            path = f"/{quote(bucket)}{path}"
        changed: dict[str, str] = {}
        if "Signature=" in request.query:
            changed = {name: value for name, value in form(request.query) if name.startswith(_PRESIGNED)}
        if "x-amz-decoded-content-length" in headers:
            changed["content-length"] = headers["x-amz-decoded-content-length"]
        if (coded := headers.get("content-encoding", "")) and "aws-chunked" in coded:
            kept = [part for part in (each.strip() for each in coded.split(",")) if part != "aws-chunked"]
            changed["content-encoding"] = ",".join(kept)
        trailer = headers.get("x-amz-trailer", "").strip().lower()
        if trailer.startswith("x-amz-checksum-"):
            changed["x-amz-sdk-checksum-algorithm"] = trailer.removeprefix("x-amz-checksum-").upper()
        if not changed and path is request.path:
            return request
        merged = {name: value for name, value in {**headers, **changed}.items() if value or name not in changed}
        return msgspec.structs.replace(request, path=path, headers=merged)

    def verify(self, request: WireRequest, find: FindSecret, now: float) -> Verified:
        if "authorization" not in request.headers and version2.claimed_key(request.query) is not None:
            return version2.verify(self.addressed(request), find, now, self.words)
        return super().verify(request, find, now)

    def render(self, operation: Operation, result: Params, request_id: str) -> WireResponse:
        answer = super().render(operation, result, request_id)
        answer.headers["x-amz-request-id"] = request_id
        if "ContentRange" in result:
            return msgspec.structs.replace(answer, status=206)
        return answer

    def root(self, operation: Operation, name: str) -> str:
        return _ROOTS.get(operation.name, name)

    def write_result(self, operation: Operation, name: str, result: Params) -> bytes:
        if operation.name == "GetBucketLocation":
            said = escape(result.get("LocationConstraint") or "")
            return f'{HEAD}<LocationConstraint xmlns="{NAMESPACE}">{said}</LocationConstraint>'.encode()
        return super().write_result(operation, name, result)

    def namespace(self, model: ServiceModel) -> str:
        return NAMESPACE

    def render_error(
        self, model: ServiceModel, error: AwsError, request_id: str, *, query_mode: bool = False
    ) -> WireResponse:
        headers = {"x-amz-request-id": request_id, "x-amz-id-2": request_id}
        inner = ""
        for name, value in error.members.items():
            if value is None:
                continue
            if name in _IN_HEADERS:
                headers[_IN_HEADERS[name]] = _one_line(value)
            else:
                inner += f"<{name}>{escape(str(value))}</{name}>"
        if error.status == 304:
            return WireResponse(status=304, headers=headers)
        shape = declared_shape(model, error)
        code = escape(shape.code if shape is not None else error.code)
        text = (
            f"{HEAD}<Error><Code>{code}</Code><Message>{escape(error.message)}</Message>{inner}"
            f"<RequestId>{escape(request_id)}</RequestId><HostId>{escape(request_id)}</HostId></Error>"
        )
        headers["content-type"] = self.content_type
        return WireResponse(status=error.status, headers=headers, body=text.encode())


def _one_line(value: Any) -> str:
    return " ".join(str(value).split())
