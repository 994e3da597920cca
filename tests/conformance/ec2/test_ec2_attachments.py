"""What is changed of an interface, one attribute at a time; what holds it is a machine's, or a service's own."""

from __future__ import annotations

from typing import Any

from hatoba.core.keys import Scope
from hatoba.fleet import model as fleet
from tests.conformance.ec2.networks import Platform
from tests.conformance.serving import ACCOUNT, refused


def test_one_attribute_at_a_time_and_none_that_there_is_not(ec2: Any, subnet: str) -> None:
    id_ = ec2.create_network_interface(SubnetId=subnet, Description="old")["NetworkInterface"]["NetworkInterfaceId"]
    before = ec2.describe_network_interfaces(NetworkInterfaceIds=[id_])["NetworkInterfaces"]
    modify = ec2.modify_network_interface_attribute
    both = {"Description": {"Value": "new"}, "SourceDestCheck": {"Value": False}}
    refused("InvalidParameterCombination", modify, NetworkInterfaceId=id_, **both)
    refused("InvalidParameterCombination", modify, NetworkInterfaceId=id_)
    for what in (
        {"EnaSrdSpecification": {"EnaSrdEnabled": True}},
        {"ConnectionTrackingSpecification": {"UdpTimeout": 30}},
        {"AssociatedSubnetIds": [subnet]},
    ):
        refused("UnsupportedOperation", modify, NetworkInterfaceId=id_, **what)
    attachment = {"AttachmentId": "eni-attach-0123456789abcdef0", "DeleteOnTermination": True}
    refused("InvalidAttachmentID.NotFound", modify, NetworkInterfaceId=id_, Attachment=attachment)
    assert ec2.describe_network_interfaces(NetworkInterfaceIds=[id_])["NetworkInterfaces"] == before


def test_the_check_of_sources_is_reset(ec2: Any, subnet: str) -> None:
    id_ = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    ec2.modify_network_interface_attribute(NetworkInterfaceId=id_, SourceDestCheck={"Value": False})
    refused("MissingParameter", ec2.reset_network_interface_attribute, NetworkInterfaceId=id_)
    ec2.reset_network_interface_attribute(NetworkInterfaceId=id_, SourceDestCheck="")
    (found,) = ec2.describe_network_interfaces(NetworkInterfaceIds=[id_])["NetworkInterfaces"]
    assert found["SourceDestCheck"] is True


def test_attachments_are_machines_or_the_services_own(
    platform: Platform, ec2: Any, region: str, vpc: str, subnet: str
) -> None:
    id_ = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    to = {"InstanceId": "i-0123456789abcdef0", "DeviceIndex": 1}
    refused("InvalidInstanceID.NotFound", ec2.attach_network_interface, NetworkInterfaceId=id_, **to)
    nobody = "eni-0123456789abcdef0"
    refused("InvalidNetworkInterfaceID.NotFound", ec2.attach_network_interface, NetworkInterfaceId=nobody, **to)
    attachment = id_.replace("eni-", "ela-attach-")
    refused("InvalidAttachmentID.NotFound", ec2.detach_network_interface, AttachmentId=attachment)

    def hold() -> None:
        with platform.store.tx() as tx:
            key = fleet.workloads.key(Scope("aws", ACCOUNT, region), f"held-{region}")
            tx.put(fleet.workloads, fleet.Workload(key=key, node="n", network=vpc, interface=id_))

    platform.run(hold)
    (found,) = ec2.describe_network_interfaces(NetworkInterfaceIds=[id_])["NetworkInterfaces"]
    assert found["Attachment"]["AttachmentId"] == attachment
    refused("OperationNotPermitted", ec2.detach_network_interface, AttachmentId=attachment)
    refused("InvalidNetworkInterfaceAttachmentId.Malformed", ec2.detach_network_interface, AttachmentId=id_)
