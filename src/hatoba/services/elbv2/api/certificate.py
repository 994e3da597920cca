"""Certificates of HTTPS listeners, and the security policies that they may have."""

from __future__ import annotations

from collections.abc import Iterable

from hatoba.aws.shapes import elbv2 as t
from hatoba.core.errors import AwsError
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.elbv2.api.room import elbv2, next_marker, page, the_listener
from hatoba.services.elbv2.carried import publish
from hatoba.services.elbv2.model.listener import Listener, balancer_of, listeners, listeners_of
from hatoba.services.elbv2.plan import tls
from hatoba.services.elbv2.plan.errors import invalid
from hatoba.services.elbv2.plan.quotas import CERTIFICATES
from hatoba.store.store import View


async def check_there(call: Call, references: Iterable[str]) -> dict[str, str]:
    """ACM is asked, or IAM: they must exist, and ACM's be valid now. The ids of IAM's, by their ARNs."""
    ids = {}
    for reference in references:
        name = tls.server_certificate(reference, call.scope)
        if name is not None:
            ids[reference] = await _of_iam(call, reference, name)
            continue
        tls.certificate_id(reference, call.scope)
        try:
            found = await call.aws.acm.describe_certificate(CertificateArn=reference)
        except AwsError as error:
            if error.status >= 500:
                raise
            raise t.CertificateNotFoundException(f"Certificate '{reference}' not found") from error
        if found["Certificate"]["Status"] != "ISSUED":
            raise invalid(f"Certificate '{reference}' cannot be used: it is {found['Certificate']['Status'].lower()}")
    return ids


async def _of_iam(call: Call, reference: str, name: str) -> str:
    try:
        found = (await call.aws.iam.get_server_certificate(ServerCertificateName=name))["ServerCertificate"]
    except AwsError as error:
        if error.status >= 500:
            raise
        raise t.CertificateNotFoundException(f"Certificate '{reference}' not found") from error
    metadata = found["ServerCertificateMetadata"]
    if metadata["Arn"] != reference:
        raise t.CertificateNotFoundException(f"Certificate '{reference}' not found")
    return str(metadata["ServerCertificateId"])


@elbv2.operation
async def add_listener_certificates(req: t.AddListenerCertificatesInput, call: Call) -> t.AddListenerCertificatesOutput:
    new = tls.further(req["Certificates"])
    the_listener(call.store, call, req["ListenerArn"])
    ids = await check_there(call, new)
    with call.tx() as tx:
        record = _secure(tx, call, req["ListenerArn"])
        balancer = balancer_of(tx, record)
        merged = (*record.certificates, *(each for each in new if each not in record.certificates))
        others = sum(len(each.certificates[1:]) for each in listeners_of(tx, balancer) if each.id != record.id)
        if others + len(merged) - 1 > CERTIFICATES:
            raise t.TooManyCertificatesException(
                f"A load balancer can have at most {CERTIFICATES} certificates beside the default ones"
            )
        tx.put(listeners, replace(record, certificates=merged, ids={**record.ids, **ids}))
        publish(tx, balancer)
    return {"Certificates": [{"CertificateArn": each, "IsDefault": False} for each in new]}


@elbv2.operation
async def remove_listener_certificates(
    req: t.RemoveListenerCertificatesInput, call: Call
) -> t.RemoveListenerCertificatesOutput:
    gone = tls.further(req["Certificates"])
    with call.tx() as tx:
        record = _secure(tx, call, req["ListenerArn"])
        if record.certificates[0] in gone:
            raise t.OperationNotPermittedException(
                f"Default certificate '{record.certificates[0]}' cannot be removed from the listener"
            )
        left = tuple(each for each in record.certificates if each not in gone)
        kept = {arn: id_ for arn, id_ in record.ids.items() if arn in left}
        tx.put(listeners, replace(record, certificates=left, ids=kept))
        publish(tx, balancer_of(tx, record))
    return {}


@elbv2.operation
async def describe_listener_certificates(
    req: t.DescribeListenerCertificatesInput, call: Call
) -> t.DescribeListenerCertificatesOutput:
    record = the_listener(call.store, call, req["ListenerArn"])
    numbered = [f"{number:03d} {each}" for number, each in enumerate(record.certificates)]
    found, more = page(call, numbered, dict(req), str)
    shown: list[t.Certificate] = [
        {"CertificateArn": each.partition(" ")[2], "IsDefault": each.startswith("000 ")} for each in found
    ]
    return {"Certificates": shown, **next_marker(more)}


def _secure(view: View, call: Call, reference: str) -> Listener:
    record = the_listener(view, call, reference)
    if record.protocol not in ("HTTPS", "TLS"):
        raise invalid("Certificates can only be specified for listeners with the protocol 'HTTPS' or 'TLS'")
    return record


@elbv2.operation
async def describe_ssl_policies(req: t.DescribeSSLPoliciesInput, call: Call) -> t.DescribeSSLPoliciesOutput:
    names = req.get("Names")
    for name in names or ():
        tls.checked_policy(name)
    known = sorted(name for name in tls.POLICIES if not names or name in names)
    if req.get("LoadBalancerType") == "gateway":
        known = []
    found, more = page(call, known, dict(req), str)
    return {"SslPolicies": [_policy(name) for name in found], **next_marker(more)}


def _policy(name: str) -> t.SslPolicy:
    policy = tls.POLICIES[name]
    return {
        "Name": name,
        "SslProtocols": [version.removesuffix(".0") for version in policy.versions],
        "Ciphers": [{"Name": cipher, "Priority": number} for number, cipher in enumerate(policy.ciphers, 1)],
        "SupportedLoadBalancerTypes": ["application", "network"],
    }
