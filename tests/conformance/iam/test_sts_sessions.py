"""What a session is made with: policies, tags, a source identity, a second factor, the workload that it ends with."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from hatoba.core.keys import Scope
from hatoba.core.verdicts import Verdicts
from hatoba.fleet import model as fleet
from hatoba.gateway.call import Principal, SessionContext
from hatoba.services.iam.plan import totp
from hatoba.services.sts.model import EVERYWHERE, sessions
from tests.conformance.ec2.networks import Platform
from tests.conformance.serving import fresh_account, refused

POLICY = json.dumps(
    {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": ["s3:*", "sts:*"], "Resource": "*"}}
)
WORKLOAD = "arn:aws:iam::aws:contextProvider/HatobaWorkload"


def trust(principal: Any, *actions: str, **rest: Any) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": actions or ["sts:AssumeRole"], **rest}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def role(iam: Any, account: str) -> str:
    """Lets its own account do everything with it."""
    document = trust({"AWS": account}, "sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity")
    arn: str = iam.create_role(RoleName="Worker", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    iam.attach_role_policy(RoleName="Worker", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    return arn


def principal(platform: Platform, credentials: dict[str, Any]) -> Principal:
    session = platform.store.find(sessions, EVERYWHERE, credentials["AccessKeyId"])
    assert session is not None
    return session.principal


def context(platform: Platform, credentials: dict[str, Any]) -> SessionContext:
    found = principal(platform, credentials).session
    assert found is not None
    return found


def client(platform: Platform, service: str, credentials: dict[str, Any]) -> Any:
    key = (credentials["AccessKeyId"], credentials["SecretAccessKey"])
    return platform.client(service, key=key, token=credentials["SessionToken"])


def tags(**given: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in given.items()]


def test_a_session_keeps_what_limits_and_describes_it(platform: Platform, sts: Any, role: str) -> None:
    answer = sts.assume_role(
        RoleArn=role,
        RoleSessionName="one",
        Policy=POLICY,
        PolicyArns=[{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}],
        Tags=tags(team="a", lot="7"),
        TransitiveTagKeys=["team"],
        SourceIdentity="ann",
    )
    assert answer["SourceIdentity"] == "ann"
    assert 0 < answer["PackedPolicySize"] <= 100
    held = context(platform, answer["Credentials"])
    assert (held.policy, held.policy_arns) == (POLICY, ("arn:aws:iam::aws:policy/ReadOnlyAccess",))
    assert (dict(held.tags), held.transitive) == ({"team": "a", "lot": "7"}, ("team",))
    assert held.source_identity == "ann"
    # The next role's session has what is transitive, and the same source identity.
    next_ = client(platform, "sts", answer["Credentials"]).assume_role(RoleArn=role, RoleSessionName="two")
    assert next_["SourceIdentity"] == "ann"
    further = context(platform, next_["Credentials"])
    assert (dict(further.tags), further.source_identity, further.policy) == ({"team": "a"}, "ann", None)


def test_tags_and_identities_need_the_roles_trust(iam: Any, sts: Any, account: str) -> None:
    only = iam.create_role(RoleName="Only", AssumeRolePolicyDocument=trust({"AWS": account}))["Role"]["Arn"]
    words = refused("AccessDenied", sts.assume_role, RoleArn=only, RoleSessionName="one", Tags=tags(a="1"))
    assert words.endswith(f"is not authorized to perform: sts:TagSession on resource: {only}")
    words = refused("AccessDenied", sts.assume_role, RoleArn=only, RoleSessionName="one", SourceIdentity="ann")
    assert words.endswith(f"is not authorized to perform: sts:SetSourceIdentity on resource: {only}")
    by_tag = trust({"AWS": account}, "sts:*", Condition={"StringEquals": {"aws:RequestTag/team": "a"}})
    picky = iam.create_role(RoleName="Picky", AssumeRolePolicyDocument=by_tag)["Role"]["Arn"]
    refused("AccessDenied", sts.assume_role, RoleArn=picky, RoleSessionName="one", Tags=tags(team="b"))
    assert sts.assume_role(RoleArn=picky, RoleSessionName="one", Tags=tags(team="a"))


def test_policies_of_a_session_are_looked_at(sts: Any, role: str) -> None:
    asked = {"RoleArn": role, "RoleSessionName": "one"}
    refused("MalformedPolicyDocument", sts.assume_role, **asked, Policy='{"Statement": []}')
    refused("ValidationError", sts.assume_role, **asked, Policy=POLICY + " " * 2048)
    refused("ValidationError", sts.assume_role, **asked, PolicyArns=[{"arn": f"arn:aws:s3:::{'x' * 20}"}])


# --- second factors


@pytest.fixture
def ann(platform: Platform, iam: Any) -> tuple[Any, bytes, str]:
    """A user's STS client, and her device's seed and serial number, enabled some time ago."""
    iam.create_user(UserName="ann")
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    made = iam.create_virtual_mfa_device(VirtualMFADeviceName="phone")["VirtualMFADevice"]
    seed, serial = base64.b32decode(made["Base32StringSeed"]), made["SerialNumber"]
    now = int(platform.clock.now() // totp.STEP)
    iam.enable_mfa_device(
        UserName="ann",
        SerialNumber=serial,
        AuthenticationCode1=totp.code(seed, now - 10),
        AuthenticationCode2=totp.code(seed, now - 9),
    )
    own = platform.client("sts", key=(key["AccessKeyId"], key["SecretAccessKey"]))
    return own, seed, serial


def drifted(platform: Platform, seed: bytes) -> str:
    """What the device shows: it is nine steps behind, as it was when it was enabled."""
    return totp.code(seed, int(platform.clock.now() // totp.STEP) - 9)


def test_a_second_factor_is_shown_once(platform: Platform, ann: Any) -> None:
    own, seed, serial = ann
    shown = totp.code(seed, int(platform.clock.now() // totp.STEP) - 8)  # the next: not the one that enabled it
    answer = own.get_session_token(SerialNumber=serial, TokenCode=shown)
    assert context(platform, answer["Credentials"]).mfa_at == pytest.approx(platform.clock.now(), abs=30)
    for code in (shown, "000000", drifted(platform, b"another")):
        words = refused("AccessDenied", own.get_session_token, SerialNumber=serial, TokenCode=code)
        assert words.strip() == "MultiFactorAuthentication failed with invalid MFA one time pass code."
    refused("AccessDenied", own.get_session_token, SerialNumber=serial[:-1] + "x", TokenCode=shown)
    refused("ValidationError", own.get_session_token, SerialNumber=serial)
    assert context(platform, own.get_session_token()["Credentials"]).mfa_at is None


def test_a_role_may_ask_for_a_second_factor(platform: Platform, iam: Any, sts: Any, account: str, ann: Any) -> None:
    """As the user guide writes it; root has no device, and is not let in."""
    own, seed, serial = ann
    condition = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
    role = iam.create_role(RoleName="Guarded", AssumeRolePolicyDocument=trust({"AWS": account}, Condition=condition))
    asked = {"RoleArn": role["Role"]["Arn"], "RoleSessionName": "one"}
    refused("AccessDenied", sts.assume_role, **asked)
    shown = totp.code(seed, int(platform.clock.now() // totp.STEP) - 8)
    words = refused("AccessDenied", sts.assume_role, **asked, SerialNumber=serial, TokenCode=shown)
    assert words.startswith("MultiFactorAuthentication failed")  # the device is not root's
    iam.put_user_policy(UserName="ann", PolicyName="own", PolicyDocument=POLICY.replace("s3:*", "sts:AssumeRole"))
    refused("AccessDenied", own.assume_role, **asked)
    assert own.assume_role(**asked, SerialNumber=serial, TokenCode=shown)["Credentials"]
    refused("AccessDenied", own.assume_role, **asked, SerialNumber=serial, TokenCode=shown)  # shown already


def test_devices_come_and_go(platform: Platform, iam: Any, ann: Any) -> None:
    serial = ann[2]
    assert [each["SerialNumber"] for each in iam.list_mfa_devices(UserName="ann")["MFADevices"]] == [serial]
    assert iam.get_mfa_device(SerialNumber=serial)["UserName"] == "ann"
    (listed,) = iam.list_virtual_mfa_devices(AssignmentStatus="Assigned")["VirtualMFADevices"]
    assert listed["User"]["UserName"] == "ann"
    iam.tag_mfa_device(SerialNumber=serial, Tags=tags(kind="phone"))
    assert iam.list_mfa_device_tags(SerialNumber=serial)["Tags"] == tags(kind="phone")
    refused("DeleteConflict", iam.delete_virtual_mfa_device, SerialNumber=serial)
    refused("DeleteConflict", iam.delete_user, UserName="ann")
    refused("EntityAlreadyExists", iam.create_virtual_mfa_device, VirtualMFADeviceName="phone")
    wrong = {
        "UserName": "ann",
        "SerialNumber": serial,
        "AuthenticationCode1": "000000",
        "AuthenticationCode2": "000001",
    }
    refused("InvalidAuthenticationCode", iam.resync_mfa_device, **wrong)
    refused("EntityAlreadyExists", iam.enable_mfa_device, **wrong)
    iam.update_user(UserName="ann", NewUserName="anna")
    iam.deactivate_mfa_device(UserName="anna", SerialNumber=serial)
    assert iam.list_virtual_mfa_devices(AssignmentStatus="Unassigned")["VirtualMFADevices"]
    iam.delete_virtual_mfa_device(SerialNumber=serial)
    refused("NoSuchEntity", iam.get_mfa_device, SerialNumber=serial)


# --- federated users


def test_federated_users_act_for_their_user(platform: Platform, iam: Any, sts: Any, account: str) -> None:
    answer = sts.get_federation_token(Name="guest", Policy=POLICY, Tags=tags(team="a"), DurationSeconds=7200)
    arn = f"arn:aws:sts::{account}:federated-user/guest"
    assert answer["FederatedUser"] == {"FederatedUserId": f"{account}:guest", "Arn": arn}
    who = client(platform, "sts", answer["Credentials"]).get_caller_identity()
    assert (who["Arn"], who["UserId"]) == (arn, f"{account}:guest")
    held = context(platform, answer["Credentials"])
    assert (held.policy, held.tags, held.user) == (POLICY, (("team", "a"),), f"arn:aws:iam::{account}:root")
    own = platform.store.find(sessions, EVERYWHERE, answer["Credentials"]["AccessKeyId"])
    assert own is not None
    assert own.expires - platform.clock.now() <= 3600  # root's last an hour at most
    for ask in ("get_session_token", "get_federation_token"):
        again = getattr(client(platform, "sts", answer["Credentials"]), ask)
        given = {"Name": "x2"} if ask == "get_federation_token" else {}
        assert refused("AccessDenied", again, **given).endswith("with session credentials")


# --- who and why


def test_whose_a_key_is(sts: Any, role: str, account: str) -> None:
    credentials = sts.assume_role(RoleArn=role, RoleSessionName="one")["Credentials"]
    assert sts.get_access_key_info(AccessKeyId=credentials["AccessKeyId"])["Account"] == account
    refused("ValidationError", sts.get_access_key_info, AccessKeyId="AKIAIOSFODNN7EXAMPLE")


def test_why_somebody_was_refused(platform: Platform, sts: Any, account: str) -> None:
    text = platform.plane.get(Verdicts).encode(account, {"allowed": False})
    assert json.loads(sts.decode_authorization_message(EncodedMessage=text)["DecodedMessage"]) == {"allowed": False}
    other = platform.client("sts", account=fresh_account())
    for ask, said in ((other, text), (sts, text[:-3]), (sts, "x")):
        words = refused("InvalidAuthorizationMessageException", ask.decode_authorization_message, EncodedMessage=said)
        assert words == "Message is not valid"


# --- tasks


def test_a_tasks_credentials_end_with_it(platform: Platform, iam: Any, sts: Any, account: str) -> None:
    document = trust({"Service": "ecs-tasks.amazonaws.com"})
    role = iam.create_role(RoleName="Task", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    scope = Scope("aws", account, "us-east-1")
    key = fleet.workloads.key(scope, "task-1")
    told = [{"ProviderArn": WORKLOAD, "ContextAssertion": "task-1"}]
    ask = platform.door(scope, "ecs")

    def started() -> None:
        with platform.store.tx() as tx:
            tx.put(fleet.workloads, fleet.Workload(key=key, node="node-1", containers=()))

    def stopped() -> None:
        with platform.store.tx() as tx:
            tx.forget(fleet.workloads, key)

    given = ask("sts", "assume_role", RoleArn=role, RoleSessionName="task-1", ProvidedContexts=told)["Credentials"]
    own = client(platform, "sts", given)
    refused("InvalidClientTokenId", own.get_caller_identity)  # not before it starts
    platform.run(started)
    assert own.get_caller_identity()["Arn"] == f"arn:aws:sts::{account}:assumed-role/Task/task-1"
    # They open what the role's policies say, and that alone.
    listing = client(platform, "iam", given)
    refused("AccessDenied", listing.list_users)
    iam.put_role_policy(RoleName="Task", PolicyName="own", PolicyDocument=POLICY.replace("s3:*", "iam:ListUsers"))
    assert listing.list_users()["Users"] == []
    refused("AccessDenied", listing.list_roles)
    platform.run(stopped)
    refused("InvalidClientTokenId", own.get_caller_identity)


def test_nobody_else_says_with_what_a_session_ends(sts: Any, role: str) -> None:
    told = [{"ProviderArn": WORKLOAD, "ContextAssertion": "task-1"}]
    words = refused("ValidationError", sts.assume_role, RoleArn=role, RoleSessionName="one", ProvidedContexts=told)
    assert words == f"The context provider {WORKLOAD} is not known here."


def test_a_trust_policy_may_ask_when_from_where_and_which_tags(iam: Any, sts: Any, account: str) -> None:
    def made(name: str, **condition: Any) -> str:
        document = trust({"AWS": account}, "sts:*", Condition=condition)
        arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
        return arn

    here = {"aws:SourceIp": ["127.0.0.1/32", "::1/128"]}
    asked = {"RoleSessionName": "one"}
    assert sts.assume_role(RoleArn=made("Here", IpAddress=here), **asked)
    refused("AccessDenied", sts.assume_role, RoleArn=made("Elsewhere", NotIpAddress=here), **asked)
    assert sts.assume_role(RoleArn=made("Now", DateGreaterThan={"aws:CurrentTime": "2020-01-01T00:00:00Z"}), **asked)
    refused(
        "AccessDenied",
        sts.assume_role,
        RoleArn=made("Once", DateLessThan={"aws:CurrentTime": "2020-01-01T00:00:00Z"}),
        **asked,
    )
    only = made("Only", **{"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}})
    assert sts.assume_role(RoleArn=only, **asked, Tags=tags(team="a"))
    refused("AccessDenied", sts.assume_role, RoleArn=only, **asked, Tags=tags(team="a", lot="b"))
