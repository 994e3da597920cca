"""Logs of load balancers arrive in their bucket: each line once, whatever is killed, and as its policy allows."""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import socket
import ssl
import urllib.request
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tools.instance import Instance, eventually

pytestmark = pytest.mark.real

ACCOUNT, BUCKET = "123456789012", "balancers-logs"
ALB, NLB = "logdelivery.elasticloadbalancing.amazonaws.com", "delivery.logs.amazonaws.com"


@pytest.fixture(scope="module")
def hatoba() -> Iterator[Instance]:
    """One whose nodes deliver every second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HATOBA_ELB_LOG_PERIOD", "1")
        with Instance() as instance:
            instance.client("s3").create_bucket(Bucket=BUCKET)
            yield instance


def let(hatoba: Instance) -> None:
    """The documented policies."""
    put = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{BUCKET}/*/AWSLogs/{ACCOUNT}/*"}
    owner = {"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control", "aws:SourceAccount": ACCOUNT}}
    statements = [put | {"Principal": {"Service": ALB}}, put | {"Principal": {"Service": NLB}, "Condition": owner}]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    hatoba.client("s3").put_bucket_policy(Bucket=BUCKET, Policy=policy)


def noting(hatoba: Instance, balancer: str, name: str, prefix: str) -> None:
    wish = {"enabled": "true", "bucket": BUCKET, "prefix": prefix}
    hatoba.client("elbv2").modify_load_balancer_attributes(
        LoadBalancerArn=balancer, Attributes=[{"Key": f"{name}.s3.{key}", "Value": each} for key, each in wish.items()]
    )


def balancer(hatoba: Instance, name: str, port: int, **params: Any) -> tuple[str, str]:
    """Its ARN and one of its addresses."""
    elb = hatoba.client("elbv2")
    groups = {} if params.get("Type") == "network" else {"SecurityGroups": [hatoba.allow(port)]}
    made = elb.create_load_balancer(Name=name, Subnets=hatoba.subnets(), **groups, **params)["LoadBalancers"][0]
    arn: str = made["LoadBalancerArn"]
    elb.get_waiter("load_balancer_available").wait(LoadBalancerArns=[arn], WaiterConfig={"Delay": 1})
    return arn, str(hatoba.interfaces(arn)[0]["Association"]["PublicIp"])


def lines(hatoba: Instance, prefix: str) -> list[str]:
    s3 = hatoba.client("s3")
    found: list[str] = []
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{prefix}/"):
        for each in page.get("Contents", []):
            if each["Key"].endswith(".log.gz"):
                body = s3.get_object(Bucket=BUCKET, Key=each["Key"])["Body"].read()
                found += gzip.decompress(body).decode().splitlines()
    return found


def numbers(hatoba: Instance, prefix: str) -> Counter[int]:
    """Which requests were noted, and how often."""
    paths = (re.search(r'"GET http://\S+?/(\d+) HTTP/1.1"', line) for line in lines(hatoba, prefix))
    return Counter(int(found[1]) for found in paths if found)


def repeated(hatoba: Instance) -> list[int]:
    """What was noted more often than it was asked for; nothing but 0 was asked for more than once."""
    return [number for number, times in numbers(hatoba, "a").items() if number and times != 1]


def ask(address: str, number: int) -> None:
    with urllib.request.urlopen(f"http://{address}/{number}", timeout=10) as answer:
        assert answer.read() == b"here"


def answers(address: str) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((address, 80), 5):
        return True
    return False


@pytest.fixture(scope="module")
def web(hatoba: Instance) -> tuple[str, str]:
    arn, address = balancer(hatoba, "web", 80)
    fixed = {"StatusCode": "200", "ContentType": "text/plain", "MessageBody": "here"}
    hatoba.client("elbv2").create_listener(
        LoadBalancerArn=arn,
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": fixed}],
    )
    return arn, address


def test_who_may_not_write_is_told_so(hatoba: Instance, web: tuple[str, str]) -> None:
    for bucket in (BUCKET, "there-is-no-such-bucket"):
        with pytest.raises(
            ClientError, match=rf"Access Denied for bucket: {bucket}\. Please check S3bucket permission"
        ):
            hatoba.client("elbv2").modify_load_balancer_attributes(
                LoadBalancerArn=web[0],
                Attributes=[
                    {"Key": "access_logs.s3.enabled", "Value": "true"},
                    {"Key": "access_logs.s3.bucket", "Value": bucket},
                ],
            )
    let(hatoba)
    noting(hatoba, web[0], "access_logs", "a")
    keys = [each["Key"] for each in hatoba.client("s3").list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert keys == [f"a/AWSLogs/{ACCOUNT}/ELBAccessLogTestFile"]


def test_every_request_is_in_the_bucket_once_whoever_is_killed(hatoba: Instance, web: tuple[str, str]) -> None:
    _, address = web
    eventually(lambda: answers(address), 10)

    def noted() -> bool:
        ask(address, 0)
        return numbers(hatoba, "a")[0] > 0

    eventually(noted, 20, pause=0.5)  # Envoy has the new setting a moment after it was answered
    for number in range(1, 301):
        ask(address, number)
        if number in (60, 180):
            hatoba.kill("node")
        if number in (120, 180, 240):
            hatoba.kill("control")
    eventually(lambda: hatoba.health_or_none(), 30)
    eventually(lambda: set(numbers(hatoba, "a")) == set(range(301)), 60, pause=0.5)
    assert not repeated(hatoba)
    name = rf"a/AWSLogs/{ACCOUNT}/elasticloadbalancing/us-east-1/\d{{4}}/\d\d/\d\d/"
    name += rf"{ACCOUNT}_elasticloadbalancing_us-east-1_app\.web\.[0-9a-f]{{16}}_\d{{8}}T\d{{4}}Z"
    name += r"_[0-9.]+_[a-z2-7]{8}\.log\.gz"
    for each in hatoba.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="a/")["Contents"]:
        assert each["Key"].endswith("TestFile") or re.fullmatch(name, each["Key"]), each["Key"]


def test_what_the_bucket_does_not_take_waits_for_it(hatoba: Instance, web: tuple[str, str]) -> None:
    _, address = web
    folder = hatoba.folder / "node" / "elb"
    hatoba.client("s3").delete_bucket_policy(Bucket=BUCKET)
    for number in range(1000, 1010):
        ask(address, number)
    assert eventually(lambda: list(folder.rglob("*.log.gz")), 20), "it waits on the node"
    assert not [number for number in numbers(hatoba, "a") if number >= 1000]
    let(hatoba)
    eventually(lambda: len([number for number in numbers(hatoba, "a") if number >= 1000]) == 10, 40, pause=0.5)
    eventually(lambda: not list(folder.rglob("*.log.gz")), 10)


def test_checks_of_targets_and_tls_connections_are_noted_too(hatoba: Instance, web: tuple[str, str]) -> None:
    elb, acm = hatoba.client("elbv2"), hatoba.client("acm")
    noting(hatoba, web[0], "health_check_logs", "h")
    made = elb.create_target_group(
        Name="nobody",
        Protocol="HTTP",
        Port=80,
        VpcId=hatoba.vpc(),
        TargetType="ip",
        HealthCheckIntervalSeconds=5,
        HealthCheckTimeoutSeconds=2,
    )
    group = made["TargetGroups"][0]["TargetGroupArn"]
    elb.register_targets(TargetGroupArn=group, Targets=[{"Id": "172.31.0.250"}])
    elb.create_listener(
        LoadBalancerArn=web[0], Protocol="HTTP", Port=81, DefaultActions=[{"Type": "forward", "TargetGroupArn": group}]
    )

    arn, address = balancer(hatoba, "flows", 443, Type="network")
    certificate = acm.request_certificate(DomainName="flows.example", KeyAlgorithm="EC_prime256v1")["CertificateArn"]
    made = elb.create_target_group(Name="behind", Protocol="TCP", Port=80, VpcId=hatoba.vpc(), TargetType="ip")
    behind = made["TargetGroups"][0]["TargetGroupArn"]
    (private, *_) = (each["PrivateIpAddress"] for each in hatoba.interfaces(web[0]))
    elb.register_targets(TargetGroupArn=behind, Targets=[{"Id": private}])
    elb.create_listener(
        LoadBalancerArn=arn,
        Protocol="TLS",
        Port=443,
        Certificates=[{"CertificateArn": certificate}],
        DefaultActions=[{"Type": "forward", "TargetGroupArn": behind}],
    )
    across = {"Key": "load_balancing.cross_zone.enabled", "Value": "true"}
    elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=[across])
    noting(hatoba, arn, "access_logs", "n")
    blind = ssl.create_default_context()
    blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE

    def met() -> bool:
        try:
            with socket.create_connection((address, 443), 5) as plain:
                with blind.wrap_socket(plain, server_hostname="flows.example"):
                    return True
        except OSError:
            return False

    eventually(met, 20)
    checked = eventually(lambda: lines(hatoba, "h"), 30, pause=0.5)
    assert re.fullmatch(r"http \S+Z \d+\.\d{9} 172\.31\.0\.250:80 nobody FAIL - \w+", checked[0]), checked[0]
    said = eventually(lambda: [each for each in lines(hatoba, "n") if "flows.example" in each], 30, pause=0.5)
    assert said[0].startswith("tls 2.0 ")
    assert len(said[0].split(" ")) == 22
    assert certificate in said[0]


def test_the_last_lines_of_a_deleted_load_balancer_arrive(hatoba: Instance, web: tuple[str, str]) -> None:
    arn, address = web
    ask(address, 5000)
    hatoba.client("elbv2").delete_load_balancer(LoadBalancerArn=arn)
    eventually(lambda: numbers(hatoba, "a")[5000] == 1, 60, pause=0.5)
    assert not repeated(hatoba)
