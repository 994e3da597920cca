"""HTTPS from a certificate's request to curl: a name that is trusted, a redirect, and a renewal under load."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
from pathlib import Path

import pytest
from cryptography import x509

from tools.instance import Instance, eventually
from tools.web import Web

pytestmark = pytest.mark.real


def curl(*words: str) -> str:
    done = subprocess.run(["curl", "-sS", "-m", "20", *words], capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


def test_a_page_over_https(tmp_path: Path) -> None:
    with Instance() as hatoba:
        acm, elb, ec2 = hatoba.client("acm"), hatoba.client("elbv2"), hatoba.client("ec2")
        arn = acm.request_certificate(DomainName="shop.example", KeyAlgorithm="EC_prime256v1")["CertificateArn"]
        (tmp_path / "root.pem").write_text(acm.get_certificate(CertificateArn=arn)["CertificateChain"])
        web = Web(hatoba, "shop", count=1)
        ec2.authorize_security_group_ingress(
            GroupId=web.group, IpProtocol="tcp", FromPort=443, ToPort=443, CidrIp="0.0.0.0/0"
        )
        forward = [{"Type": "forward", "TargetGroupArn": web.target_group}]
        listener = elb.create_listener(
            LoadBalancerArn=web.balancer,
            Protocol="HTTPS",
            Port=443,
            Certificates=[{"CertificateArn": arn}],
            SslPolicy="ELBSecurityPolicy-TLS13-1-2-2021-06",
            DefaultActions=forward,
        )["Listeners"][0]["ListenerArn"]
        to_https = {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}
        elb.modify_listener(ListenerArn=web.listener, DefaultActions=[{"Type": "redirect", "RedirectConfig": to_https}])
        web.create("v1")
        web.steady()
        asked = ["--cacert", str(tmp_path / "root.pem"), "--resolve", f"shop.example:443:{web.address}"]
        plain = ["--resolve", f"shop.example:80:{web.address}"]
        assert eventually(lambda: curl(*asked, "https://shop.example/") == "v1\n")
        assert curl(*asked, *plain, "-L", "http://shop.example/") == "v1\n"
        assert curl(*asked, "-o", "/dev/null", "-w", "%{http_version}", "https://shop.example/") == "2"
        refused = curl("--resolve", f"shop.example:443:{web.address}", "https://shop.example/")
        assert "certificate" in refused, "nobody else's authorities know it"

        counted = f'hatoba_elb_requests_total{{load_balancer="{web.balancer.partition("loadbalancer/")[2]}"}}'
        told = f"http://127.0.0.1:{hatoba.port}/_hatoba/metrics"
        assert eventually(lambda: counted in curl(told)), "its traffic can be seen"

        before = serial(acm, arn)
        acm.renew_certificate(CertificateArn=arn)
        assert serial(acm, arn) != before
        new = int(serial(acm, arn).replace(":", ""), 16)
        assert eventually(lambda: shown(web.address, "shop.example") == new)
        assert curl(*asked, "https://shop.example/") == "v1\n"

        in_use = acm.describe_certificate(CertificateArn=arn)["Certificate"]["InUseBy"]
        assert in_use == [web.balancer]
        with pytest.raises(acm.exceptions.ResourceInUseException):
            acm.delete_certificate(CertificateArn=arn)
        elb.delete_listener(ListenerArn=listener)
        acm.delete_certificate(CertificateArn=arn)
        assert json.loads(hatoba.aws("acm", "list-certificates"))["CertificateSummaryList"] == []


def shown(address: str, name: str) -> int:
    """The serial number of the certificate that a client is shown who asks for this name."""
    blind = ssl.create_default_context()
    blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((address, 443), 20) as plain, blind.wrap_socket(plain, server_hostname=name) as tls:
        told = tls.getpeercert(binary_form=True)
    assert told is not None
    return x509.load_der_x509_certificate(told).serial_number


def serial(acm: object, arn: str) -> str:
    told: str = acm.describe_certificate(CertificateArn=arn)["Certificate"]["Serial"]  # type: ignore[attr-defined]
    return told
