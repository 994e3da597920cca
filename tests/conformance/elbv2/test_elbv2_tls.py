"""HTTPS listeners: certificates and security policies, and what nodes are told of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hatoba.aws.shapes import elbv2 as t
from hatoba.aws.shapes import iam as ti
from hatoba.core.errors import AwsError
from hatoba.fleet.needed import Ref, needed
from hatoba.gateway import access
from hatoba.services.acm import x509
from hatoba.services.elbv2.plan.tls import POLICIES
from hatoba.services.iam.api import iam
from tests.conformance.elbv2.world import ACCOUNT, SCOPE, World, world


async def certificate(w: World, domain: str) -> str:
    made: str = (await w.acm.request_certificate(DomainName=domain, KeyAlgorithm="EC_prime256v1"))["CertificateArn"]
    return made


async def secured(w: World, **params: Any) -> tuple[str, str, Any]:
    """A load balancer with an HTTPS listener: its ARN, the listener's, and the listener."""
    balancer, group = await w.balancer(), await w.group()
    action = [{"Type": "forward", "TargetGroupArn": group}]
    given = {"Port": 443, "Protocol": "HTTPS", "LoadBalancerArn": balancer, "DefaultActions": action, **params}
    (listener,) = (await w.elb.create_listener(**given))["Listeners"]
    await w.settle()
    return balancer, listener["ListenerArn"], listener


async def test_a_listener_has_a_certificate_and_a_policy_and_nodes_get_both(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        arn = await certificate(w, "shop.example")
        balancer, listener, shape = await secured(w, Certificates=[{"CertificateArn": arn}])
        assert shape["Protocol"] == "HTTPS"
        assert shape["Certificates"] == [{"CertificateArn": arn}]
        assert shape["SslPolicy"] == "ELBSecurityPolicy-2016-08"
        (item,) = w.told(balancer)
        tls = w.wanted().balancers[0].listeners[0].tls
        assert tls is not None
        id_ = arn.rpartition("/")[2]
        assert (tls.certificates, tls.minimum, tls.maximum) == ((id_,), "TLSv1.0", "TLSv1.2")
        assert [shown.id for shown in item.certificates] == [id_]
        assert item.certificates[0].private_key.reveal().startswith("-----BEGIN PRIVATE KEY-----")
        assert (await w.acm.describe_certificate(CertificateArn=arn))["Certificate"]["InUseBy"] == [balancer]
        await w.elb.delete_listener(ListenerArn=listener)
        (item,) = w.told(balancer)
        assert item.certificates == ()
        await w.acm.delete_certificate(CertificateArn=arn)


async def test_a_certificate_that_is_imported_anew_reaches_the_nodes_at_once(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        now = w.clock.now()
        root = x509.authority("a test's authority", now)

        def brought() -> dict[str, Any]:
            made = x509.issue(root, ("shop.example",), "EC_prime256v1", now, 86400.0)
            return {"Certificate": made.leaf.encode(), "PrivateKey": made.key.encode()}

        arn = (await w.acm.import_certificate(**brought()))["CertificateArn"]
        balancer, _, _ = await secured(w, Certificates=[{"CertificateArn": arn}])
        (before,) = w.told(balancer)
        await w.acm.import_certificate(CertificateArn=arn, **brought())
        (after,) = w.told(balancer)
        assert before.certificates[0].private_key != after.certificates[0].private_key
        assert before.spec == after.spec, "nothing else has changed"


async def test_further_certificates_come_and_go_and_the_default_one_stays(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        first, second, third = [await certificate(w, f"{name}.example") for name in "abc"]
        _, listener, _ = await secured(w, Certificates=[{"CertificateArn": first}])
        added = await w.elb.add_listener_certificates(
            ListenerArn=listener, Certificates=[{"CertificateArn": second}, {"CertificateArn": third}]
        )
        assert [one["CertificateArn"] for one in added["Certificates"]] == [second, third]
        told = (await w.elb.describe_listener_certificates(ListenerArn=listener))["Certificates"]
        assert [(one["CertificateArn"], one["IsDefault"]) for one in told] == [
            (first, True),
            (second, False),
            (third, False),
        ]
        page = await w.elb.describe_listener_certificates(ListenerArn=listener, PageSize=2)
        rest = await w.elb.describe_listener_certificates(ListenerArn=listener, PageSize=2, Marker=page["NextMarker"])
        assert [one["CertificateArn"] for one in rest["Certificates"]] == [third]
        await w.elb.remove_listener_certificates(ListenerArn=listener, Certificates=[{"CertificateArn": second}])
        with pytest.raises(t.OperationNotPermittedException):
            await w.elb.remove_listener_certificates(ListenerArn=listener, Certificates=[{"CertificateArn": first}])
        (changed,) = (
            await w.elb.modify_listener(
                ListenerArn=listener,
                Certificates=[{"CertificateArn": second}],
                SslPolicy="ELBSecurityPolicy-TLS13-1-2-Res-2021-06",
            )
        )["Listeners"]
        assert changed["Certificates"] == [{"CertificateArn": second}]
        tls = w.wanted().balancers[0].listeners[0].tls
        assert tls is not None
        assert tls.certificates == tuple(arn.rpartition("/")[2] for arn in (second, third))
        assert (tls.minimum, tls.maximum) == ("TLSv1.2", "TLSv1.3")
        assert all(cipher.startswith("ECDHE-") for cipher in tls.ciphers)


async def test_a_listener_shows_a_server_certificate_of_iam(tmp_path: Path) -> None:
    async with world(tmp_path, further=(iam,)) as w:
        now = w.clock.now()
        root = x509.authority("a test's authority", now)
        aws = w.plane.door(SCOPE, "ecs", access.root("aws", ACCOUNT)).iam

        async def brought(name: str, path: str = "/") -> tuple[str, str, str]:
            made = x509.issue(root, (name,), "EC_prime256v1", now, 86400.0)
            told = await aws.upload_server_certificate(
                ServerCertificateName=name,
                Path=path,
                CertificateBody=made.leaf,
                PrivateKey=made.key,
                CertificateChain=root.leaf,
            )
            metadata = told["ServerCertificateMetadata"]
            return metadata["Arn"], metadata["ServerCertificateId"], made.key

        first, first_id, key = await brought("shop", "/web/")
        second, second_id, _ = await brought("other")
        theirs = await certificate(w, "theirs.example")
        balancer, listener, shape = await secured(w, Certificates=[{"CertificateArn": first}])
        assert shape["Certificates"] == [{"CertificateArn": first}]
        await w.elb.add_listener_certificates(
            ListenerArn=listener, Certificates=[{"CertificateArn": second}, {"CertificateArn": theirs}]
        )
        tls = w.wanted().balancers[0].listeners[0].tls
        assert tls is not None
        assert tls.certificates == (first_id, second_id, theirs.rpartition("/")[2])
        (item,) = w.told(balancer)
        assert [each.id for each in item.certificates] == list(tls.certificates)
        assert item.certificates[0].private_key.reveal() == key
        assert item.certificates[0].chain.count("BEGIN CERTIFICATE") == 2
        with pytest.raises(ti.DeleteConflictException, match=f"{first_id} is currently in use by {balancer}"):
            await aws.delete_server_certificate(ServerCertificateName="shop")
        # Another name or path: the listener shows it all the same, and its old ARN leads nowhere.
        await aws.update_server_certificate(ServerCertificateName="shop", NewPath="/")
        (item,) = w.told(balancer)
        assert item.certificates[0].id == first_id
        with pytest.raises(t.CertificateNotFoundException):
            await w.elb.modify_listener(ListenerArn=listener, Certificates=[{"CertificateArn": first}])
        await w.elb.modify_listener(ListenerArn=listener, Certificates=[{"CertificateArn": second}])
        assert w.told(balancer)[0].certificates[0].id == second_id
        await aws.delete_server_certificate(ServerCertificateName="shop")
        await w.elb.delete_listener(ListenerArn=listener)
        await aws.delete_server_certificate(ServerCertificateName="other")


async def test_a_listener_changes_its_protocol(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        arn = await certificate(w, "a.example")
        _, listener, _ = await secured(w, Certificates=[{"CertificateArn": arn}])
        (plain,) = (await w.elb.modify_listener(ListenerArn=listener, Protocol="HTTP"))["Listeners"]
        assert "Certificates" not in plain
        assert w.wanted().balancers[0].listeners[0].tls is None
        with pytest.raises(AwsError, match="A certificate must be specified"):
            await w.elb.modify_listener(ListenerArn=listener, Protocol="HTTPS")


@pytest.mark.parametrize(
    ("params", "code", "why"),
    [
        ({}, "ValidationError", "A certificate must be specified for HTTPS listeners"),
        ({"Certificates": []}, "ValidationError", "A certificate must be specified"),
        ({"Certificates": ["OWN", "OWN"]}, "TooManyCertificates", "Exactly one certificate"),
        ({"Certificates": [{"CertificateArn": "OWN", "IsDefault": True}]}, "ValidationError", "IsDefault"),
        ({"Certificates": ["nonsense"]}, "CertificateNotFound", "is not valid"),
        (
            {"Certificates": ["arn:aws:acm:us-east-1:123456789012:certificate/none"]},
            "CertificateNotFound",
            "not found",
        ),
        (
            {"Certificates": ["arn:aws:acm:eu-west-1:123456789012:certificate/none"]},
            "CertificateNotFound",
            "is not valid",
        ),
        (
            {"Certificates": ["arn:aws:iam::123456789012:server-certificate/x"]},
            "CertificateNotFound",
            "not found",
        ),
        (
            {"Certificates": ["arn:aws:iam::210987654321:server-certificate/x"]},
            "CertificateNotFound",
            "is not valid",
        ),
        ({"Certificates": ["OWN"], "SslPolicy": "none"}, "SSLPolicyNotFound", "'none' not found"),
        ({"Certificates": ["OWN"], "AlpnPolicy": ["HTTP2Only"]}, "ValidationError", "AlpnPolicy"),
        (
            {"Certificates": ["OWN"], "MutualAuthentication": {"Mode": "verify"}},
            "ValidationError",
            "TrustStoreArn must be specified",
        ),
        ({"Protocol": "HTTP", "Certificates": ["OWN"]}, "ValidationError", "Certificates cannot be specified"),
        ({"Protocol": "TLS", "Certificates": ["OWN"]}, "UnsupportedProtocol", "'TLS' is not supported"),
    ],
)
async def test_what_is_refused_changes_nothing(tmp_path: Path, params: dict[str, Any], code: str, why: str) -> None:
    async with world(tmp_path) as w:
        own = await certificate(w, "a.example")
        given = [
            {**one, "CertificateArn": own if one["CertificateArn"] == "OWN" else one["CertificateArn"]}
            for one in (
                each if isinstance(each, dict) else {"CertificateArn": each} for each in params.get("Certificates", ())
            )
        ]
        with pytest.raises(AwsError, match=why) as caught:
            await secured(w, **{**params, **({"Certificates": given} if "Certificates" in params else {})})
        assert caught.value.code == code
        (balancer,) = (await w.elb.describe_load_balancers())["LoadBalancers"]
        found = await w.elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])
        assert found["Listeners"] == []


async def test_a_certificate_that_has_expired_is_not_taken(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        arn = await certificate(w, "a.example")
        w.clock.advance(400 * 86400.0)
        with pytest.raises(AwsError, match="it is expired"):
            await secured(w, Certificates=[{"CertificateArn": arn}])


async def test_a_load_balancer_has_at_most_25_further_certificates(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        arns = [await certificate(w, f"n{number}.example") for number in range(27)]
        _, listener, _ = await secured(w, Certificates=[{"CertificateArn": arns[0]}])
        for arn in arns[1:26]:
            await w.elb.add_listener_certificates(ListenerArn=listener, Certificates=[{"CertificateArn": arn}])
        with pytest.raises(t.TooManyCertificatesException):
            await w.elb.add_listener_certificates(ListenerArn=listener, Certificates=[{"CertificateArn": arns[26]}])


async def test_nobody_is_sent_from_https_to_http(tmp_path: Path) -> None:
    """Source: the guide for application load balancers, "Redirect actions". Where a listener becomes one of HTTPS, its
    rules count, too."""
    code = t.InvalidLoadBalancerActionException
    to = {"StatusCode": "HTTP_301", "Host": "other.example", "Protocol": "HTTP"}
    away: list[dict[str, Any]] = [{"Type": "redirect", "RedirectConfig": to}]
    path: list[dict[str, Any]] = [{"Field": "path-pattern", "Values": ["/a"]}]
    async with world(tmp_path) as w:
        secure: dict[str, Any] = {"Certificates": [{"CertificateArn": await certificate(w, "shop.example")}]}
        balancer, listener, _ = await secured(w, **secure)
        for asked in (
            w.elb.create_rule(ListenerArn=listener, Priority=1, Conditions=path, Actions=away),
            w.elb.modify_listener(ListenerArn=listener, DefaultActions=away),
            w.elb.create_listener(LoadBalancerArn=balancer, Port=444, Protocol="HTTPS", DefaultActions=away, **secure),
        ):
            with pytest.raises(code, match="from HTTPS to HTTP"):
                await asked
        plain = await w.listener(balancer, await w.group())
        await w.elb.create_rule(ListenerArn=plain, Priority=1, Conditions=path, Actions=away)
        with pytest.raises(code, match="from HTTPS to HTTP"):
            await w.elb.modify_listener(ListenerArn=plain, Protocol="HTTPS", **secure)


async def test_the_policies_that_there_are(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        every = (await w.elb.describe_ssl_policies())["SslPolicies"]
        assert [one["Name"] for one in every] == sorted(POLICIES)
        (one,) = (await w.elb.describe_ssl_policies(Names=["ELBSecurityPolicy-TLS13-1-3-2021-06"]))["SslPolicies"]
        assert one["SslProtocols"] == ["TLSv1.3"]
        assert [cipher["Priority"] for cipher in one["Ciphers"]] == [1, 2, 3]
        with pytest.raises(t.SSLPolicyNotFoundException):
            await w.elb.describe_ssl_policies(Names=["none"])


def test_every_policy_is_one_that_the_proxy_can_carry_out() -> None:
    for name, policy in POLICIES.items():
        assert policy.versions, name
        assert policy.spoken or policy.versions == ("TLSv1.3",), name


async def test_nobody_else_gets_the_private_key(tmp_path: Path) -> None:
    """A node that does not carry the load balancer is told nothing of it."""
    async with world(tmp_path) as w:
        arn = await certificate(w, "a.example")
        balancer, _, _ = await secured(w, Certificates=[{"CertificateArn": arn}])
        id_ = balancer.partition("loadbalancer/")[2]
        assert needed(w.store, "node-1", Ref("balancer", SCOPE, id_)) is not None
        assert needed(w.store, "node-2", Ref("balancer", SCOPE, id_)) is None
