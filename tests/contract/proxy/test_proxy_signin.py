"""Users sign in on the wire: a real Envoy, the service beside it, a provider of our own and a browser."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import re
import signal
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from msgspec.structs import replace

from hatoba.core.clock import SystemClock
from hatoba.core.secret import Secret
from hatoba.proxy import launches
from hatoba.proxy.base import Balancer, Listener, PathIs, Rule, Tls, Wanted
from hatoba.proxy.signin.words import CLIENT, SESSION_KEY, SIGNING_KEY, Secrets, Signer, SignIn
from hatoba.services.acm import x509
from tests.contract.proxy.proxy_rigs import ADDRESS, Backend, RealRig, forward, group, until
from tests.contract.proxy.test_proxy_accesslog import NAME, delivered, noted
from tests.contract.proxy.test_proxy_tls import NOW, PORT, ROOT, SHOP, trusting
from tools.identity import Browser, IdentityProvider

pytestmark = pytest.mark.real

SITE, IDP = f"https://shop.example:{PORT}", "https://localhost:9443"
KEY = ec.generate_private_key(ec.SECP256R1())
SECRETS = {
    SESSION_KEY: Secret((b"k" * 32).hex()),
    SIGNING_KEY: Secret(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()),
}
WANTS = SignIn(
    id="all", issuer=IDP, authorization=f"{IDP}/authorize", token=f"{IDP}/token", user_info=f"{IDP}/userinfo",
    client="shop", cookie="AWSELBAuthSessionCookie", scope="openid email", timeout=3600, extra=(("prompt", "login"),),
)  # fmt: skip
SPOOFED = {"x_amzn_oidc_identity": "root", "X_Amzn_Oidc_Data": "forged", "x_amzn_oidc_accesstoken": "mine"}


def signing_in(backend: Backend, **changed: object) -> Wanted:
    """Everything wants users to sign in, but `/open` (nobody) and `/maybe` (whoever likes)."""
    wants = replace(WANTS, **changed)
    rules = (
        Rule(id="open", priority=1, conditions=(PathIs(values=("/open",)),), action=forward("web")),
        Rule(
            id="maybe", priority=2, conditions=(PathIs(values=("/maybe",)),), action=forward("web"),
            sign_in=replace(wants, id="maybe", otherwise="allow"),
        ),
    )  # fmt: skip
    listener = Listener(
        id="tls", port=PORT, protocol="HTTPS", default=forward("web"), tls=Tls(certificates=("shop",)), rules=rules,
        sign_in=wants,
    )  # fmt: skip
    signer = Signer(name="arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/web/1", key="kid-1")
    balancer = Balancer(id="web", addresses=(ADDRESS,), listeners=(listener,), signer=signer)
    clients = {f"{CLIENT}{id_}": Secret("s3cr:et/") for id_ in ("all", "maybe")}
    return Wanted(
        balancers=(balancer,), groups=(group("web", backend),), certificates=(SHOP,),
        secrets=(Secrets(balancer="web", values={**SECRETS, **clients}),),
    )  # fmt: skip


def browser(real: RealRig, folder: Path) -> Browser:
    trusts = trusting(folder)

    async def open_(host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        sock = real.namespace.socket()
        address = ADDRESS if host == "shop.example" else "127.0.0.1"
        await asyncio.get_running_loop().sock_connect(sock, (address, port))
        return await asyncio.open_connection(sock=sock, ssl=trusts, server_hostname=host)

    return Browser(open_)


@contextlib.asynccontextmanager
async def provider(real: RealRig, folder: Path, root: x509.Issued = ROOT) -> AsyncIterator[IdentityProvider]:
    made = x509.issue(root, ("localhost",), "EC_prime256v1", NOW, 86_400.0)
    file = folder / "idp.pem"
    file.write_text(made.leaf + made.key)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(file)
    listener = real.namespace.socket()
    listener.bind(("127.0.0.1", 9443))
    idp = IdentityProvider(IDP, SystemClock().now)
    await idp.start(listener, tls)
    try:
        yield idp
    finally:
        idp.close()


async def started(real: RealRig, **changed: object) -> Backend:
    backend = await real.backend("a")
    await real.proxy.apply(signing_in(backend, **changed))
    await real.facts.until(real.proxy, "web", {"a": "healthy"})
    return backend


def told(backend: Backend) -> dict[str, str]:
    found = re.findall(r"(?im)^(x-amzn-oidc-[a-z]+): (.*?)\r$", backend.seen[-1])
    assert len(found) == len({name.lower() for name, _ in found}), "a header came twice"
    return {name.lower(): value for name, value in found}


def unpadded(part: str) -> dict[str, object]:
    assert len(part) % 4 == 0, "its parts are padded"
    found: dict[str, object] = json.loads(base64.urlsafe_b64decode(part))
    return found


async def test_a_user_signs_in_and_targets_are_told_who_it_is(real: RealRig, tmp_path: Path) -> None:
    async with provider(real, tmp_path) as idp:
        backend, user = await started(real), browser(real, tmp_path)
        page = await user.get(f"{SITE}/cart?item=7&x=%2F", **SPOOFED)
        assert (page.status, page.body, page.url) == (200, "a", f"{SITE}/cart?item=7&x=%2F"), user.visited
        path, said = idp.asked[0]
        assert path == "/authorize"
        assert (said["client_id"], said["scope"], said["prompt"]) == ("shop", "openid email", "login")
        assert (said["response_type"], said["redirect_uri"]) == ("code", f"{SITE}/oauth2/idpresponse")
        assert sorted(user.cookies["shop.example"]) == ["AWSALBAuthNonce", "AWSELBAuthSessionCookie-0"]
        header, body, signature = told(backend)["x-amzn-oidc-data"].split(".")
        assert told(backend)["x-amzn-oidc-identity"] == "alice"
        assert told(backend)["x-amzn-oidc-accesstoken"].startswith("access-")
        head, claims = unpadded(header), unpadded(body)
        until_ = head.pop("exp")
        assert isinstance(until_, int)
        assert 60 < until_ - SystemClock().now() <= 120
        assert head == {
            "typ": "JWT", "alg": "ES256", "kid": "kid-1", "iss": IDP, "client": "shop",
            "signer": "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/web/1",
        }  # fmt: skip
        assert claims == {"sub": "alice", "email": "alice@example.com", "iss": IDP, "exp": until_}
        raw = base64.urlsafe_b64decode(signature)
        r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
        KEY.public_key().verify(encode_dss_signature(r, s), f"{header}.{body}".encode(), ec.ECDSA(hashes.SHA256()))
        asked = len(idp.asked)
        for path in ("/", "/maybe"):
            assert (await user.get(f"{SITE}{path}", **SPOOFED)).status == 200
            assert told(backend)["x-amzn-oidc-identity"] == "alice"
        assert len(idp.asked) == asked, "a session asks nobody"
        assert (await user.get(f"{SITE}/open", **SPOOFED)).status == 200
        assert told(backend) == {}, "only who has signed in has these headers"
        counted = (await real.proxy.traffic())["web"].sign_ins
        assert counted is not None
        assert (counted.success, counted.failure, counted.error) == (1, 0, 0)
        assert 0 < counted.seconds < 10
        stranger = browser(real, tmp_path)
        assert (await stranger.get(f"{SITE}/maybe", **SPOOFED)).status == 200
        assert told(backend) == {}


async def test_who_may_not_is_refused_and_errors_have_their_statuses(real: RealRig, tmp_path: Path) -> None:
    async with provider(real, tmp_path) as idp:
        backend = await started(real, otherwise="deny")
        page = await browser(real, tmp_path).get(f"{SITE}/")
        assert (page.status, page.header("server")) == (401, "awselb/2.0")
        assert "401 Authorization Required" in page.body
        await real.proxy.apply(signing_in(backend))
        for path, status in (("/token", 561), ("/userinfo", 561)):
            idp.wrong = {path: (503, b"")}
            assert (await browser(real, tmp_path).get(f"{SITE}/")).status == status
        idp.wrong = {}
        idp.close()
        first = await browser(real, tmp_path).get(f"{SITE}/", follow=False)
        assert first.header("location").startswith(f"{IDP}/authorize?")
        assert (await browser(real, tmp_path).get(f"{SITE}/oauth2/idpresponse?code=1")).status == 401
        assert backend.seen == []


async def test_a_provider_may_take_its_time_but_not_for_ever(real: RealRig, tmp_path: Path) -> None:
    async with provider(real, tmp_path) as idp:
        await started(real)
        idp.slow = {"/token": 1.0, "/userinfo": 0.5}
        assert (await browser(real, tmp_path).get(f"{SITE}/")).status == 200
        idp.slow = {"/token": 20.0}
        asked = len(idp.asked)
        assert (await browser(real, tmp_path).get(f"{SITE}/")).status == 500
        assert len(idp.asked) == asked + 1, "it is asked once"


async def test_a_provider_that_nobody_vouches_for_is_not_asked(real: RealRig, tmp_path: Path) -> None:
    async with provider(real, tmp_path, x509.authority("somebody", NOW)) as idp:
        await started(real)
        user = browser(real, tmp_path)
        there = await user.get(f"{SITE}/", follow=False)
        state = re.search(r"[?&]state=([^&]+)", there.header("location"))
        assert state is not None
        assert (await user.get(f"{SITE}/oauth2/idpresponse?code=1&state={state[1]}")).status == 500
        assert idp.asked == []


async def test_access_logs_tell_what_became_of_it(real: RealRig, tmp_path: Path) -> None:
    async with provider(real, tmp_path):
        backend = await real.backend("a")
        wanted = signing_in(backend)
        noting = replace(wanted, balancers=(replace(wanted.balancers[0], access_log=NAME),))
        await real.proxy.apply(noting)
        await real.facts.until(real.proxy, "web", {"a": "healthy"})
        user = browser(real, tmp_path)
        for path, status in (("/", 200), ("/open", 200), ("/oauth2/idpresponse?code=1", 401)):
            assert (await user.get(f"{SITE}{path}")).status == status
        await until(lambda: noted(real) == 5)
        found = [(each["status"], each["actions"], each["error"], each["priority"]) for each in await delivered(real)]
        assert found == [
            ("302", "authenticate", "-", "0"),
            ("302", "authenticate", "-", "0"),
            ("200", "authenticate,forward", "-", "0"),
            ("200", "forward", "-", "1"),
            ("401", "authenticate", "AuthMissingStateParam", "0"),
        ]


async def test_sessions_outlive_the_agent_and_a_killed_service(real: RealRig, tmp_path: Path) -> None:
    async with provider(real, tmp_path):
        backend, user = await started(real), browser(real, tmp_path)
        assert (await user.get(f"{SITE}/")).status == 200
        pid = real.proxy.sign_in.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        assert (await user.get(f"{SITE}/")).status == 200, "the request waits for the next one"
        await until(lambda: real.proxy.sign_in.pid not in (None, pid))
        again = real.proxy.sign_in.pid
        await real.agent_dies()
        assert (await user.get(f"{SITE}/")).status == 200
        assert (await browser(real, tmp_path).get(f"{SITE}/")).status == 200, "others sign in, too"
        assert await real.agent_returns()
        await real.proxy.apply(signing_in(backend, timeout=60))
        assert real.proxy.sign_in.pid == again, "it was found again"
        assert (await user.get(f"{SITE}/")).status == 200
        # A newer version of it takes its place.
        await real.agent_dies()
        assert await real.agent_returns()
        real.proxy.sign_in.__dict__["_form"] = "another"
        await real.proxy.apply(signing_in(backend, timeout=60))
        assert real.proxy.sign_in.pid != again
        assert (await user.get(f"{SITE}/")).status == 200
        assert again is not None
        await until(lambda: launches.started_at(again) is None)
        again = real.proxy.sign_in.pid
        folder = real.directory / "e"
        assert not [f for f in folder.rglob("*") if f.is_file() and b"s3cr" in f.read_bytes()], "no secret is in a file"
        await real.proxy.apply(Wanted())
        assert again is not None
        assert launches.started_at(again) is None, "nothing wants it any more"
        assert not list(folder.glob("signin*"))
