"""What buckets can have on AWS and never have here: told as AWS tells of a bucket that has none of it.

Tools that manage a bucket ask for all of these on their way. To take away what is not there is no error; to put it
there is an operation that is not implemented.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from hatoba.aws.shapes import s3 as t
from hatoba.core.errors import AwsError
from hatoba.gateway.call import Call
from hatoba.services.s3.api.room import s3, the_bucket


def _none(req: Mapping[str, Any], call: Call, code: str, message: str) -> NoReturn:
    the_bucket(call.store, call, req)
    raise AwsError(message, code=code, status=404, BucketName=req["Bucket"])


@s3.operation
async def get_bucket_cors(req: t.GetBucketCorsRequest, call: Call) -> t.GetBucketCorsOutput:
    _none(req, call, "NoSuchCORSConfiguration", "The CORS configuration does not exist")


@s3.operation
async def get_bucket_website(req: t.GetBucketWebsiteRequest, call: Call) -> t.GetBucketWebsiteOutput:
    _none(req, call, "NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration")


@s3.operation
async def get_bucket_lifecycle_configuration(
    req: t.GetBucketLifecycleConfigurationRequest, call: Call
) -> t.GetBucketLifecycleConfigurationOutput:
    _none(req, call, "NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist")


@s3.operation
async def get_bucket_replication(req: t.GetBucketReplicationRequest, call: Call) -> t.GetBucketReplicationOutput:
    _none(req, call, "ReplicationConfigurationNotFoundError", "The replication configuration was not found")


@s3.operation
async def get_object_lock_configuration(
    req: t.GetObjectLockConfigurationRequest, call: Call
) -> t.GetObjectLockConfigurationOutput:
    said = "Object Lock configuration does not exist for this bucket"
    _none(req, call, "ObjectLockConfigurationNotFoundError", said)


@s3.operation
async def get_bucket_logging(req: t.GetBucketLoggingRequest, call: Call) -> t.GetBucketLoggingOutput:
    the_bucket(call.store, call, req)
    return {}


@s3.operation
async def get_bucket_accelerate_configuration(
    req: t.GetBucketAccelerateConfigurationRequest, call: Call
) -> t.GetBucketAccelerateConfigurationOutput:
    the_bucket(call.store, call, req)
    return {}


@s3.operation
async def get_bucket_notification_configuration(
    req: t.GetBucketNotificationConfigurationRequest, call: Call
) -> t.NotificationConfiguration:
    the_bucket(call.store, call, req)
    return {}


@s3.operation
async def get_bucket_request_payment(
    req: t.GetBucketRequestPaymentRequest, call: Call
) -> t.GetBucketRequestPaymentOutput:
    the_bucket(call.store, call, req)
    return {"Payer": "BucketOwner"}


@s3.operation
async def delete_bucket_cors(req: t.DeleteBucketCorsRequest, call: Call) -> None:
    the_bucket(call.store, call, req)


@s3.operation
async def delete_bucket_website(req: t.DeleteBucketWebsiteRequest, call: Call) -> None:
    the_bucket(call.store, call, req)


@s3.operation
async def delete_bucket_lifecycle(req: t.DeleteBucketLifecycleRequest, call: Call) -> None:
    the_bucket(call.store, call, req)


@s3.operation
async def delete_bucket_replication(req: t.DeleteBucketReplicationRequest, call: Call) -> None:
    the_bucket(call.store, call, req)
