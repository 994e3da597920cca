"""VPC endpoints and the services they lead to → API shape. EC2 writes states in lower case, its own model does not."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from hatoba.aws.shapes import ec2 as t
from hatoba.services.ec2.model.endpoint import FULL_ACCESS, VpcEndpoint
from hatoba.services.ec2.model.endpointservice import EndpointService
from hatoba.services.ec2.views import Tags, tags

OWNER = "amazon"


def vpc_endpoint(record: VpcEndpoint, own: Tags) -> t.VpcEndpoint:
    """What both types have; the rest is empty."""
    return {
        "VpcEndpointId": record.id,
        "VpcEndpointType": record.kind,
        "VpcId": record.vpc,
        "ServiceName": record.service,
        "ServiceRegion": record.key.region,
        "State": "available",  # type: ignore[typeddict-item]
        "PolicyDocument": record.policy or FULL_ACCESS,
        "RouteTableIds": [],
        "SubnetIds": [],
        "Groups": [],
        "NetworkInterfaceIds": [],
        "DnsEntries": [],
        "IpAddressType": "ipv4",
        "PrivateDnsEnabled": record.private_dns,
        "RequesterManaged": False,
        "CreationTimestamp": record.created,
        "OwnerId": record.key.account,
        "Tags": tags(own),
    }


def interface_endpoint(
    record: VpcEndpoint, subnets: Sequence[str], group_names: Mapping[str, str], names: Sequence[str], own: Tags
) -> t.VpcEndpoint:
    """`names`: those that it is found by; the service's own name is in a zone of its own."""
    shown = vpc_endpoint(record, own)
    shown["SubnetIds"] = list(subnets)
    shown["NetworkInterfaceIds"] = list(record.interfaces)
    shown["Groups"] = [{"GroupId": id_, "GroupName": group_names.get(id_, "")} for id_ in record.groups]
    shown["DnsOptions"] = {"DnsRecordIpType": "ipv4"}
    shown["DnsEntries"] = [
        {"DnsName": name, "HostedZoneId": zone_id(record.key.region if name.startswith("vpce-") else record.service)}
        for name in names
    ]
    return shown


def zone_id(of: str) -> str:
    """Of a zone that AWS keeps: made up, and always the same one."""
    return f"Z{hashlib.blake2b(of.encode(), digest_size=6).hexdigest().upper()}"


def endpoint_service(service: EndpointService, region: str, zones: Sequence[str]) -> t.ServiceDetail:
    shown: t.ServiceDetail = {
        "ServiceName": service.name,
        "ServiceId": service.id,
        "ServiceType": [{"ServiceType": service.kind}],
        "ServiceRegion": region,
        "AvailabilityZones": list(zones),
        "Owner": OWNER,
        "BaseEndpointDnsNames": [service.base if service.kind == "Interface" else service.dns],
        "VpcEndpointPolicySupported": True,
        "AcceptanceRequired": False,
        "ManagesVpcEndpoints": False,
        "SupportedIpAddressTypes": ["ipv4"],
        "Tags": [],
    }
    if service.private:
        shown["PrivateDnsName"] = service.private
        shown["PrivateDnsNames"] = [{"PrivateDnsName": service.private}]
        shown["PrivateDnsNameVerificationState"] = "verified"
    return shown
