"""Who may not, is told what they may not, and on what; a dry run tells it before anything is looked at."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.ec2.networks import ACCOUNT, Platform, refused


@pytest.fixture
def nobody(platform: Platform, region: str) -> Any:
    """EC2 for a user without any policy."""
    iam = platform.client("iam")
    iam.create_user(UserName=region)
    key = iam.create_access_key(UserName=region)["AccessKey"]
    return platform.client("ec2", region=region, key=(key["AccessKeyId"], key["SecretAccessKey"]))


def test_a_refusal_names_who_what_and_where(ec2: Any, nobody: Any, region: str, vpc: str) -> None:
    words = refused("UnauthorizedOperation", nobody.delete_vpc, VpcId=vpc)
    assert words.startswith(
        f"You are not authorized to perform this operation. User: arn:aws:iam::{ACCOUNT}:user/{region} is not "
        f"authorized to perform: ec2:DeleteVpc on resource: arn:aws:ec2:{region}:{ACCOUNT}:vpc/{vpc} because "
    )
    assert ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"]


def test_a_dry_run_tells_whether_one_may(ec2: Any, nobody: Any, vpc: str) -> None:
    assert refused("DryRunOperation", ec2.delete_vpc, VpcId=vpc, DryRun=True) == (
        "Request would have succeeded, but DryRun flag is set."
    )
    refused("UnauthorizedOperation", nobody.delete_vpc, VpcId=vpc, DryRun=True)
    assert ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"]
