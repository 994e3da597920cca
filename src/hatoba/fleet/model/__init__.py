"""The node-facing tables. Each has one writer, named in its docstring; observed tables are written by fleet only.

Sizes are bytes, CPU is in units (1024 = one core), times are wall time in seconds. Ids are the ids of the rooms'
resources, so an interface here and the network interface of the `ec2` room are found under the same id.

    node         machines                            status     what they say of their workloads
    workload     what a machine is to run, of which  container  what is wanted of one container
    volume       a volume of it                      network    networks, interfaces, policies, gateways, peerings
    balancer     load balancers, targets' health     certificate  what they show to their clients
    name         names that resolvers answer         part       what all these have in common
"""

from typing import Any

from hatoba.fleet.model.balancer import (
    Balancer,
    BalancerStatus,
    Entry,
    TargetStatus,
    balancer_statuses,
    balancers,
    target_id,
    target_statuses,
)
from hatoba.fleet.model.certificate import Certificate, certificates
from hatoba.fleet.model.container import (
    ContainerWanted,
    DependsOn,
    DeviceWanted,
    FilesWanted,
    HealthCheckWanted,
    ImageWanted,
    Limit,
    LogWanted,
    MountWanted,
    PortWanted,
    RouterWanted,
    container_id,
)
from hatoba.fleet.model.name import Zone, zones
from hatoba.fleet.model.network import (
    Acl,
    AclRule,
    Border,
    Egress6,
    Endpoint,
    Gateway,
    Interface,
    Name,
    Network,
    Peering,
    PolicySet,
    Route,
    Rule,
    Subnet,
    around,
    gateways,
    interfaces,
    networks,
    peerings,
    policy_sets,
)
from hatoba.fleet.model.node import ZONE, Enrolment, Node, enrolments, nodes
from hatoba.fleet.model.part import FLEET, Part
from hatoba.fleet.model.status import (
    ContainerState,
    ContainerStatus,
    HealthState,
    PortBinding,
    WorkloadStatus,
    workload_statuses,
)
from hatoba.fleet.model.volume import VolumeWanted
from hatoba.fleet.model.workload import Credential, NetworkMode, Workload, credentials, workloads
from hatoba.store import Table

TABLES: tuple[Table[Any], ...] = (
    nodes,
    networks,
    interfaces,
    policy_sets,
    gateways,
    peerings,
    workloads,
    credentials,
    workload_statuses,
    balancers,
    balancer_statuses,
    target_statuses,
    zones,
    certificates,
    enrolments,
)

__all__ = [
    "FLEET",
    "TABLES",
    "ZONE",
    "Acl",
    "AclRule",
    "Balancer",
    "BalancerStatus",
    "Border",
    "Certificate",
    "ContainerState",
    "ContainerStatus",
    "ContainerWanted",
    "Credential",
    "DependsOn",
    "DeviceWanted",
    "Egress6",
    "Endpoint",
    "Enrolment",
    "Entry",
    "FilesWanted",
    "Gateway",
    "HealthCheckWanted",
    "HealthState",
    "ImageWanted",
    "Interface",
    "Limit",
    "LogWanted",
    "MountWanted",
    "Name",
    "Network",
    "NetworkMode",
    "Node",
    "Part",
    "Peering",
    "PolicySet",
    "PortBinding",
    "PortWanted",
    "Route",
    "RouterWanted",
    "Rule",
    "Subnet",
    "TargetStatus",
    "VolumeWanted",
    "Workload",
    "WorkloadStatus",
    "Zone",
    "around",
    "balancer_statuses",
    "balancers",
    "certificates",
    "container_id",
    "credentials",
    "enrolments",
    "gateways",
    "interfaces",
    "networks",
    "nodes",
    "peerings",
    "policy_sets",
    "target_id",
    "target_statuses",
    "workload_statuses",
    "workloads",
    "zones",
]
