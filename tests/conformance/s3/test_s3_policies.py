"""Bucket policies through boto3: who else may, who may not, and what is public; what buckets here never have."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
import urllib3
from botocore.exceptions import ClientError

from tests.conformance.apart import OTHER_ACCOUNT
from tests.conformance.s3.objectland import Objectland

HTTP = urllib3.PoolManager(retries=False)


def refused(call: Any, **params: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        call(**params)
    return caught.value.response["Error"]["Code"], caught.value.response["ResponseMetadata"]["HTTPStatusCode"]


def policy(bucket: str, *statements: dict[str, Any]) -> str:
    """Resources are said within the bucket."""
    made = []
    for statement in statements:
        inside = statement.get("Resource", "/*")
        made.append({"Effect": "Allow", **statement, "Resource": f"arn:aws:s3:::{bucket}{inside}"})
    return json.dumps({"Version": "2012-10-17", "Statement": made})


def user(land: Objectland, *statements: dict[str, Any]) -> Any:
    """A client of a new user of the first account who may do so much."""
    iam, name = land.client("iam"), f"user-{uuid4().hex[:8]}"
    iam.create_user(UserName=name)
    if statements:
        document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return land.client(key=(key["AccessKeyId"], key["SecretAccessKey"]))


def test_another_account_is_let_in(land: Objectland, s3: Any, bucket: str) -> None:
    other = land.other()
    s3.put_object(Bucket=bucket, Key="shared/k", Body=b"abc")
    s3.put_object(Bucket=bucket, Key="own/k", Body=b"abc")
    assert refused(other.get_object, Bucket=bucket, Key="shared/k") == ("AccessDenied", 403)
    there = {"AWS": OTHER_ACCOUNT}
    text = policy(
        bucket,
        {"Principal": there, "Action": "s3:GetObject", "Resource": "/shared/*"},
        {"Principal": there, "Action": "s3:ListBucket", "Resource": ""},
    )
    s3.put_bucket_policy(Bucket=bucket, Policy=text)
    assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == text
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"] is False
    assert other.get_object(Bucket=bucket, Key="shared/k")["Body"].read() == b"abc"
    assert other.list_objects_v2(Bucket=bucket)["KeyCount"] == 2
    assert refused(other.get_object, Bucket=bucket, Key="shared/none") == ("NoSuchKey", 404)
    for call, more in (
        (other.get_object, {"Key": "own/k"}),
        (other.put_object, {"Key": "shared/k", "Body": b""}),
        (other.delete_object, {"Key": "shared/k"}),
        (other.get_bucket_policy, {}),
        (other.put_bucket_policy, {"Policy": text}),
    ):
        assert refused(call, Bucket=bucket, **more) == ("AccessDenied", 403)
    s3.delete_bucket_policy(Bucket=bucket)
    assert refused(other.get_object, Bucket=bucket, Key="shared/k") == ("AccessDenied", 403)
    assert refused(s3.get_bucket_policy, Bucket=bucket) == ("NoSuchBucketPolicy", 404)


def test_a_deny_wins_and_the_root_can_mend_it(land: Objectland, s3: Any, bucket: str) -> None:
    may = user(land, {"Effect": "Allow", "Action": "s3:*", "Resource": "*"})
    may.put_object(Bucket=bucket, Key="k", Body=b"abc")
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(bucket, {"Effect": "Deny", "Principal": "*", "Action": "s3:*"}))
    assert refused(may.get_object, Bucket=bucket, Key="k") == ("AccessDenied", 403)
    assert refused(s3.get_object, Bucket=bucket, Key="k") == ("AccessDenied", 403)
    done = may.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k"}]})
    assert [each["Code"] for each in done["Errors"]] == ["AccessDenied"]
    s3.put_bucket_policy(
        Bucket=bucket,
        Policy=policy(bucket, {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ""}),
    )
    assert refused(may.delete_bucket_policy, Bucket=bucket) == ("AccessDenied", 403)
    s3.delete_bucket_policy(Bucket=bucket)
    assert may.get_object(Bucket=bucket, Key="k")["Body"].read() == b"abc"


def test_the_policy_lets_in_whom_no_other_policy_does(land: Objectland, s3: Any, bucket: str) -> None:
    nobody = user(land)
    s3.put_object(Bucket=bucket, Key="k", Body=b"abc")
    assert refused(nobody.get_object, Bucket=bucket, Key="k") == ("AccessDenied", 403)
    arn = land.client("iam").list_users()["Users"]
    names = {each["UserName"]: each["Arn"] for each in arn}
    mine = next(each for name, each in names.items() if name == who(land, nobody))
    statement = {"Principal": {"AWS": mine}, "Action": "s3:GetObject"}
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(bucket, statement))
    assert nobody.get_object(Bucket=bucket, Key="k")["Body"].read() == b"abc"
    version = policy(bucket, {**statement, "Action": "s3:GetObjectVersion"})
    s3.put_bucket_policy(Bucket=bucket, Policy=version)
    assert refused(nobody.get_object, Bucket=bucket, Key="k") == ("AccessDenied", 403)
    assert nobody.get_object(Bucket=bucket, Key="k", VersionId="null")["Body"].read() == b"abc"


def who(land: Objectland, client: Any) -> str:
    """The name of a client's user."""
    key = client._request_signer._credentials.access_key
    iam = land.client("iam")
    return next(
        each["UserName"]
        for each in iam.list_users()["Users"]
        if key in [one["AccessKeyId"] for one in iam.list_access_keys(UserName=each["UserName"])["AccessKeyMetadata"]]
    )


def test_what_is_public_is_blocked_unless_it_is_wanted(land: Objectland, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"abc")
    everybody = policy(bucket, {"Principal": "*", "Action": "s3:GetObject"})
    assert s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]["BlockPublicPolicy"] is True
    assert refused(s3.put_bucket_policy, Bucket=bucket, Policy=everybody) == ("AccessDenied", 403)
    s3.delete_public_access_block(Bucket=bucket)
    code = "NoSuchPublicAccessBlockConfiguration"
    assert refused(s3.get_public_access_block, Bucket=bucket) == (code, 404)
    s3.put_bucket_policy(Bucket=bucket, Policy=everybody)
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"] is True

    def anybody(method: str = "GET", **more: Any) -> urllib3.BaseHTTPResponse:
        headers = {"host": f"{bucket}.s3.localhost:{land.port}", **more.pop("headers", {})}
        return HTTP.request(method, f"{land.endpoint}/k", headers=headers, **more)

    assert anybody().data == b"abc"
    assert land.other().get_object(Bucket=bucket, Key="k")["Body"].read() == b"abc"
    assert anybody("PUT", body=b"x").status == 403
    assert anybody("DELETE").status == 403
    for odd in ("Basic YTpi", "AWS AKIAI44QH8DHBEXAMPLE:abc", "Bearer x"):
        assert anybody(headers={"authorization": odd}).status in (400, 403), odd
    block = {"RestrictPublicBuckets": True}
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=block)
    assert anybody().status == 403
    assert refused(land.other().get_object, Bucket=bucket, Key="k") == ("AccessDenied", 403)
    assert user(land).get_object(Bucket=bucket, Key="k")["Body"].read() == b"abc"


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "{}",
        '{"Statement": []}',
        '{"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::B"}]}',
        '{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "ec2:*", "Resource": "arn:aws:s3:::B"}]}',
        '{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::other/*"}]}',
        '{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::B*"}]}',
        '{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:*"}]}',
    ],
)
def test_what_is_no_policy_of_the_bucket(s3: Any, bucket: str, text: str) -> None:
    assert refused(s3.put_bucket_policy, Bucket=bucket, Policy=text.replace("B", bucket)) == ("MalformedPolicy", 400)
    assert refused(s3.get_bucket_policy, Bucket=bucket) == ("NoSuchBucketPolicy", 404)


def test_what_tools_ask_of_a_bucket_on_their_way(s3: Any, bucket: str) -> None:
    for call, code in (
        (s3.get_bucket_cors, "NoSuchCORSConfiguration"),
        (s3.get_bucket_website, "NoSuchWebsiteConfiguration"),
        (s3.get_bucket_lifecycle_configuration, "NoSuchLifecycleConfiguration"),
        (s3.get_bucket_replication, "ReplicationConfigurationNotFoundError"),
        (s3.get_object_lock_configuration, "ObjectLockConfigurationNotFoundError"),
    ):
        assert refused(call, Bucket=bucket) == (code, 404)
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=bucket)
    assert "Status" not in s3.get_bucket_accelerate_configuration(Bucket=bucket)
    assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "BucketOwner"
    s3.get_bucket_notification_configuration(Bucket=bucket)
    for call in (s3.delete_bucket_cors, s3.delete_bucket_website, s3.delete_bucket_lifecycle):
        call(Bucket=bucket)
    (rule,) = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"


def test_there_are_no_acls(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    for shown in (s3.get_bucket_acl(Bucket=bucket), s3.get_object_acl(Bucket=bucket, Key="k")):
        assert [(each["Grantee"]["ID"], each["Permission"]) for each in shown["Grants"]] == [
            (shown["Owner"]["ID"], "FULL_CONTROL")
        ]
    none = ("AccessControlListNotSupported", 400)
    assert refused(s3.put_bucket_acl, Bucket=bucket, ACL="public-read") == none
    assert refused(s3.put_object_acl, Bucket=bucket, Key="k", ACL="public-read") == none
    rules = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
    assert rules == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    wanted = {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    assert refused(s3.put_bucket_ownership_controls, Bucket=bucket, OwnershipControls=wanted) == ("NotImplemented", 501)
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls={"Rules": rules})
    s3.delete_bucket_ownership_controls(Bucket=bucket)
    code = "OwnershipControlsNotFoundError"
    assert refused(s3.get_bucket_ownership_controls, Bucket=bucket) == (code, 404)


def test_tags_decide(land: Objectland, s3: Any, bucket: str) -> None:
    condition = {"StringEquals": {"s3:ExistingObjectTag/open": "yes"}}
    may = user(land, {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", "Condition": condition})
    s3.put_object(Bucket=bucket, Key="k", Body=b"abc", Tagging="open=no")
    assert refused(may.get_object, Bucket=bucket, Key="k") == ("AccessDenied", 403)
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": [{"Key": "open", "Value": "yes"}]})
    assert may.get_object(Bucket=bucket, Key="k")["Body"].read() == b"abc"
    given = {"StringEquals": {"s3:RequestObjectTag/team": "a"}}
    writes = user(
        land,
        {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"},
        {"Effect": "Allow", "Action": "s3:PutObjectTagging", "Resource": "*", "Condition": given},
    )
    assert refused(writes.put_object, Bucket=bucket, Key="k", Body=b"", Tagging="team=b") == ("AccessDenied", 403)
    writes.put_object(Bucket=bucket, Key="k", Body=b"", Tagging="team=a")


def test_tags_that_come_along_with_a_copy_are_permissions_of_their_own(land: Objectland, s3: Any, bucket: str) -> None:
    """Nobody reads tags by copying who may not, nor gives an object what policies let others in by."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"abc", Tagging="team=a")
    copy = {"Bucket": bucket, "Key": "copy", "CopySource": f"{bucket}/k"}
    given = {"StringEquals": {"s3:RequestObjectTag/team": "a"}}
    may = [
        {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "*"},
        {"Effect": "Allow", "Action": "s3:GetObjectTagging", "Resource": f"arn:aws:s3:::{bucket}/k"},
        {
            "Effect": "Allow",
            "Action": "s3:PutObjectTagging",
            "Resource": f"arn:aws:s3:::{bucket}/copy",
            "Condition": given,
        },
    ]
    for lacking in (may[1], may[2]):
        somebody = user(land, *(statement for statement in may if statement is not lacking))
        assert refused(somebody.copy_object, **copy) == ("AccessDenied", 403)
        somebody.copy_object(**copy, TaggingDirective="REPLACE")  # without tags
        assert s3.get_object_tagging(Bucket=bucket, Key="copy")["TagSet"] == []
    user(land, *may).copy_object(**copy)
    assert s3.get_object_tagging(Bucket=bucket, Key="copy")["TagSet"] == [{"Key": "team", "Value": "a"}]
