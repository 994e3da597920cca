"""Which logs a load balancer has, where they go, and who writes them there. Pure.

Sources: "Enable access logs", "… connection logs", "… health check logs" in the guide for application load balancers
(bucket policies, test files, the accounts of older policies); "Access logs" in that for network load balancers.
"""

from __future__ import annotations

from collections.abc import Mapping

from hatoba.proxy.logfiles import Kind, stem
from hatoba.services.elbv2.model.balancer import LoadBalancer
from hatoba.services.elbv2.model.log_way import Place

ATTRIBUTES: dict[Kind, str] = {
    "access": "access_logs.s3",
    "connection": "connection_logs.s3",
    "health": "health_check_logs.s3",
}
_TEST_FILES: dict[Kind, str] = {
    "access": "ELBAccessLogTestFile",
    "connection": "ELBConnectionLogTestFile",
    "health": "ELBHealthCheckLogTestFile",
}

APPLICATION, NETWORK = "logdelivery.elasticloadbalancing", "delivery.logs"  # the services that write

# The accounts that policies of buckets name, of regions that were there before August 2022.
ACCOUNTS = {
    "us-east-1": "127311923021",
    "us-east-2": "033677994240",
    "us-west-1": "027434742980",
    "us-west-2": "797873946194",
    "af-south-1": "098369216593",
    "ap-east-1": "754344448648",
    "ap-northeast-1": "582318560864",
    "ap-northeast-2": "600734575887",
    "ap-northeast-3": "383597477331",
    "ap-south-1": "718504428378",
    "ap-southeast-1": "114774131450",
    "ap-southeast-2": "783225319266",
    "ap-southeast-3": "589379963580",
    "ca-central-1": "985666609251",
    "eu-central-1": "054676820928",
    "eu-north-1": "897822967062",
    "eu-south-1": "635631232127",
    "eu-west-1": "156460612806",
    "eu-west-2": "652711504416",
    "eu-west-3": "009996457667",
    "me-south-1": "076674570225",
    "sa-east-1": "507241528517",
    "us-gov-east-1": "190560391635",
    "us-gov-west-1": "048591011584",
}


def places(attributes: Mapping[str, str]) -> dict[Kind, Place]:
    """Of the logs that are on; `attributes` are all of a load balancer's."""
    return {
        kind: Place(bucket=attributes[f"{name}.bucket"], prefix=attributes[f"{name}.prefix"].rstrip("/"))
        for kind, name in ATTRIBUTES.items()
        if attributes.get(f"{name}.enabled") == "true"
    }


def stem_of(balancer: LoadBalancer, attributes: Mapping[str, str], kind: Kind) -> str:
    """The first part of its files' names; "" where there are to be none."""
    if attributes.get(f"{ATTRIBUTES[kind]}.enabled") != "true":
        return ""
    return stem(kind, balancer.key.account, balancer.key.region, balancer.id)


def test_file(kind: Kind, account: str) -> str:
    """Its key below the prefix."""
    return f"AWSLogs/{account}/{_TEST_FILES[kind]}"
