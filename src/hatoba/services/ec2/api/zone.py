"""Regions, availability zones and account attributes."""

from __future__ import annotations

from hatoba.aws.shapes import ec2 as t
from hatoba.gateway.call import Call
from hatoba.services.ec2 import views
from hatoba.services.ec2.api.room import ec2
from hatoba.services.ec2.defaults import default_vpc, ensure_default, zones
from hatoba.services.ec2.filters import matching
from hatoba.services.ec2.model.errors import invalid
from hatoba.services.ec2.model.interface import GROUPS_PER_INTERFACE
from hatoba.services.ec2.model.quotas import ELASTICS

# The regions that DescribeRegions lists. Every region name works, each with resources of its own.
REGIONS = (
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
)


@ec2.operation
async def describe_availability_zones(
    req: t.DescribeAvailabilityZonesRequest, call: Call
) -> t.DescribeAvailabilityZonesResult:
    known = zones(call.scope.region)
    ids = {views.zone_id(zone): zone for zone in known}
    wrong = [name for name in req.get("ZoneNames", ()) if name not in known]
    if wrong := [*wrong, *(id_ for id_ in req.get("ZoneIds", ()) if id_ not in ids)]:
        raise invalid(f"Invalid availability zone: [{', '.join(wrong)}]")
    wanted = {*req.get("ZoneNames", ()), *(ids[id_] for id_ in req.get("ZoneIds", ()))}
    names = matching(
        [zone for zone in known if not wanted or zone in wanted],
        req.get("Filters", []),
        {
            "zone-name": lambda zone: (zone,),
            "zone-id": lambda zone: (views.zone_id(zone),),
            "region-name": lambda zone: (call.scope.region,),
            "state": lambda zone: ("available",),
            "zone-type": lambda zone: ("availability-zone",),
            "opt-in-status": lambda zone: ("opt-in-not-required",),
            "group-name": lambda zone: (f"{call.scope.region}-zg-1",),
            # What only local zones have, and zones that are impaired.
            **dict.fromkeys(("group-long-name", "message", "parent-zone-id", "parent-zone-name"), lambda zone: ()),
        },
        lambda zone: {},
    )
    return {"AvailabilityZones": [views.availability_zone(call.scope, zone) for zone in names]}


@ec2.operation
async def describe_regions(req: t.DescribeRegionsRequest, call: Call) -> t.DescribeRegionsResult:
    names = req.get("RegionNames") or sorted({*REGIONS, call.scope.region})
    found = matching(
        names,
        req.get("Filters", []),
        {
            "region-name": lambda name: (name,),
            "endpoint": lambda name: (f"ec2.{name}.amazonaws.com",),
            "opt-in-status": lambda name: ("opt-in-not-required",),
        },
        lambda name: {},
    )
    return {
        "Regions": [
            {"RegionName": name, "Endpoint": f"ec2.{name}.amazonaws.com", "OptInStatus": "opt-in-not-required"}
            for name in found
        ]
    }


@ec2.operation
async def describe_account_attributes(
    req: t.DescribeAccountAttributesRequest, call: Call
) -> t.DescribeAccountAttributesResult:
    ensure_default(call)
    default = default_vpc(call.store, call.scope)
    known = {
        "supported-platforms": "VPC",
        "default-vpc": default.id if default else "none",
        "vpc-max-security-groups-per-interface": str(GROUPS_PER_INTERFACE),
        "max-elastic-ips": str(ELASTICS),
        "vpc-max-elastic-ips": str(ELASTICS),
        "max-instances": "0",  # nodes join by themselves
    }
    wanted: list[str] = list(req.get("AttributeNames") or known)
    if unknown := [name for name in wanted if name not in known]:
        raise invalid(f"Value ({unknown[0]}) for parameter attributeName is invalid. Unknown attribute.")
    return {
        "AccountAttributes": [
            {"AttributeName": name, "AttributeValues": [{"AttributeValue": known[name]}]} for name in wanted
        ]
    }
