"""Users of a load balancer sign in: a provider in a task's network, a browser, and what is killed meanwhile.

Provider and application are this test's own, listening inside the task's network namespace: only what the VPC lets
through gets there.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import signal
import ssl
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from tests.contract.proxy.proxy_rigs import socket_in
from tools.identity import Browser, IdentityProvider, Page
from tools.images import busybox_files
from tools.instance import Instance, eventually

pytestmark = pytest.mark.real

SHOP = "shop.example"


async def application(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers what it was told of the user."""
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
        while True:
            lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            told = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            body = json.dumps({name: value for name, value in told.items() if "oidc" in name}).encode()
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
    writer.close()


class Site:
    """A load balancer whose users sign in, and behind it one task's address."""

    def __init__(self, hatoba: Instance, folder: Path) -> None:
        self.hatoba, self.folder = hatoba, folder
        self._task()
        self._certificates()
        self._balancer()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self.run(self._serve())

    def run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    def close(self) -> None:
        self.run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)

    async def _end(self) -> None:
        self.idp.close()
        self._app.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _task(self) -> None:
        ecs, ec2 = self.hatoba.client("ecs"), self.hatoba.client("ec2")
        inside = self.hatoba.allow(443, "172.31.0.0/16")
        ec2.authorize_security_group_ingress(
            GroupId=inside, IpProtocol="tcp", FromPort=8080, ToPort=8080, CidrIp="172.31.0.0/16"
        )
        image = self.hatoba.push("idle", busybox_files(), command=["sleep", "1000000"])
        ecs.register_task_definition(
            family="idle", networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512",
            containerDefinitions=[{"name": "idle", "image": image}],
        )  # fmt: skip
        network = self.hatoba.network(groups=[inside])
        (task,) = ecs.run_task(taskDefinition="idle", launchType="FARGATE", networkConfiguration=network)["tasks"]
        running = self.hatoba.wait_task(task["taskArn"], "RUNNING")
        told = {each["name"]: each["value"] for each in running["attachments"][0]["details"]}
        self.address = told["privateIPv4Address"]
        self.netns = f"/run/hatoba/{self.hatoba.name}/net/netns/{told['networkInterfaceId']}"
        (interface,) = ec2.describe_network_interfaces(NetworkInterfaceIds=[told["networkInterfaceId"]])[
            "NetworkInterfaces"
        ]
        self.idp_host: str = interface["PrivateDnsName"]

    def _certificates(self) -> None:
        acm = self.hatoba.client("acm")
        self.certificate, idp = (
            acm.request_certificate(DomainName=name, KeyAlgorithm="EC_prime256v1", Options={"Export": "ENABLED"})[
                "CertificateArn"
            ]
            for name in (SHOP, self.idp_host)
        )
        given = acm.export_certificate(CertificateArn=idp, Passphrase=b"pass")
        key = serialization.load_pem_private_key(given["PrivateKey"].encode(), b"pass")
        plain = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (self.folder / "idp.pem").write_text(given["Certificate"] + plain.decode())
        (self.folder / "root.pem").write_text(given["CertificateChain"])

    def _balancer(self) -> None:
        elb = self.hatoba.client("elbv2")
        self.group = self.hatoba.allow(443)
        made = elb.create_load_balancer(Name="shop", Subnets=self.hatoba.subnets(), SecurityGroups=[self.group])
        (balancer,) = made["LoadBalancers"]
        self.balancer: str = balancer["LoadBalancerArn"]
        vpc = self.hatoba.vpc()
        self.proxy = Path(f"/run/hatoba/{self.hatoba.name}/proxy/{vpc}")
        target = elb.create_target_group(
            Name="shop", Protocol="HTTP", Port=8080, VpcId=vpc, TargetType="ip", HealthCheckIntervalSeconds=5,
            HealthCheckTimeoutSeconds=4,
            HealthyThresholdCount=2,
        )["TargetGroups"][0]["TargetGroupArn"]  # fmt: skip
        elb.register_targets(TargetGroupArn=target, Targets=[{"Id": self.address}])
        url = f"https://{self.idp_host}"
        signs_in = {
            "Issuer": url, "AuthorizationEndpoint": f"{url}/authorize", "TokenEndpoint": f"{url}/token",
            "UserInfoEndpoint": f"{url}/userinfo", "ClientId": "shop", "ClientSecret": "s3cr:et/",
        }  # fmt: skip
        elb.create_listener(
            LoadBalancerArn=self.balancer, Protocol="HTTPS", Port=443,
            Certificates=[{"CertificateArn": self.certificate}],
            DefaultActions=[
                {"Type": "authenticate-oidc", "Order": 1, "AuthenticateOidcConfig": signs_in},
                {"Type": "forward", "Order": 2, "TargetGroupArn": target},
            ],
        )  # fmt: skip
        elb.get_waiter("load_balancer_available").wait(LoadBalancerArns=[self.balancer], WaiterConfig={"Delay": 1})
        self.public: str = self.hatoba.interfaces(self.balancer)[0]["Association"]["PublicIp"]

    async def _serve(self) -> None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(self.folder / "idp.pem")
        self.idp = IdentityProvider(f"https://{self.idp_host}", time.time)
        listening = [socket_in(self.netns), socket_in(self.netns)]
        for sock, port in zip(listening, (443, 8080), strict=True):
            sock.bind(("0.0.0.0", port))
        await self.idp.start(listening[0], tls)
        self._app = await asyncio.start_server(application, sock=listening[1])

    def browser(self) -> Browser:
        trusts = ssl.create_default_context(cafile=str(self.folder / "root.pem"))

        async def open_(host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            if host == SHOP:
                return await asyncio.open_connection(self.public, port, ssl=trusts, server_hostname=host)
            sock = socket_in(self.netns)
            await asyncio.get_running_loop().sock_connect(sock, (self.address, port))
            return await asyncio.open_connection(sock=sock, ssl=trusts, server_hostname=host)

        return Browser(open_)

    def get(self, browser: Browser, path: str = "/") -> Page:
        try:
            page: Page = self.run(browser.get(f"https://{SHOP}{path}", x_amzn_oidc_identity="root"))
        except (OSError, asyncio.IncompleteReadError) as error:
            return Page(0, path, [], str(error))
        return page

    def user(self, browser: Browser) -> str:
        page = self.get(browser)
        return str(json.loads(page.body)["x-amzn-oidc-identity"]) if page.status == 200 else f"{page.status}"

    @property
    def service(self) -> int:
        return int(json.loads((self.proxy / "signin.pid").read_text())["pid"])


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Instance() as hatoba:
        made = Site(hatoba, tmp_path)
        yield made
        made.close()
        folder = str(made.proxy)
    assert not [line for line in commands() if "signin.service" in line and folder in line], "it ended with the rest"


def commands() -> Iterator[str]:
    """Of every process of this machine."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            yield (process / "cmdline").read_text().replace("\0", " ")


def test_users_sign_in_whatever_is_killed(site: Site) -> None:
    hatoba, alice = site.hatoba, site.browser()
    assert eventually(lambda: site.user(alice) == "alice")
    page = site.get(alice, "/cart?x=1")
    assert page.status == 200
    told = json.loads(page.body)
    header = json.loads(base64.urlsafe_b64decode(told["x-amzn-oidc-data"].split(".")[0]))
    assert (header["signer"], header["client"]) == (site.balancer, "shop")
    key = f"http://127.0.0.1:{hatoba.port}/_hatoba/elb-public-keys/us-east-1/{header['kid']}"
    with urllib.request.urlopen(key, timeout=20) as answer:
        assert answer.read().startswith(b"-----BEGIN PUBLIC KEY-----")

    # Neither control plane nor agent is asked: who has signed in goes on, and others sign in.
    for process in ("control", "node"):
        hatoba.kill(process)
    assert site.user(alice) == "alice"
    assert site.user(site.browser()) == "alice"
    eventually(hatoba.health_or_none)

    # The service itself: the next one is there in a moment.
    before = site.service
    os.kill(before, signal.SIGKILL)
    assert site.user(alice) == "alice"
    assert eventually(lambda: site.service != before)
    assert site.user(site.browser()) == "alice"

    # Neither the client's secret nor the load balancer's key is on a disk in clear: journals, memory, audit.
    files = [f for part in ("node", "control") for f in (hatoba.folder / part).iterdir() if f.is_file()]
    assert {"journal.db", "audit.db"} <= {file.name for file in files}
    for file in files:
        assert not any(secret in file.read_bytes() for secret in (b"s3cr:et/", b"BEGIN PRIVATE KEY")), file

    # The provider is asked from the load balancer's address: its security group decides.
    ec2 = hatoba.client("ec2")
    (group,) = ec2.describe_security_groups(GroupIds=[site.group])["SecurityGroups"]
    ec2.revoke_security_group_egress(GroupId=site.group, IpPermissions=group["IpPermissionsEgress"])
    only = {"IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8080, "IpRanges": [{"CidrIp": "172.31.0.0/16"}]}
    ec2.authorize_security_group_egress(GroupId=site.group, IpPermissions=[only])
    assert eventually(lambda: site.user(site.browser()) == "500")
    assert site.user(alice) == "alice", "who has signed in needs no provider"
