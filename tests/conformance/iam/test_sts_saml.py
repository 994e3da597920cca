"""AssumeRoleWithSAML: an assertion is believed if a key of the provider's metadata signed it, for what it says."""

from __future__ import annotations

import base64
import hashlib
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from hatoba.services.acm import x509
from hatoba.services.sts.model import EVERYWHERE, sessions
from tests.conformance.ec2.networks import Platform, served
from tests.conformance.iam.assertions import OURS, PLACE, assertion, metadata, private_pem, response
from tests.conformance.serving import fresh_account, refused

PERSON = "urn:oid:1.3.6.1.4.1.5923.1.1.1"


class World:
    """An account that trusts a provider of its own, in a role for whoever it vouches for."""

    def __init__(self, platform: Platform, account: str) -> None:
        self.platform, self.account = platform, account
        self.iam = platform.client("iam", account=account)
        self.asks = platform.client("sts").assume_role_with_saml
        self.provider = f"arn:aws:iam::{account}:saml-provider/corp"
        self.role = f"arn:aws:iam::{account}:role/Outside"

    def register(self, document: str = "", **rest: Any) -> str:
        made = self.iam.create_saml_provider(Name="corp", SAMLMetadataDocument=document or metadata(), **rest)
        assert made["SAMLProviderArn"] == self.provider
        uuid: str = self.iam.get_saml_provider(SAMLProviderArn=self.provider)["SAMLProviderUUID"]
        return uuid

    def trust(self, *actions: str, **changed: Any) -> None:
        statement = {
            "Effect": "Allow",
            "Principal": {"Federated": self.provider},
            "Action": ["sts:AssumeRoleWithSAML", *actions],
            "Condition": {"StringEquals": {"SAML:aud": PLACE}},
            **changed,
        }
        document = json.dumps({"Version": "2012-10-17", "Statement": statement})
        self.iam.create_role(RoleName="Outside", AssumeRolePolicyDocument=document)

    @property
    def now(self) -> float:
        return self.platform.clock.now()

    def attributes(self, **ours: list[str] | None) -> dict[str, list[str]]:
        said: dict[str, list[str] | None] = {
            "Role": [f"{self.role},{self.provider}", "arn:aws:iam::1:role/x, arn:aws:iam::1:saml-provider/y"],
            "RoleSessionName": ["ann"],
            **ours,
        }
        return {f"{OURS}{name}": values for name, values in said.items() if values is not None}

    def inside(
        self, further: dict[str, list[str]] | None = None, ours: dict[str, Any] | None = None, **changed: Any
    ) -> str:
        return assertion(self.now, {**self.attributes(**(ours or {})), **(further or {})}, **changed)

    def ask(self, sent: str | None = None, **rest: Any) -> Any:
        given = sent if sent is not None else response(self.inside())
        return self.asks(RoleArn=self.role, PrincipalArn=self.provider, SAMLAssertion=given, **rest)

    def refused(self, code: str, sent: str, **rest: Any) -> str:
        return refused(code, lambda: self.ask(sent, **rest))


@pytest.fixture
def world(platform: Platform, account: str) -> World:
    return World(platform, account)


def test_who_has_an_assertion_gets_a_session(world: World) -> None:
    world.register()
    world.trust("sts:TagSession", "sts:SetSourceIdentity")
    ours = {"PrincipalTag:team": ["a"], "TransitiveTagKeys": ["team"], "SourceIdentity": ["ann.a"]}
    answer = world.ask(response(world.inside({f"{PERSON}.1": ["staff", "member"]}, ours)), DurationSeconds=1800)
    hashed = hashlib.sha1(f"https://id.test{world.account}/corp".encode()).digest()
    qualifier = base64.b64encode(hashed).decode()
    assert (answer["Subject"], answer["SubjectType"]) == ("ann@corp.test", "persistent")
    assert (answer["Issuer"], answer["Audience"]) == ("https://id.test", PLACE)
    assert (answer["NameQualifier"], answer["SourceIdentity"]) == (qualifier, "ann.a")
    arn = f"arn:aws:sts::{world.account}:assumed-role/Outside/ann"
    assert answer["AssumedRoleUser"]["Arn"] == arn
    given = answer["Credentials"]
    assert given["Expiration"].timestamp() == pytest.approx(world.now + 1800, abs=2)
    own = world.platform.client(
        "sts", key=(given["AccessKeyId"], given["SecretAccessKey"]), token=given["SessionToken"]
    )
    assert own.get_caller_identity()["Arn"] == arn
    session = world.platform.store.find(sessions, EVERYWHERE, given["AccessKeyId"])
    assert session is not None
    held = session.principal.session
    assert held is not None
    assert (held.provider, held.tags, held.transitive) == (world.provider, (("team", "a"),), ("team",))
    assert sorted(held.claims) == [
        ("saml:aud", PLACE),
        ("saml:doc", f"{world.account}/corp"),
        ("saml:edupersonaffiliation", "member"),
        ("saml:edupersonaffiliation", "staff"),
        ("saml:iss", "https://id.test"),
        ("saml:namequalifier", qualifier),
        ("saml:sub", "ann@corp.test"),
        ("saml:sub_type", "persistent"),
    ]


def test_whatever_of_it_is_signed(world: World) -> None:
    world.register(metadata("https://id.test", "older", "idp"))  # while keys are changed there are two
    world.trust()
    for sign in ("assertion", "response", "both"):
        sent = response(world.inside(), sign=sign)
        for _ in range(2):  # as often as one likes, while it is good
            assert world.ask(sent)["Subject"] == "ann@corp.test"
    for key, hash_ in (("older", "sha256"), ("idp", "sha512")):
        world.ask(response(world.inside(), key=key, hash_=hash_))
    assert (
        world.refused("InvalidIdentityToken", response(world.inside(), key="strange")) == "Response signature invalid"
    )
    assert world.refused("InvalidIdentityToken", response(world.inside(), sign="nothing")) == (
        "Response signature invalid"
    )


MUST_SAY: list[tuple[dict[str, Any], str, str]] = [
    ({"issued": -301}, "ExpiredTokenException", "Token must be redeemed within 5 minutes of issuance"),
    ({"issued": 400}, "InvalidIdentityToken", "The assertion is not valid yet"),
    ({"issued": None}, "InvalidIdentityToken", "The assertion is not valid yet"),
    ({"begins": 400}, "InvalidIdentityToken", "The assertion is not valid yet"),
    ({"ends": 0}, "ExpiredTokenException", "Response has expired"),
    ({"confirmed": 0}, "ExpiredTokenException", "Response has expired"),
    ({"confirmed": None}, "InvalidIdentityToken", "Response does not contain the required recipient."),
    ({"session": 0}, "ExpiredTokenException", "Response has expired"),
    ({"recipient": "https://elsewhere.test/saml"}, "InvalidIdentityToken", "Response does not contain the required r"),
    ({"recipient": None}, "InvalidIdentityToken", "Response does not contain the required recipient."),
    ({"recipient": f"{PLACE}/acs/ASSP1"}, "InvalidIdentityToken", "Response does not contain the required recipient."),
    ({"recipient": "https://evil-signin.aws.amazon.com/saml"}, "InvalidIdentityToken", "Response does not contain"),
    ({"method": "urn:oasis:names:tc:SAML:2.0:cm:sender-vouches"}, "InvalidIdentityToken", "Response does not contain"),
    (
        {"audience": "https://elsewhere.test"},
        "InvalidIdentityToken",
        "Response does not contain the required audience.",
    ),
    ({"audience": None}, "InvalidIdentityToken", "Response does not contain the required audience."),
    ({"name": ""}, "InvalidIdentityToken", "NameID is required in AuthnResponse"),
    ({"issuer": "https://other.test"}, "InvalidIdentityToken", "Issuer not present in specified provider"),
    ({"ours": {"RoleSessionName": None}}, "InvalidIdentityToken", "RoleSessionName is required in AuthnResponse"),
    ({"ours": {"RoleSessionName": ["a b"]}}, "InvalidIdentityToken", "RoleSessionName in AuthnResponse must match"),
    ({"ours": {"RoleSessionName": ["a1", "b1"]}}, "InvalidIdentityToken", "RoleSessionName in AuthnResponse must"),
    ({"ours": {"SourceIdentity": ["aws:x"]}}, "InvalidIdentityToken", "Source Identity must match"),
    ({"ours": {"PrincipalTag:a*": ["b"]}}, "InvalidIdentityToken", "The principal tag a* in AuthnResponse"),
    ({"ours": {"Role": None}}, "InvalidIdentityToken", "Role is required in AuthnResponse"),
    ({"ours": {"Role": ["arn:aws:iam::1:role/x,arn:aws:iam::1:saml-provider/y"]}}, "AccessDenied", "Not authorized"),
    ({"ours": {"PrincipalTag:a": ["b"]}}, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithSAML"),
    ({"ours": {"SourceIdentity": ["ann"]}}, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithSAML"),
]
TIMES = {"issued", "begins", "ends", "confirmed", "session"}


def test_what_an_assertion_must_say(world: World) -> None:
    world.register()
    world.trust()
    for changed, code, words in MUST_SAY:
        said = {
            name: world.now + value if name in TIMES and value is not None else value for name, value in changed.items()
        }
        assert world.refused(code, response(world.inside(**said))).startswith(words), changed


def test_where_it_may_be_meant_for(world: World) -> None:
    uuid = world.register()
    world.trust(Condition={})
    for place in (
        PLACE,
        "https://eu-west-1.signin.aws.amazon.com/saml",
        "https://signin.aws.amazon.com/static/saml",
        f"{PLACE}/acs/{uuid}",
    ):
        answer = world.ask(response(world.inside(recipient=place, audience=place)))
        assert answer["Audience"] == place


def test_what_is_no_response(world: World) -> None:
    world.register()
    world.trust()
    for text in ("", "nonsense", "<a/>", "<a", '<?xml version="1.0" encoding="UTF-16"?><a/>', world.inside()):
        sent = base64.b64encode(text.encode()).decode() or "===="
        world.refused("InvalidIdentityToken", sent)
    world.refused("InvalidIdentityToken", "not base64!")
    failed = response(world.inside(), status="urn:oasis:names:tc:SAML:2.0:status:Requester")
    world.refused("IDPRejectedClaim", failed)


def test_who_is_not_trusted(world: World) -> None:
    sent = response(world.inside())
    assert world.refused("InvalidIdentityToken", sent) == "Specified provider doesn't exist."
    world.register()
    assert world.refused("AccessDenied", sent) == "Not authorized to perform sts:AssumeRoleWithSAML"  # no such role
    world.trust(Principal={"Federated": "arn:aws:iam::123456789012:saml-provider/other"})
    assert world.refused("AccessDenied", sent) == "Not authorized to perform sts:AssumeRoleWithSAML"
    theirs = f"arn:aws:iam::{fresh_account()}:role/Outside"
    refused("AccessDenied", world.asks, RoleArn=theirs, PrincipalArn=world.provider, SAMLAssertion=sent)
    refused("ValidationError", world.asks, RoleArn=world.provider, PrincipalArn=world.provider, SAMLAssertion=sent)
    refused("ValidationError", world.asks, RoleArn=world.role, PrincipalArn=world.role, SAMLAssertion=sent)


def test_a_provider_whose_metadata_is_over(world: World) -> None:
    world.register(metadata(until="2020-01-01T00:00:00Z"))
    world.trust()
    assert "metadata" in world.refused("InvalidIdentityToken", response(world.inside()))


@pytest.mark.parametrize(
    ("condition", "further", "may"),
    [
        ({"StringEquals": {"saml:sub": "ann@corp.test", "saml:sub_type": "persistent"}}, {}, True),
        ({"StringEquals": {"saml:sub": "bob@corp.test"}}, {}, False),
        ({"StringEquals": {"SAML:iss": "https://id.test"}}, {}, True),
        ({"StringLike": {"saml:doc": "*/corp"}}, {}, True),
        ({"StringEquals": {"sts:RoleSessionName": "ann"}}, {}, True),
        ({"ForAnyValue:StringEquals": {"saml:edupersonaffiliation": "staff"}}, {f"{PERSON}.1": ["x", "staff"]}, True),
        ({"ForAnyValue:StringEquals": {"saml:edupersonaffiliation": "staff"}}, {f"{PERSON}.1": ["x"]}, False),
        ({"ForAnyValue:StringEquals": {"saml:edupersonaffiliation": "staff"}}, {}, False),
        ({"Null": {"saml:mail": "true"}}, {}, True),
        ({"StringEquals": {"saml:cn": "Ann"}}, {"urn:oid:2.5.4.3": ["Ann"]}, True),
        ({"StringEquals": {"aws:RequestTag/team": "a"}}, {f"{OURS}PrincipalTag:team": ["a"]}, True),
        ({"StringEquals": {"aws:RequestTag/team": "a"}}, {f"{OURS}PrincipalTag:team": ["b"]}, False),
    ],
)
def test_what_a_trust_policy_may_ask(
    world: World, condition: dict[str, Any], further: dict[str, list[str]], may: bool
) -> None:
    world.register()
    world.trust("sts:TagSession", Condition=condition)
    sent = response(world.inside(further))
    if may:
        world.ask(sent)
    else:
        world.refused("AccessDenied", sent)


def test_what_a_policy_may_ask_of_the_session(world: World) -> None:
    world.register()
    world.trust()
    own = {"Effect": "Allow", "Action": "iam:ListUsers", "Resource": "*"}
    own["Condition"] = {"StringEquals": {"saml:sub": "ann@corp.test"}}  # type: ignore[assignment]
    policy = json.dumps({"Version": "2012-10-17", "Statement": own})
    world.iam.put_role_policy(RoleName="Outside", PolicyName="own", PolicyDocument=policy)

    def users(name: str) -> Any:
        given = world.ask(response(world.inside(name=name)))["Credentials"]
        key = (given["AccessKeyId"], given["SecretAccessKey"])
        return world.platform.client("iam", key=key, token=given["SessionToken"]).list_users

    users("ann@corp.test")()
    refused("AccessDenied", users("bob@corp.test"))


def test_how_long_it_lasts(world: World) -> None:
    world.register()
    world.trust()

    def lasts(**changed: Any) -> float:
        rest = {"DurationSeconds": changed.pop("asked")} if "asked" in changed else {}
        until: float = world.ask(response(world.inside(**changed)), **rest)["Credentials"]["Expiration"].timestamp()
        return until - world.now

    assert lasts() == pytest.approx(3600, abs=2)
    assert lasts(asked=900) == pytest.approx(900, abs=2)
    assert lasts(session=world.now + 300) == pytest.approx(300, abs=2)  # whichever is shorter
    assert lasts(session=world.now + 9000) == pytest.approx(3600, abs=2)
    words = world.refused("ValidationError", response(world.inside()), DurationSeconds=7200)
    assert words == "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."


def test_a_provider_has_ten_certificates_at_most(world: World) -> None:
    """Each of them may have to be tried, for whoever sends something."""
    many = metadata("https://id.test", *["idp"] * 11)
    words = refused("LimitExceeded", world.iam.create_saml_provider, Name="corp", SAMLMetadataDocument=many)
    assert words == "Cannot exceed quota for KeysPerSAMLProvider: 10"
    world.register(metadata("https://id.test", *["idp"] * 10))


def test_the_audit_says_who_it_was(world: World) -> None:
    """In the account of the role; also of those who are not trusted, once they are known."""
    world.register()
    world.trust(Condition={"StringEquals": {"saml:sub": "ann@corp.test"}})
    sent = response(world.inside())
    world.ask(sent)
    world.refused("AccessDenied", response(world.inside(name="bob@corp.test")))
    trail = world.platform.client("cloudtrail", account=world.account)
    by = [{"AttributeKey": "EventName", "AttributeValue": "AssumeRoleWithSAML"}]
    events = {each["Username"]: each for each in trail.lookup_events(LookupAttributes=by)["Events"]}
    assert sorted(events) == ["ann@corp.test", "bob@corp.test"]
    told = json.loads(events["ann@corp.test"]["CloudTrailEvent"])
    qualifier = told["userIdentity"]["identityProvider"]
    assert told["userIdentity"] == {
        "type": "SAMLUser",
        "principalId": f"{qualifier}:ann@corp.test",
        "userName": "ann@corp.test",
        "identityProvider": qualifier,
    }
    assert told["recipientAccountId"] == world.account
    assert sent not in json.dumps(told)
    assert json.loads(events["bob@corp.test"]["CloudTrailEvent"])["errorCode"] == "AccessDenied"


# --- private keys and what is encrypted


def test_private_keys_come_are_changed_and_go(world: World) -> None:
    world.register(AddPrivateKey=private_pem("one"), AssertionEncryptionMode="Required")
    named = {"SAMLProviderArn": world.provider}

    def ids() -> list[str]:
        return [each["KeyId"] for each in world.iam.get_saml_provider(**named)["PrivateKeyList"]]

    (first,) = ids()
    world.iam.update_saml_provider(**named, AddPrivateKey=private_pem("two"))
    assert ids()[0] == first
    update = world.iam.update_saml_provider
    words = refused("LimitExceeded", update, **named, AddPrivateKey=private_pem("idp"))
    assert words == "Private key limit of 2 is reached."
    world.iam.update_saml_provider(**named, RemovePrivateKey=first)
    (second,) = ids()
    assert second != first
    for rest, said in (
        ({"RemovePrivateKey": first}, "the Key ID does not match a private key"),
        ({"RemovePrivateKey": second}, "Failed to remove private key"),
        ({"RemovePrivateKey": second, "AddPrivateKey": private_pem("one")}, "Unable to add and remove private keys"),
        ({"AddPrivateKey": "nonsense"}, "Invalid private key."),
        ({}, "Unable to update identity provider."),
    ):
        assert said in refused("InvalidInput", update, **named, **rest)
    assert ids() == [second]
    update(**named, AssertionEncryptionMode="Allowed")
    update(**named, RemovePrivateKey=second)
    assert "PrivateKeyList" not in world.iam.get_saml_provider(**named)
    assert "no private key is provided" in refused("InvalidInput", update, **named, AssertionEncryptionMode="Required")
    answer = world.iam.get_saml_provider(**named)
    assert "PRIVATE KEY" not in str(answer)


@pytest.mark.parametrize(("sign", "gcm", "digest"), [("assertion", True, "sha256"), ("response", False, "sha1")])
def test_an_encrypted_assertion(world: World, sign: Any, gcm: bool, digest: str) -> None:
    uuid = world.register(AddPrivateKey=private_pem("one"), AssertionEncryptionMode="Required")
    world.trust(Condition={})
    world.iam.update_saml_provider(SAMLProviderArn=world.provider, AddPrivateKey=private_pem("two"))
    inside = world.inside(recipient=f"{PLACE}/acs/{uuid}")
    for key in ("one", "two"):  # while keys are changed both open
        sent = response(inside, sign=sign, seal={"key": key, "gcm": gcm, "digest": digest})
        assert world.ask(sent)["Subject"] == "ann@corp.test"
    closed = "The assertion could not be decrypted."
    assert world.refused("InvalidIdentityToken", response(inside, sign=sign, seal={"key": "strange"})) == closed
    weak = response(inside, sign=sign, seal={"key": "one", "transport": "pkcs1"})
    assert world.refused("InvalidIdentityToken", weak) == closed
    assert world.refused("InvalidIdentityToken", response(inside, sign=sign)) == "The assertion must be encrypted."
    unsigned = response(inside, sign="nothing", seal={"key": "one"})
    assert world.refused("InvalidIdentityToken", unsigned) == "Response signature invalid"


def test_private_keys_survive_a_restart_and_nothing_of_them_is_in_clear(tmp_path: Path) -> None:
    """Of SAML providers, of server certificates, and what was told once of credentials for a service."""
    account = fresh_account()
    with served(tmp_path) as first:
        world, now = World(first, account), first.clock.now()
        world.register(AddPrivateKey=private_pem("one"), AssertionEncryptionMode="Required")
        world.trust()
        made = x509.issue(x509.authority("a", now), ("a.example",), "EC_prime256v1", now, 86400.0)
        world.iam.upload_server_certificate(
            ServerCertificateName="shown", CertificateBody=made.leaf, PrivateKey=made.key
        )
        world.iam.create_user(UserName="ann")
        git = {"UserName": "ann", "ServiceName": "codecommit.amazonaws.com"}
        told = world.iam.create_service_specific_credential(**git)["ServiceSpecificCredential"]
    on_disk = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    with sqlite3.connect(tmp_path / "journal.db") as journal:
        tables = [name for (name,) in journal.execute("select name from sqlite_master where type = 'table'")]
        rows = b"".join(repr(row).encode() for table in tables for row in journal.execute(f"select * from {table}"))
    lines = [*private_pem("one").splitlines()[1:-1], *made.key.splitlines()[1:-1], told["ServicePassword"]]
    assert told["ServiceUserName"].encode() in rows
    assert [line for line in lines if line.encode() in on_disk or line.encode() in rows] == []
    with served(tmp_path) as second:
        world = World(second, account)
        assert world.ask(response(world.inside(), seal={"key": "one"}))["Subject"] == "ann@corp.test"
