"""Every room of the platform in one control plane behind the real server, without nodes: for requests that must fail.

No controller runs, so that a record which changes was changed by a request. `ready` makes whatever the requests speak
of, anew if one of them has changed anything.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from hatoba.app.rooms import ROOMS, tables
from hatoba.core.clock import SystemClock
from hatoba.core.ids import SeededIds
from hatoba.core.keys import Scope
from hatoba.core.pages import Pager
from hatoba.core.secret import Sealer
from hatoba.core.verdicts import Verdicts
from hatoba.gateway import access
from hatoba.gateway.access import Authorizer, Identities, KnownKeys, SamlKeys, SecondFactors
from hatoba.gateway.path import Settings
from hatoba.gateway.plane import ControlPlane
from hatoba.objects.files import Files
from hatoba.registry.mount import mount
from hatoba.services.cloudtrail.recorder import Recorder
from hatoba.services.ec2.model.interface import PublicPool
from hatoba.services.ecr.naming import Naming
from hatoba.services.ecr.registry import Registry, open_registry
from hatoba.services.ecs import Settings as EcsSettings
from hatoba.services.iam.authorizer import PolicyAuthorizer
from hatoba.services.iam.factors import Devices
from hatoba.services.iam.unwrapping import Unwrapping
from hatoba.services.s3.bodies import open_bodies
from hatoba.services.sts.oidc import Keys
from hatoba.store import Store
from hatoba.store.memory import MemoryDisk, MemoryJournal
from hatoba.streams.engine import DiskStreams
from hatoba.streams.port import Streams
from hatoba.trail.disk import DiskTrail
from tests.conformance.hostile.vouching import vouchers
from tests.conformance.serving import Served, in_a_thread, listening

T = TypeVar("T")
SCOPE = Scope("aws", "123456789012", "us-east-1")
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
TRUST = json.dumps(
    {
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "ecs-tasks.amazonaws.com", "AWS": SCOPE.account},
                "Action": "sts:AssumeRole",
            }
        ]
    }
)
MEMBER, INVITED = "210987654321", "310987654321"
PASSWORD = "Correct-Horse-7"
METADATA = (
    '<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://id.test"><IDPSSODescriptor>'
    '<X509Certificate xmlns="http://www.w3.org/2000/09/xmldsig#">' + "MIIC" * 250 + "</X509Certificate>"
    "</IDPSSODescriptor></EntityDescriptor>"
)
LIFECYCLE = json.dumps(
    {
        "rules": [
            {
                "rulePriority": 1,
                "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1},
                "action": {"type": "expire"},
            }
        ]
    }
)


class Composed(Served):
    def __init__(self, plane: ControlPlane) -> None:
        super().__init__()
        self.plane = plane
        self.known: dict[str, Any] = {}  # by member: what a request may name
        self._made_at = -1

    @property
    def seq(self) -> int:
        """Grows with every transaction that changes something."""
        return self.plane.store.seq

    @property
    def failures(self) -> int:
        return self.plane.metrics.failures

    def ready(self) -> dict[str, Any]:
        # Nothing else brings the audit on: it would write between a request and its answer.
        self.wait(self.plane.get(Recorder).flush())
        if self.seq != self._made_at:
            self.wait(self._make())
            self._made_at = self.seq
        return self.known

    async def _make(self) -> None:
        store = self.plane.store
        with store.tx() as tx:
            for table in tables():
                for record in tx.all(table):
                    tx.forget(table, record.key)
        door: Any = self.plane.door(SCOPE, "ecs", access.root("aws", SCOPE.account))
        ec2, elb, ecs, iam = door.ec2, door.elbv2, door.ecs, door.iam
        vpc = (await ec2.describe_vpcs())["Vpcs"][0]["VpcId"]
        subnets = [s["SubnetId"] for s in (await ec2.describe_subnets())["Subnets"]]
        groups = [g["GroupId"] for g in (await ec2.describe_security_groups())["SecurityGroups"]]
        tables_ = (await ec2.describe_route_tables())["RouteTables"]
        gateways = (await ec2.describe_internet_gateways())["InternetGateways"]
        interface = (await ec2.create_network_interface(SubnetId=subnets[0]))["NetworkInterface"]
        elastic = await ec2.allocate_address()
        acl = (await ec2.create_network_acl(VpcId=vpc))["NetworkAcl"]["NetworkAclId"]
        entry = {"RuleNumber": 100, "Protocol": "-1", "RuleAction": "allow", "CidrBlock": "0.0.0.0/0", "Egress": True}
        await ec2.create_network_acl_entry(NetworkAclId=acl, **entry)
        options = [{"Key": "domain-name", "Values": ["corp.example"]}]
        dhcp = (await ec2.create_dhcp_options(DhcpConfigurations=options))["DhcpOptions"]["DhcpOptionsId"]
        network = {"awsvpcConfiguration": {"subnets": subnets[:1], "securityGroups": groups[:1]}}
        balancer = (await elb.create_load_balancer(Name="lb", Subnets=subnets))["LoadBalancers"][0]
        made: dict[str, Any] = {"Protocol": "HTTP", "Port": 80, "VpcId": vpc, "TargetType": "ip"}
        group = (await elb.create_target_group(Name="tg", **made))["TargetGroups"][0]["TargetGroupArn"]
        arn = balancer["LoadBalancerArn"]
        forward = [{"Type": "forward", "TargetGroupArn": group}]
        made = {"LoadBalancerArn": arn, "Protocol": "HTTP", "Port": 80, "DefaultActions": forward}
        listener = (await elb.create_listener(**made))["Listeners"][0]["ListenerArn"]
        conditions = [{"Field": "path-pattern", "Values": ["/a"]}]
        made = {"ListenerArn": listener, "Priority": 5, "Conditions": conditions, "Actions": forward}
        rule = (await elb.create_rule(**made))["Rules"][0]["RuleArn"]
        await iam.create_role(RoleName="role", AssumeRolePolicyDocument=TRUST)
        await iam.create_user(UserName="user")
        await iam.create_user(UserName="limited")
        await iam.create_group(GroupName="group")
        await iam.create_instance_profile(InstanceProfileName="profile")
        await iam.create_account_alias(AccountAlias="alias")
        await iam.create_policy(PolicyName="policy", PolicyDocument=POLICY)
        await iam.put_role_policy(RoleName="role", PolicyName="policy", PolicyDocument=POLICY)
        await iam.put_group_policy(GroupName="group", PolicyName="policy", PolicyDocument=POLICY)
        await iam.put_user_policy(UserName="user", PolicyName="policy", PolicyDocument=POLICY)
        device = (await iam.create_virtual_mfa_device(VirtualMFADeviceName="device"))["VirtualMFADevice"]
        provider = (await iam.create_open_id_connect_provider(Url="https://id.test"))["OpenIDConnectProviderArn"]
        await iam.update_account_password_policy()
        await iam.generate_credential_report()
        job = (await iam.generate_service_last_accessed_details(Arn=f"arn:aws:iam::{SCOPE.account}:user/user"))["JobId"]
        saml = (await iam.create_saml_provider(Name="corp", SAMLMetadataDocument=METADATA))["SAMLProviderArn"]
        key = (await iam.create_access_key(UserName="user"))["AccessKey"]["AccessKeyId"]
        master = (await door.kms.create_key())["KeyMetadata"]["KeyId"]
        await door.kms.create_alias(AliasName="alias/app", TargetKeyId=master)
        grant = await door.kms.create_grant(KeyId=master, GranteePrincipal="app", Operations=["Decrypt"])
        sealed = (await door.kms.encrypt(KeyId=master, Plaintext=b"a"))["CiphertextBlob"]
        await door.ssm.put_parameter(Name="/app/parameter", Value="a", Type="SecureString")
        await door.secretsmanager.create_secret(Name="secret", SecretString="a", ClientRequestToken="a" * 32)
        await door.ecr.create_repository(repositoryName="app")
        certificate = (await door.acm.request_certificate(DomainName="app.example.com", KeyAlgorithm="EC_prime256v1"))[
            "CertificateArn"
        ]
        await door.logs.create_log_group(logGroupName="group")
        await door.logs.create_log_stream(logGroupName="group", logStreamName="stream")
        await door.s3.create_bucket(Bucket="bucket")
        await door.s3.put_object(Bucket="bucket", Key="key", Body=b"abc")
        upload = (await door.s3.create_multipart_upload(Bucket="bucket", Key="key"))["UploadId"]
        await door.s3.upload_part(Bucket="bucket", Key="key", UploadId=upload, PartNumber=1, Body=b"abc")
        containers = [{"name": "web", "image": "app", "portMappings": [{"containerPort": 80}]}]
        definition = {"networkMode": "awsvpc", "cpu": "256", "memory": "512", "containerDefinitions": containers}
        await ecs.create_cluster()
        await ecs.register_task_definition(family="web", requiresCompatibilities=["FARGATE"], **definition)
        made = {"taskDefinition": "web", "desiredCount": 0, "launchType": "FARGATE", "networkConfiguration": network}
        await ecs.create_service(serviceName="web", **made)
        organization = await self._organization(door.organizations)
        replica = await self._replica(door)
        role = f"arn:aws:iam::{SCOPE.account}:role/role"
        container = {"containerPort": 80, "containerName": "web", "targetGroupArn": group}
        self.known = {
            "cluster": "default",
            "clusters": ["default"],
            "clusterName": "default",
            "family": "web",
            "taskDefinition": "web",
            "taskDefinitions": ["web:1"],
            "service": "web",
            "services": ["web"],
            "serviceName": "other",
            "desiredCount": 1,
            "count": 1,
            "launchType": "FARGATE",
            "requiresCompatibilities": ["FARGATE"],
            "networkConfiguration": network,
            "loadBalancers": [container],
            "taskRoleArn": role,
            "executionRoleArn": role,
            **definition,
            "repositoryName": "app",
            "repositoryNames": ["app"],
            "lifecyclePolicyText": LIFECYCLE,
            "policyText": POLICY,
            "registryId": SCOPE.account,
            "registryIds": [SCOPE.account],
            "logGroupName": "group",
            "logGroupIdentifier": "group",
            "logStreamName": "stream",
            "logStreamNames": ["stream"],
            "retentionInDays": 7,
            "logEvents": [{"timestamp": int(self.plane.clock.now() * 1000), "message": "hello"}],
            "VpcId": vpc,
            "VpcIds": [vpc],
            "SubnetId": subnets[0],
            "SubnetIds": subnets,
            "Subnets": subnets,
            "GroupId": groups[0],
            "GroupIds": groups[:1],
            "Groups": groups[:1],
            "SecurityGroups": groups[:1],
            "SecurityGroupIds": groups[:1],
            "IpPermissions": [
                {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
            ],
            "CidrBlock": "10.9.0.0/24",
            "DestinationCidrBlock": "10.8.0.0/16",
            "RouteTableId": tables_[0]["RouteTableId"],
            "AssociationId": "rtbassoc-0123456789abcdef0",
            "GatewayId": gateways[0]["InternetGatewayId"],
            "InternetGatewayId": gateways[0]["InternetGatewayId"],
            "NetworkInterfaceId": interface["NetworkInterfaceId"],
            "NetworkInterfaceIds": [interface["NetworkInterfaceId"]],
            "NetworkAclId": acl,
            "NetworkAclIds": [acl],
            "DhcpOptionsId": dhcp,
            "DhcpOptionsIds": [dhcp],
            "DhcpConfigurations": options,
            "RuleNumber": 100,
            "AllocationId": elastic["AllocationId"],
            "AllocationIds": [elastic["AllocationId"]],
            "PublicIps": [elastic["PublicIp"]],
            "Filters": [{"Name": "vpc-id", "Values": [vpc]}],
            "LoadBalancerArn": arn,
            "LoadBalancerArns": [arn],
            "TargetGroupArn": group,
            "TargetGroupArns": [group],
            "ListenerArn": listener,
            "ListenerArns": [listener],
            "RuleArn": rule,
            "RuleArns": [rule],
            "RulePriorities": [{"RuleArn": rule, "Priority": 9}],
            "ResourceArns": [arn],
            "Priority": 7,
            "Conditions": conditions,
            "Actions": forward,
            "DefaultActions": forward,
            "Targets": [{"Id": "172.31.0.9", "Port": 80}],
            "Protocol": "HTTP",
            "Port": 81,
            "RoleName": "role",
            "RoleArn": role,
            "RoleSessionName": "session",
            "UserName": "user",
            "GroupName": "group",
            "InstanceProfileName": "profile",
            "AccountAlias": "alias",
            "CertificateArn": certificate,
            "PolicyName": "policy",
            "PolicyArn": f"arn:aws:iam::{SCOPE.account}:policy/policy",
            "PolicyDocument": POLICY,
            "AssumeRolePolicyDocument": TRUST,
            "VersionId": "v1",
            "AWSServiceName": "ecs.amazonaws.com",
            "Password": PASSWORD,
            "JobId": job,
            "SAMLProviderArn": saml,
            "SAMLMetadataDocument": METADATA,
            "PermissionsBoundary": "arn:aws:iam::aws:policy/ReadOnlyAccess",
            "SerialNumber": device["SerialNumber"],
            "OpenIDConnectProviderArn": provider,
            "AccessKeyId": key,
            "KeyId": master,
            "TargetKeyId": master,
            "AliasName": "alias/app",
            "GrantId": grant["GrantId"],
            "GrantToken": grant["GrantToken"],
            "CiphertextBlob": sealed,
            "DestinationKeyId": master,
            "SecretId": "secret",
            "SecretIdList": ["secret"],
            "Names": ["/app/parameter"],
            "Path": "/app/",
            "resourceArn": f"arn:aws:ecs:{SCOPE.region}:{SCOPE.account}:cluster/default",
            "CrossAccountReplicaARN": replica,
            "Bucket": "bucket",
            "Expires": "Wed, 21 Oct 2026 07:28:00 GMT",
            "Key": "key",
            "CopySource": "bucket/key",
            "UploadId": upload,
            **organization,
            **await vouchers(iam, self.plane.clock.now()),
        }

    async def _replica(self, door: Any) -> str:
        """In the member's account, of the secret."""
        there: Any = self.plane.door(SCOPE._replace(account=MEMBER), "ecs", access.root("aws", MEMBER))
        shared = {"Effect": "Allow", "Principal": {"AWS": [MEMBER, SCOPE.account]}, "Action": "kms:*", "Resource": "*"}
        key = await there.kms.create_key(Policy=json.dumps({"Statement": [shared]}))
        made = {"Name": "copy", "KmsKeyId": key["KeyMetadata"]["Arn"]}
        secret = (await door.secretsmanager.describe_secret(SecretId="secret"))["ARN"]
        arn: str = (await there.secretsmanager.create_secret(CrossAccountPrimaryARN=secret, **made))["ARN"]
        return arn

    async def _organization(self, door: Any) -> dict[str, Any]:
        """One with a member, a unit, a policy, an invitation and an account that is about to be made."""
        id_ = (await door.create_organization())["Organization"]["Id"]
        root = (await door.list_roots())["Roots"][0]["Id"]
        await door.enable_policy_type(RootId=root, PolicyType="SERVICE_CONTROL_POLICY")
        unit = (await door.create_organizational_unit(ParentId=root, Name="unit"))["OrganizationalUnit"]["Id"]
        made = await door.create_policy(Name="one", Description="", Type="SERVICE_CONTROL_POLICY", Content=POLICY)
        await door.enable_aws_service_access(ServicePrincipal="ecs.amazonaws.com")
        for number in (MEMBER, INVITED):
            invited = await door.invite_account_to_organization(Target={"Id": number, "Type": "ACCOUNT"})
            if number == MEMBER:
                there: Any = self.plane.door(SCOPE._replace(account=number), "ecs", access.root("aws", number))
                await there.organizations.accept_handshake(HandshakeId=invited["Handshake"]["Id"])
        await door.register_delegated_administrator(AccountId=MEMBER, ServicePrincipal="ecs.amazonaws.com")
        asked = await door.create_account(Email="new@example.test", AccountName="new")
        return {
            "EntityPath": f"{id_}/{root}",
            "RootId": root,
            "ParentId": root,
            "SourceParentId": root,
            "DestinationParentId": unit,
            "OrganizationalUnitId": unit,
            "ChildId": unit,
            "AccountId": MEMBER,
            "TargetId": unit,
            "PolicyId": made["Policy"]["PolicySummary"]["Id"],
            "HandshakeId": invited["Handshake"]["Id"],
            "CreateAccountRequestId": asked["CreateAccountStatus"]["Id"],
            "ServicePrincipal": "ecs.amazonaws.com",
        }


@contextmanager
def composed(folder: Path, authorizer: Callable[[Store], Authorizer] | None = None) -> Iterator[Composed]:
    """`authorizer`: who decides, made for the store; else policies, as in earnest."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Composed]:
        clock, ids, sealer = SystemClock(), SeededIds(7), Sealer(bytes(32))
        store = Store(MemoryJournal(MemoryDisk(kept=100)), tables(), sealer)
        store.open()
        trail = DiskTrail(folder / "audit.db")
        recorder = Recorder(store, clock, trail, kept=3600.0, most_bytes=10**9, tell=lambda line: None)
        identities = KnownKeys()
        plane = ControlPlane(
            store=store,
            clock=clock,
            ids=ids,
            pager=Pager(sealer),
            rooms=[room.service for room in ROOMS],
            identities=identities,
            authorizer=(authorizer or partial(PolicyAuthorizer, encode=Verdicts(sealer).encode))(store),
            auditor=recorder,
            settings=Settings(auth=False, account=SCOPE.account, region=SCOPE.region),
            strict=True,
        )
        naming = Naming(endpoint="localhost:4566", default=SCOPE)
        registry = open_registry(folder / "registry", plane, sealer, naming, identities)
        await registry.engine.prepare()
        bodies = open_bodies(folder / "objects", store, sealer, ids)
        await bodies.prepare()
        plane.provide(Files, bodies)
        streams = await DiskStreams.open(folder / "streams", clock)
        plane.provide(Recorder, recorder)
        plane.provide(Registry, registry)
        plane.provide(Streams, streams)  # type: ignore[type-abstract]
        plane.provide(EcsSettings, EcsSettings(registry_hosts=("localhost:4566",), stopped_tasks_kept=3600.0))
        plane.provide(Identities, identities)  # type: ignore[type-abstract]
        plane.provide(SecondFactors, Devices(store, clock))  # type: ignore[type-abstract]
        plane.provide(SamlKeys, Unwrapping(store))  # type: ignore[type-abstract]
        plane.provide(Verdicts, Verdicts(sealer))
        plane.provide(Keys, Keys(clock))
        plane.provide(PublicPool, PublicPool(network="100.64.0.0/16", transit="100.64.0.0/18"))
        made = Composed(plane)
        async with listening(plane, registry=mount(registry.engine), clock=clock) as made.port:
            yield made
        registry.engine.close()
        bodies.close()
        await streams.close()
        await recorder.close()
        store.close()

    with in_a_thread(opened) as made:
        yield made
