"""S3's errors, in its own codes and words, each with what it tells beside them.

Source: S3's API reference, "Error responses", "List of error codes".
"""

from __future__ import annotations

from email.utils import formatdate

from hatoba.aws.shapes import s3 as t
from hatoba.core.errors import AwsError


def no_such_bucket(name: str) -> AwsError:
    return t.NoSuchBucket("The specified bucket does not exist", BucketName=name)


def no_such_key(key: str) -> AwsError:
    return t.NoSuchKey("The specified key does not exist.", Key=key)


def invalid_argument(message: str, name: str | None = None, value: str | None = None) -> AwsError:
    return AwsError(message, code="InvalidArgument", status=400, ArgumentName=name, ArgumentValue=value)


def invalid_request(message: str) -> AwsError:
    return AwsError(message, code="InvalidRequest", status=400)


def malformed_xml() -> AwsError:
    said = "The XML you provided was not well-formed or did not validate against our published schema"
    return AwsError(said, code="MalformedXML", status=400)


def not_here(what: str) -> AwsError:
    """What AWS has and this room has not: refused by name."""
    said = f"A header you provided implies functionality that is not implemented: {what}"
    return AwsError(said, code="NotImplemented", status=501)


def elsewhere(bucket: str, region: str) -> AwsError:
    """The bucket is in another region than the request was signed for."""
    return AwsError(
        "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all "
        "future requests to this endpoint.",
        code="PermanentRedirect",
        status=301,
        Endpoint=f"{bucket}.s3.{region}.amazonaws.com",
        Bucket=bucket,
        BucketRegion=region,
    )


def deleted(key: str, version: str, modified: float, *, asked: bool) -> AwsError:
    """A deletion's marker is what the key is now, or what was `asked` for by its version."""
    if asked:
        return AwsError(
            "The specified method is not allowed against this resource.",
            code="MethodNotAllowed",
            status=405,
            Method="GET",
            ResourceType="DeleteMarker",
            AllowedMethods="DELETE",
            DeleteMarker="true",
            MarkerVersionId=version,
            LastModified=formatdate(modified, usegmt=True),
        )
    return t.NoSuchKey("The specified key does not exist.", Key=key, DeleteMarker="true", MarkerVersionId=version)


def failed(condition: str) -> AwsError:
    said = "At least one of the pre-conditions you specified did not hold"
    return AwsError(said, code="PreconditionFailed", status=412, Condition=condition)


def not_modified(etag: str) -> AwsError:
    return AwsError("Not Modified", code="NotModified", status=304, EntityTag=f'"{etag}"')


def bad_range(said: str, size: int) -> AwsError:
    return AwsError(
        "The requested range is not satisfiable",
        code="InvalidRange",
        status=416,
        RangeRequested=said,
        ActualObjectSize=str(size),
    )


def bad_digest(what: str) -> AwsError:
    return AwsError(f"The {what} you specified did not match what we received.", code="BadDigest", status=400)


def invalid_digest() -> AwsError:
    return AwsError("The Content-MD5 you specified was invalid.", code="InvalidDigest", status=400)


def no_space() -> AwsError:
    said = "There is no space left on the disk of the platform. Nothing was stored."
    return AwsError(said, code="ServiceUnavailable", status=503)


def no_such_part(number: int, count: int) -> AwsError:
    return AwsError(
        "The requested partnumber is not satisfiable",
        code="InvalidPartNumber",
        status=416,
        ActualPartCount=str(count),
        PartNumberRequested=str(number),
    )


def no_such_version(key: str, version: str | None) -> AwsError:
    return AwsError(
        "The specified version does not exist.", code="NoSuchVersion", status=404, Key=key, VersionId=version
    )
