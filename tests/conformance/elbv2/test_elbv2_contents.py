"""What trust stores are made of, by URL; what is not there to be shared or reserved, and is said to be so."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hatoba.gateway.http import Response
from hatoba.services.elbv2 import handed
from tests.conformance.elbv2.test_elbv2_api import ARN, refused
from tests.conformance.elbv2.test_elbv2_tls import certificate, secured
from tests.conformance.elbv2.test_elbv2_trust import FILES, bucket, store
from tests.conformance.elbv2.world import World, world
from tests.unit.gateway.test_gateway_own import request

GONE = f"{ARN}:truststore/gone/0123456789abcdef"


async def fetch(w: World, location: str, method: str = "GET") -> Response:
    where = urlsplit(location)
    assert (where.scheme, where.path.startswith("/_hatoba/trust-stores/")) == ("http", True)
    return await handed.files(w.plane)(request(method, f"{where.path}?{where.query}"))


async def content(w: World, location: str) -> tuple[int, str]:
    answer = await fetch(w, location)
    assert isinstance(answer.body, bytes)
    return answer.status, answer.body.decode()


async def test_bundle_and_lists_are_at_the_urls_that_are_answered(tmp_path: Path) -> None:
    async with world(tmp_path, further=(bucket(FILES),)) as w:
        trust = await store(w)
        asked = [{"S3Bucket": "pki", "S3Key": key} for key in ("crl.pem", "more.pem")]
        await w.elb.add_trust_store_revocations(TrustStoreArn=trust, RevocationContents=asked)
        bundle = (await w.elb.get_trust_store_ca_certificates_bundle(TrustStoreArn=trust))["Location"]
        assert await content(w, bundle) == (200, FILES["ours.pem"])
        assert (await fetch(w, bundle, "POST")).status == 405
        for number, key in ((1, "crl.pem"), (2, "more.pem")):
            told = await w.elb.get_trust_store_revocation_content(TrustStoreArn=trust, RevocationId=number)
            assert await content(w, told["Location"]) == (200, FILES[key])
        await w.elb.remove_trust_store_revocations(TrustStoreArn=trust, RevocationIds=[2])
        assert (await content(w, told["Location"]))[0] == 404
        missing = w.elb.get_trust_store_revocation_content(TrustStoreArn=trust, RevocationId=2)
        await refused("RevocationIdNotFound", "[2]", missing)
        await refused("TrustStoreNotFound", GONE, w.elb.get_trust_store_ca_certificates_bundle(TrustStoreArn=GONE))
        w.clock.advance(599)
        assert (await content(w, bundle))[0] == 200
        w.clock.advance(1)
        assert (await content(w, bundle))[0] == 403


async def test_nothing_is_shared(tmp_path: Path) -> None:
    async with world(tmp_path, further=(bucket(FILES),)) as w:
        trust, arn = await store(w), await certificate(w, "shop.example")
        asked = {"Mode": "verify", "TrustStoreArn": trust}
        balancer, _, _ = await secured(w, Certificates=[{"CertificateArn": arn}], MutualAuthentication=asked)

        def deletes(trust: str, resource: str) -> Any:
            return w.elb.delete_shared_trust_store_association(TrustStoreArn=trust, ResourceArn=resource)

        await refused("DeleteAssociationSameAccount", "within the account", deletes(trust, balancer))
        other = balancer.replace("123456789012", "210987654321")
        await refused("AssociationNotFound", other, deletes(trust, other))
        await refused("TrustStoreNotFound", GONE, deletes(GONE, balancer))
        await refused("ValidationError", "not a valid load balancer ARN", deletes(trust, trust))
        users = await w.elb.describe_trust_store_associations(TrustStoreArn=trust)
        assert users["TrustStoreAssociations"] == [{"ResourceArn": balancer}]
        assert await w.elb.get_resource_policy(ResourceArn=trust) == {}
        await refused("ResourceNotFound", GONE, w.elb.get_resource_policy(ResourceArn=GONE))
        elsewhere = trust.replace("us-east-1", "eu-west-1")
        await refused("ResourceNotFound", elsewhere, w.elb.get_resource_policy(ResourceArn=elsewhere))


async def test_no_capacity_is_reserved_and_no_pool_is_kept(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        balancer, inside = await w.balancer(), await w.balancer("inside", Scheme="internal")

        def reserves(arn: str = balancer, **params: Any) -> Any:
            return w.elb.modify_capacity_reservation(LoadBalancerArn=arn, **params)

        units = {"MinimumLoadBalancerCapacity": {"CapacityUnits": 100}}
        await refused("CapacityUnitsLimitExceeded", "100 capacity units", reserves(**units))
        for params in ({}, {"ResetCapacityReservation": False}, {**units, "ResetCapacityReservation": True}):
            await refused("InvalidConfigurationRequest", "either", reserves(**params))
        assert await reserves(ResetCapacityReservation=True) == {"CapacityReservationState": []}
        await refused("LoadBalancerNotFound", "gone", reserves(balancer.replace("web", "gone"), **units))

        def pools(arn: str = balancer, **params: Any) -> Any:
            return w.elb.modify_ip_pools(LoadBalancerArn=arn, **params)

        pool = {"IpamPools": {"Ipv4IpamPoolId": "ipam-pool-0123456789abcdef0"}}
        await refused("ValidationError", "'ipam-pool-0123456789abcdef0' does not exist", pools(**pool))
        await refused("ValidationError", "either", pools())
        await refused("ValidationError", "internet-facing", pools(inside, **pool))
        assert await pools(RemoveIpamPools=["ipv4"]) == {"IpamPools": {}}
