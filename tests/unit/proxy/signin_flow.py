"""One balancer's users, a provider that is no more than values, and a browser's cookies: no socket, no process."""

from __future__ import annotations

from itertools import count
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from msgspec.structs import replace

from hatoba.proxy.signin.flow import Answered, Asked, Balancer, Passed
from hatoba.proxy.signin.provider import Failed, Granted
from hatoba.proxy.signin.words import CALLBACK, Rule, Signer, SignIn, Site
from tools.identity import unsigned

IDP, HOST = "https://idp.example", "shop.example"
WANTS = SignIn(
    id="r1", issuer=IDP, authorization=f"{IDP}/authorize", token=f"{IDP}/token", user_info=f"{IDP}/userinfo",
    client="shop", cookie="Session", scope="openid", timeout=3600,
)  # fmt: skip
KEY = ec.generate_private_key(ec.SECP256R1())
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
BASIC = Rule(listener="l1", wants=WANTS, secret="s3cret")


def site(*rules: Rule, session: bytes = b"k" * 32) -> Site:
    return Site(
        balancer="web", signer=Signer(name="arn:web", key="k1"), session=session.hex(),
        signing=PEM, source="10.0.0.5", rules=rules or (BASIC,),
    )  # fmt: skip


class Answers:
    """Implements `provider.Provider`: what it says is set by the test; what it was asked is noted."""

    def __init__(self) -> None:
        self.claims: dict[str, Any] = {"sub": "alice"}
        self.tells: dict[str, Any] = {}
        self.granted = Granted(access="access-0", refresh="", lasts=300.0)
        self.fails: dict[str, Failed] = {}
        self.id_token: str | None = None
        self.asked: list[str] = []
        self.nonce = ""

    def _note(self, what: str) -> None:
        self.asked.append(what.partition(" ")[0] if what.startswith("user") else what)
        failed = self.fails.get(what.partition(" ")[0])
        if failed is not None:
            raise failed

    async def redeem(self, site: Site, rule: Rule, code: str, callback: str) -> Granted:
        self._note(f"redeem {code}")
        claims = {"iss": IDP, "aud": "shop", "sub": "alice", "exp": 1e12, "nonce": self.nonce, **self.tells}
        return replace(self.granted, id_token=unsigned(claims) if self.id_token is None else self.id_token)

    async def refresh(self, site: Site, rule: Rule, token: str) -> Granted:
        self._note(f"refresh {token}")
        return replace(self.granted, access=f"{token}+", refresh=f"{token}+")

    async def user_info(self, site: Site, rule: Rule, access: str) -> dict[str, Any]:
        self._note(f"userinfo {access}")
        return self.claims


class Users:
    """Of one load balancer. `jar` is what the browser keeps."""

    def __init__(self, *rules: Rule, session: bytes = b"k" * 32) -> None:
        self.now = 1_000_000.0
        self.provider = Answers()
        numbers = count()

        def chance(size: int) -> bytes:
            return next(numbers).to_bytes(size, "big")

        self.balancer = Balancer(site(*rules, session=session), self.provider, lambda: self.now, chance)
        self.jar: dict[str, str] = {}

    async def ask(
        self, path: str = "/", rule: str = "r1", *, host: str = HOST, listener: str = "l1", cookies: str | None = None
    ) -> Passed | Answered:
        sent = "; ".join(f"{name}={value}" for name, value in self.jar.items()) if cookies is None else cookies
        found = await self.balancer.check(Asked(listener=listener, rule=rule, host=host, path=path, cookies=sent))
        for cookie in found.cookies:
            name, _, value = cookie.partition(";")[0].partition("=")
            if "Max-Age=0" in cookie:
                self.jar.pop(name, None)
            else:
                self.jar[name] = value
        return found

    async def sent_away(self, path: str = "/", rule: str = "r1") -> dict[str, str]:
        """What the provider is asked when a stranger comes."""
        found = await self.ask(path, rule)
        assert isinstance(found, Answered), found
        assert found.status == 302
        said = {name: values[0] for name, values in parse_qs(urlsplit(found.location).query).items()}
        self.provider.nonce = said["nonce"]
        return said

    async def back(self, state: str, code: str = "c1", **how: str) -> Answered:
        found = await self.ask(f"{CALLBACK}?code={code}&state={state}", "", **how)
        assert isinstance(found, Answered)
        return found

    async def sign_in(self, path: str = "/", rule: str = "r1") -> Answered:
        return await self.back((await self.sent_away(path, rule))["state"])


async def passes(users: Users, path: str = "/", rule: str = "r1") -> dict[str, str]:
    """What targets are told."""
    found = await users.ask(path, rule)
    assert isinstance(found, Passed), found
    return dict(found.headers)
