"""Is a network configuration what the definition asks for, and does everything that it names exist? EC2 is asked."""

from __future__ import annotations

from hatoba.aws.shapes import ecs as t
from hatoba.core.errors import AwsError
from hatoba.gateway.call import Call
from hatoba.services.ecs.model.task import Network, network_of
from hatoba.services.ecs.model.task_definition import Definition

MOST_SUBNETS = 16
MOST_GROUPS = 5


async def checked_network(
    call: Call, definition: Definition, launch_type: str, configuration: t.NetworkConfiguration | None
) -> Network | None:
    network = network_of(configuration)
    if definition.network_mode != "awsvpc":
        if network is not None:
            raise t.InvalidParameterException(
                "Network Configuration is not valid for the given networkMode of this task definition."
            )
        return None
    if network is None:
        raise t.InvalidParameterException(
            "Network Configuration must be provided when networkMode 'awsvpc' is specified."
        )
    if network.public and launch_type != "FARGATE":
        raise t.InvalidParameterException("Assign public IP is not supported for this launch type.")
    await check(call, network)
    return network


async def check(call: Call, network: Network) -> None:
    """Raises when a subnet or group does not exist, or they are not all of one VPC."""
    if not network.subnets:
        raise t.InvalidParameterException("subnets can not be empty.")
    if len(network.subnets) > MOST_SUBNETS:
        raise t.InvalidParameterException(f"subnets can have at most {MOST_SUBNETS} items.")
    if len(network.groups) > MOST_GROUPS:
        raise t.InvalidParameterException(f"securityGroups can have at most {MOST_GROUPS} items.")
    try:
        found = (await call.aws.ec2.describe_subnets(SubnetIds=list(network.subnets)))["Subnets"]
    except AwsError as error:
        raise _unknown("subnet", network.subnets, error) from error
    vpcs = {subnet["VpcId"] for subnet in found}
    if len(vpcs) != 1:
        raise t.InvalidParameterException("The subnets of a network configuration must all belong to the same VPC.")
    if network.public and (only6 := [subnet["SubnetId"] for subnet in found if subnet.get("Ipv6Native")]):
        raise t.InvalidParameterException(
            f"assignPublicIp cannot be ENABLED in subnets that have IPv6 only: [{', '.join(only6)}]"
        )
    if not network.groups:
        return
    try:
        groups = (await call.aws.ec2.describe_security_groups(GroupIds=list(network.groups)))["SecurityGroups"]
    except AwsError as error:
        raise _unknown("security group", network.groups, error) from error
    for group in groups:
        if group["VpcId"] not in vpcs:
            raise t.InvalidParameterException(
                f"Security Group {group['GroupId']} does not appear to belong to the same VPC ({vpcs.pop()}) as the "
                "input subnets"
            )


def _unknown(kind: str, ids: tuple[str, ...], error: AwsError) -> AwsError:
    if error.status >= 500:
        return error
    return t.InvalidParameterException(
        f"Error retrieving {kind} information for [{', '.join(ids)}]: {error.message} (ErrorCode: {error.code})"
    )
