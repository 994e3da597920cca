"""VPC endpoints and the services they lead to → API shape. EC2 writes states in lower case, its own model does not."""

from __future__ import annotations

from collections.abc import Sequence

from hatoba.aws.shapes import ec2 as t
from hatoba.services.ec2.model.endpoint import FULL_ACCESS, EndpointService, VpcEndpoint
from hatoba.services.ec2.views import Tags, tags

OWNER = "amazon"


def vpc_endpoint(record: VpcEndpoint, tables: Sequence[str], own: Tags) -> t.VpcEndpoint:
    """`tables`: the route tables of a gateway."""
    return {
        "VpcEndpointId": record.id,
        "VpcEndpointType": record.kind,
        "VpcId": record.vpc,
        "ServiceName": record.service,
        "ServiceRegion": record.key.region,
        "State": "available",  # type: ignore[typeddict-item]
        "PolicyDocument": record.policy or FULL_ACCESS,
        "RouteTableIds": list(tables),
        "SubnetIds": [],
        "Groups": [],
        "NetworkInterfaceIds": [],
        "DnsEntries": [],
        "IpAddressType": "ipv4",
        "PrivateDnsEnabled": False,
        "RequesterManaged": False,
        "CreationTimestamp": record.created,
        "OwnerId": record.key.account,
        "Tags": tags(own),
    }


def endpoint_service(service: EndpointService, region: str, zones: Sequence[str]) -> t.ServiceDetail:
    return {
        "ServiceName": service.name,
        "ServiceId": service.id,
        "ServiceType": [{"ServiceType": kind} for kind in service.kinds],
        "ServiceRegion": region,
        "AvailabilityZones": list(zones),
        "Owner": OWNER,
        "BaseEndpointDnsNames": [service.dns],
        "VpcEndpointPolicySupported": True,
        "AcceptanceRequired": False,
        "ManagesVpcEndpoints": False,
        "SupportedIpAddressTypes": ["ipv4"],
        "Tags": [],
    }
