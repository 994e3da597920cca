"""DHCP options → API shape."""

from __future__ import annotations

from hatoba.aws.shapes import ec2 as t
from hatoba.services.ec2.model.dhcp import DhcpOptions
from hatoba.services.ec2.views import Tags, tags


def dhcp_options(record: DhcpOptions, own: Tags) -> t.DhcpOptions:
    return {
        "DhcpOptionsId": record.id,
        "OwnerId": record.key.account,
        "DhcpConfigurations": [
            {"Key": option.key, "Values": [{"Value": value} for value in option.values]} for option in record.options
        ],
        "Tags": tags(own),
    }
