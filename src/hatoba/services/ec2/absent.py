"""The filters that are documented for what there is none of: whoever names another one has made a mistake.

Tags are no part of it (`tag:<key>` and `tag-key` are known everywhere), nor are operations whose documentation names no
filter. Source: the EC2 API reference; a test compares it with botocore's words.
"""

from __future__ import annotations

from collections.abc import Mapping

FILTERS: Mapping[str, frozenset[str]] = {
    operation: frozenset(names.split())
    for operation, names in {
        "DescribeInstances": """
            affinity architecture availability-zone availability-zone-id block-device-mapping.attach-time
            block-device-mapping.delete-on-termination block-device-mapping.device-name block-device-mapping.status
            block-device-mapping.volume-id boot-mode capacity-reservation-id
            capacity-reservation-specification.capacity-reservation-preference
            capacity-reservation-specification.capacity-reservation-target.capacity-reservation-id
            capacity-reservation-specification.capacity-reservation-target.capacity-reservation-resource-group-arn
            client-token current-instance-boot-mode dns-name ebs-optimized ena-support enclave-options.enabled
            hibernation-options.configured host-id hypervisor iam-instance-profile.arn iam-instance-profile.id
            image-id instance-id instance-lifecycle instance-state-code instance-state-name instance-type
            instance.group-id instance.group-name ip-address ipv6-address kernel-id key-name launch-index
            launch-time maintenance-options.auto-recovery metadata-options.http-endpoint
            metadata-options.http-protocol-ipv4 metadata-options.http-protocol-ipv6
            metadata-options.http-put-response-hop-limit metadata-options.http-tokens
            metadata-options.instance-metadata-tags metadata-options.state monitoring-state
            network-interface.addresses.association.allocation-id
            network-interface.addresses.association.association-id
            network-interface.addresses.association.carrier-ip
            network-interface.addresses.association.customer-owned-ip
            network-interface.addresses.association.ip-owner-id
            network-interface.addresses.association.public-dns-name
            network-interface.addresses.association.public-ip network-interface.addresses.primary
            network-interface.addresses.private-dns-name network-interface.addresses.private-ip-address
            network-interface.association.allocation-id network-interface.association.association-id
            network-interface.association.carrier-ip network-interface.association.customer-owned-ip
            network-interface.association.ip-owner-id network-interface.association.public-dns-name
            network-interface.association.public-ip network-interface.attachment.attach-time
            network-interface.attachment.attachment-id network-interface.attachment.delete-on-termination
            network-interface.attachment.device-index network-interface.attachment.instance-id
            network-interface.attachment.instance-owner-id network-interface.attachment.network-card-index
            network-interface.attachment.status network-interface.availability-zone
            network-interface.deny-all-igw-traffic network-interface.description network-interface.group-id
            network-interface.group-name network-interface.ipv4-prefixes.ipv4-prefix network-interface.ipv6-address
            network-interface.ipv6-addresses.ipv6-address network-interface.ipv6-addresses.is-primary-ipv6
            network-interface.ipv6-native network-interface.ipv6-prefixes.ipv6-prefix network-interface.mac-address
            network-interface.network-interface-id network-interface.operator.managed
            network-interface.operator.principal network-interface.outpost-arn network-interface.owner-id
            network-interface.private-dns-name network-interface.private-ip-address
            network-interface.public-dns-name network-interface.requester-id network-interface.requester-managed
            network-interface.source-dest-check network-interface.status network-interface.subnet-id
            network-interface.tag-key network-interface.tag-value network-interface.vpc-id
            network-performance-options.bandwidth-weighting operator.managed operator.principal outpost-arn owner-id
            placement-group-name placement-partition-number platform platform-details private-dns-name
            private-dns-name-options.enable-resource-name-dns-a-record
            private-dns-name-options.enable-resource-name-dns-aaaa-record private-dns-name-options.hostname-type
            private-ip-address product-code product-code.type ramdisk-id reason requester-id reservation-id
            root-device-name root-device-type source-dest-check spot-instance-request-id state-reason-code
            state-reason-message subnet-id tenancy tpm-support usage-operation usage-operation-update-time
            virtualization-type vpc-id
        """,
        "DescribeInstanceStatus": """
            application-status.status attached-ebs-status.status availability-zone availability-zone-id event.code
            event.description event.instance-event-id event.not-after event.not-before event.not-before-deadline
            instance-state-code instance-state-name instance-status.reachability instance-status.status
            operator.managed operator.principal system-status.reachability system-status.status
        """,
        "DescribeInstanceTypes": """
            auto-recovery-supported bare-metal burstable-performance-supported current-generation
            dedicated-hosts-supported ebs-info.attachment-limit-type
            ebs-info.ebs-optimized-info.baseline-bandwidth-in-mbps ebs-info.ebs-optimized-info.baseline-iops
            ebs-info.ebs-optimized-info.baseline-throughput-in-mbps
            ebs-info.ebs-optimized-info.maximum-bandwidth-in-mbps ebs-info.ebs-optimized-info.maximum-iops
            ebs-info.ebs-optimized-info.maximum-throughput-in-mbps ebs-info.ebs-optimized-support
            ebs-info.encryption-support ebs-info.maximum-ebs-attachments ebs-info.nvme-support free-tier-eligible
            hibernation-supported hypervisor instance-storage-info.disk.count instance-storage-info.disk.size-in-gb
            instance-storage-info.disk.type instance-storage-info.encryption-support
            instance-storage-info.nvme-support instance-storage-info.total-size-in-gb instance-storage-supported
            instance-type memory-info.size-in-mib network-info.bandwidth-weightings
            network-info.efa-info.maximum-efa-interfaces network-info.efa-supported network-info.ena-support
            network-info.encryption-in-transit-supported network-info.flexible-ena-queues-support
            network-info.ipv4-addresses-per-interface network-info.ipv6-addresses-per-interface
            network-info.ipv6-supported network-info.maximum-network-cards network-info.maximum-network-interfaces
            network-info.network-performance nitro-enclaves-support nitro-tpm-info.supported-versions
            nitro-tpm-support processor-info.supported-architecture processor-info.supported-features
            processor-info.sustained-clock-speed-in-ghz reboot-migration-support supported-boot-mode
            supported-root-device-type supported-usage-class supported-virtualization-type vcpu-info.default-cores
            vcpu-info.default-threads-per-core vcpu-info.default-vcpus vcpu-info.valid-cores
            vcpu-info.valid-threads-per-core
        """,
        "DescribeInstanceTypeOfferings": "instance-type location",
        "DescribeImages": """
            architecture block-device-mapping.delete-on-termination block-device-mapping.device-name
            block-device-mapping.encrypted block-device-mapping.snapshot-id block-device-mapping.volume-size
            block-device-mapping.volume-type boot-mode creation-date description ena-support free-tier-eligible
            hypervisor image-allowed image-id image-type image-watermark.source-image-creation-time
            image-watermark.source-image-id image-watermark.source-image-region
            image-watermark.watermark-creation-time image-watermark.watermark-key
            instance-type-specification.supported-instance-type
            instance-type-specification.unsupported-instance-type is-public kernel-id manifest-location name
            owner-alias owner-id platform product-code product-code.type public-ssm-parameter-name ramdisk-id
            root-device-name root-device-type scan-result.critical-fix-available-since scan-result.finding-scan-date
            scan-result.high-fix-available-since scan-result.highest-finding-severity-label
            scan-result.informational-fix-available-since scan-result.low-fix-available-since
            scan-result.medium-fix-available-since source-image-id source-image-region source-instance-id
            sriov-net-support state state-reason-code state-reason-message virtualization-type
        """,
        "DescribeVolumes": """
            attachment.attach-time attachment.delete-on-termination attachment.device attachment.instance-id
            attachment.status availability-zone availability-zone-id create-time encrypted fast-restored
            multi-attach-enabled operator.managed operator.principal size snapshot-id status volume-id volume-type
        """,
        "DescribeSnapshots": """
            description encrypted owner-alias owner-id progress snapshot-id start-time status storage-tier
            transfer-type volume-id volume-size
        """,
        "DescribeLaunchTemplates": "create-time launch-template-name",
        "DescribePlacementGroups": "group-arn group-name spread-level state strategy",
        "DescribeHosts": "auto-placement availability-zone client-token host-reservation-id instance-type state",
        "DescribeSpotInstanceRequests": """
            availability-zone-group create-time fault-code fault-message instance-id launch-group
            launch.block-device-mapping.delete-on-termination launch.block-device-mapping.device-name
            launch.block-device-mapping.snapshot-id launch.block-device-mapping.volume-size
            launch.block-device-mapping.volume-type launch.group-id launch.group-name launch.image-id
            launch.instance-type launch.kernel-id launch.key-name launch.monitoring-enabled launch.ramdisk-id
            launched-availability-zone launched-availability-zone-id network-interface.addresses.primary
            network-interface.delete-on-termination network-interface.description network-interface.device-index
            network-interface.group-id network-interface.network-interface-id network-interface.private-ip-address
            network-interface.subnet-id product-description spot-instance-request-id spot-price state status-code
            status-message type valid-from valid-until
        """,
        "DescribeReservedInstances": """
            availability-zone availability-zone-id duration end fixed-price instance-type product-description
            reserved-instances-id scope start state usage-price
        """,
        "DescribeCapacityReservations": """
            availability-zone end-date end-date-type instance-match-criteria instance-platform instance-type
            outpost-arn owner-id placement-group-arn start-date state tenancy
        """,
        "DescribeInstanceConnectEndpoints": "instance-connect-endpoint-id state subnet-id tag-value vpc-id",
        "DescribeVpcClassicLink": "is-classic-link-enabled",
        "DescribeClassicLinkInstances": "group-id instance-id vpc-id",
        "DescribeVpnGateways": """
            amazon-side-asn attachment.state attachment.vpc-id availability-zone state type vpn-gateway-id
        """,
        "DescribeVpnConnections": """
            bgp-asn customer-gateway-configuration customer-gateway-id option.static-routes-only
            route.destination-cidr-block state transit-gateway-id type vpn-connection-id vpn-gateway-id
        """,
        "DescribeCustomerGateways": "bgp-asn customer-gateway-id ip-address state type",
        "DescribeTransitGateways": """
            options.amazon-side-asn options.association-default-route-table-id
            options.auto-accept-shared-attachments options.default-route-table-association
            options.default-route-table-propagation options.dns-support options.propagation-default-route-table-id
            options.vpn-ecmp-support owner-id state transit-gateway-id
        """,
        "DescribeTransitGatewayAttachments": """
            association.state association.transit-gateway-route-table-id resource-id resource-owner-id resource-type
            state transit-gateway-attachment-id transit-gateway-id transit-gateway-owner-id
        """,
        "DescribeTransitGatewayVpcAttachments": "state transit-gateway-attachment-id transit-gateway-id vpc-id",
        "DescribeTransitGatewayRouteTables": """
            default-association-route-table default-propagation-route-table state transit-gateway-id
            transit-gateway-route-table-id
        """,
        "DescribeCarrierGateways": "carrier-gateway-id owner-id state vpc-id",
        "DescribeLocalGateways": "local-gateway-id outpost-arn owner-id state",
        "DescribeLocalGatewayRouteTables": """
            local-gateway-id local-gateway-route-table-arn local-gateway-route-table-id outpost-arn owner-id state
        """,
        "DescribeCoipPools": "coip-pool.local-gateway-route-table-id coip-pool.pool-id",
        "DescribeClientVpnEndpoints": "endpoint-id transport-protocol",
        "DescribePublicIpv4Pools": "",
        "DescribeIpv6Pools": "",
        "DescribeMovingAddresses": "moving-status",
        "DescribeVpcEndpointConnections": """
            ip-address-type service-id transit-gateway-attachment-id vpc-endpoint-id vpc-endpoint-owner
            vpc-endpoint-region vpc-endpoint-state
        """,
        "DescribeFlowLogs": """
            deliver-log-status flow-log-id log-destination-type log-group-name resource-id traffic-type
        """,
        "DescribeTrafficMirrorSessions": """
            description network-interface-id owner-id packet-length session-number traffic-mirror-filter-id
            traffic-mirror-session-id traffic-mirror-target-id virtual-network-id
        """,
        "DescribeNetworkInsightsPaths": """
            destination filter-at-destination.destination-address filter-at-destination.destination-port-range
            filter-at-destination.source-address filter-at-destination.source-port-range
            filter-at-source.destination-address filter-at-source.destination-port-range
            filter-at-source.source-address filter-at-source.source-port-range protocol source
        """,
        "DescribeVpcBlockPublicAccessExclusions": "internet-gateway-exclusion-mode resource-arn state tag-value",
        "DescribeSecurityGroupVpcAssociations": "group-id group-owner-id state vpc-id vpc-owner-id",
    }.items()
}
