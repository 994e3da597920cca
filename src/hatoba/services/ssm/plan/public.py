"""Public parameters: what AWS itself publishes under `/aws/service`, of which container users read the following. Pure.

    /aws/service/ecs/optimized-ami/<system>/recommended            JSON, as the ECS guide shows it
    /aws/service/ecs/optimized-ami/<system>/recommended/image_id   and image_name, os, ecs_agent_version, …
    /aws/service/ami-amazon-linux-latest/<image>                   an image's id
    /aws/service/eks/optimized-ami/<version>/<system>/recommended/image_id
    /aws/service/bottlerocket/<variant>/<architecture>/<version>/image_id   and image_version
    /aws/service/global-infrastructure/regions/<region>            and longName, domain, partition, geolocationCountry
    /aws/service/global-infrastructure/current-region              and availability-zones/<zone id>

There are no machine images here: an image's id follows from its name and region, so that it is the same everywhere and
always, and stands for what the node runs.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache

import msgspec

from hatoba.services.ssm.plan.names import ancestors

AGENT, RUNTIME = "1.100.0", "Docker version 25.0.14"
PUBLISHED = 1_760_000_000.0  # when the set that is listed here was made
_ECS = {
    "amazon-linux-2023": ("al2023-ami-ecs-hvm-2023.0.20251009-kernel-6.1-x86_64", "Amazon Linux 2023"),
    "amazon-linux-2023/arm64": ("al2023-ami-ecs-hvm-2023.0.20251009-kernel-6.1-arm64", "Amazon Linux 2023"),
    "amazon-linux-2023/gpu": ("al2023-ami-ecs-gpu-hvm-2023.0.20251009-kernel-6.1-x86_64-ebs", "Amazon Linux 2023"),
    "amazon-linux-2023/inf": ("al2023-ami-ecs-neuron-hvm-2023.0.20251009-kernel-6.1-x86_64", "Amazon Linux 2023"),
    "amazon-linux-2": ("amzn2-ami-ecs-hvm-2.0.20251009-x86_64-ebs", "Amazon Linux 2"),
    "amazon-linux-2/arm64": ("amzn2-ami-ecs-hvm-2.0.20251009-arm64-ebs", "Amazon Linux 2"),
    "amazon-linux-2/gpu": ("amzn2-ami-ecs-gpu-hvm-2.0.20251009-x86_64-ebs", "Amazon Linux 2"),
    "amazon-linux-2/inf": ("amzn2-ami-ecs-inf-hvm-2.0.20251009-x86_64-ebs", "Amazon Linux 2"),
    "amazon-linux-2/kernel-5.10": ("amzn2-ami-ecs-kernel-5.10-hvm-2.0.20251009-x86_64-ebs", "Amazon Linux 2"),
    "amazon-linux-2/kernel-5.10/arm64": ("amzn2-ami-ecs-kernel-5.10-hvm-2.0.20251009-arm64-ebs", "Amazon Linux 2"),
}
_LINUX = (
    "al2023-ami-kernel-default-x86_64",
    "al2023-ami-kernel-default-arm64",
    "al2023-ami-minimal-kernel-default-x86_64",
    "amzn2-ami-hvm-x86_64-gp2",
    "amzn2-ami-hvm-arm64-gp2",
)
_EKS_VERSIONS = ("1.31", "1.32", "1.33", "1.34")
_BOTTLEROCKET, _BUILD = "1.49.0", "713f44ce"
_VARIANTS = ("aws-ecs-1", "aws-ecs-2", "aws-ecs-2-nvidia", *(f"aws-k8s-{version}" for version in _EKS_VERSIONS))
_EKS = ("amazon-linux-2023/x86_64/standard", "amazon-linux-2023/arm64/standard")
_REGIONS = {  # code: name, domain, country
    "af-south-1": ("Africa (Cape Town)", "ZA"),
    "ap-northeast-1": ("Asia Pacific (Tokyo)", "JP"),
    "ap-south-1": ("Asia Pacific (Mumbai)", "IN"),
    "ap-southeast-1": ("Asia Pacific (Singapore)", "SG"),
    "ap-southeast-2": ("Asia Pacific (Sydney)", "AU"),
    "ca-central-1": ("Canada (Central)", "CA"),
    "eu-central-1": ("Europe (Frankfurt)", "DE"),
    "eu-north-1": ("Europe (Stockholm)", "SE"),
    "eu-west-1": ("Europe (Ireland)", "IE"),
    "eu-west-2": ("Europe (London)", "GB"),
    "sa-east-1": ("South America (Sao Paulo)", "BR"),
    "us-east-1": ("US East (N. Virginia)", "US"),
    "us-east-2": ("US East (Ohio)", "US"),
    "us-west-1": ("US West (N. California)", "US"),
    "us-west-2": ("US West (Oregon)", "US"),
}


class Public(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    value: str
    version: int = 1


def find(region: str, name: str) -> Public | None:
    value = _published(region).get(name)
    return None if value is None else Public(name=name, value=value)


def under(region: str, path: str, *, recursive: bool) -> list[Public]:
    """In the order of their names."""
    return [
        Public(name=name, value=value)
        for name, value in sorted(_published(region).items())
        if (path in ancestors(name) if recursive else name.rpartition("/")[0] == path)
    ]


@lru_cache(maxsize=64)  # every name of a region works
def _published(region: str) -> dict[str, str]:
    return {f"/aws/service/{name}": value for name, value in {**_images(region), **_infrastructure(region)}.items()}


def image_id(region: str, name: str) -> str:
    return f"ami-0{hashlib.blake2b(f'{region}/{name}'.encode(), digest_size=8).hexdigest()}"


def _images(region: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for system, (name, os) in _ECS.items():
        facts = {
            "ecs_agent_version": AGENT,
            "ecs_runtime_version": RUNTIME,
            "image_id": image_id(region, name),
            "image_name": name,
            "image_version": name.split(".")[-1].split("-")[0],
            "os": os,
            "schema_version": 1,
            "source_image_name": name.replace("-ecs", ""),
        }
        folder = f"ecs/optimized-ami/{system}/recommended"
        found[folder] = json.dumps(facts, separators=(",", ":"))
        found |= {f"{folder}/{fact}": str(value) for fact, value in facts.items()}
    found |= {f"ami-amazon-linux-latest/{name}": image_id(region, name) for name in _LINUX}
    for version in _EKS_VERSIONS:
        for system in _EKS:
            folder = f"eks/optimized-ami/{version}/{system}/recommended"
            found[f"{folder}/image_id"] = image_id(region, folder)
            found[f"{folder}/release_version"] = f"{version}.0-20251009"
    return found | _bottlerocket(region)


def _bottlerocket(region: str) -> dict[str, str]:
    """By variant, architecture and version."""
    found: dict[str, str] = {}
    for variant in _VARIANTS:
        for architecture in ("x86_64", "arm64"):
            name = f"bottlerocket-{variant}-{architecture}-v{_BOTTLEROCKET}-{_BUILD}"
            for version in ("latest", _BOTTLEROCKET, f"{_BOTTLEROCKET}-{_BUILD}"):
                folder = f"bottlerocket/{variant}/{architecture}/{version}"
                found[f"{folder}/image_id"] = image_id(region, name)
                found[f"{folder}/image_version"] = f"{_BOTTLEROCKET}-{_BUILD}"
    return found


def _infrastructure(region: str) -> dict[str, str]:
    place = "global-infrastructure"
    found = {f"{place}/current-region": region, f"{place}/version": "1"}
    for code, (name, country) in _REGIONS.items():
        found |= {
            f"{place}/regions/{code}": code,
            f"{place}/regions/{code}/longName": name,
            f"{place}/regions/{code}/domain": "amazonaws.com",
            f"{place}/regions/{code}/partition": "aws",
            f"{place}/regions/{code}/geolocationCountry": country,
        }
    return found | {
        f"{place}/regions/{region}/availability-zones/{zone}": zone for zone in (f"{region}{end}" for end in "abc")
    }
