"""A secret's replica in another account: made for one primary, written with the permissions of who changes that or of a
role, told to both; and given up by either side."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conformance.organizations.test_organizations_sharing import key_for
from tests.conformance.organizations.world import Company, Somebody, World, allow, document
from tests.conformance.serving import refused

pytestmark = pytest.mark.slow


class Pair:
    """A secret, and what is to be its replica in another account of the organisation."""

    def __init__(self, company: Company) -> None:
        self.owner, self.other = company.boss, company.member("dev")
        self.mine, self.theirs = self.owner("secretsmanager"), self.other("secretsmanager")
        made = self.mine.create_secret(Name="db", SecretString="one", Description="d", KmsKeyId=key_for(self.owner))
        self.arn = made["ARN"]
        self.key = key_for(self.other, self.owner.account, actions="kms:Encrypt")
        self.replica = self.theirs.create_secret(Name="copy", CrossAccountPrimaryARN=self.arn, KmsKeyId=self.key)["ARN"]

    def associate(self, who: Somebody | None = None, **more: Any) -> dict[str, Any]:
        client = (who or self.owner)("secretsmanager")
        asked = {"SecretId": self.arn, "CrossAccountReplicaARN": self.replica, **more}
        answer: dict[str, Any] = client.associate_cross_account_replica(**asked)
        return answer

    def value(self, label: str = "AWSCURRENT") -> str:
        text: str = self.theirs.get_secret_value(SecretId="copy", VersionStage=label)["SecretString"]
        return text

    def states(self) -> tuple[str, str]:
        [mine] = self.mine.describe_secret(SecretId=self.arn)["CrossAccountReplicas"]
        theirs = self.theirs.describe_secret(SecretId="copy")["CrossAccountPrimary"]
        return mine["ReplicationStatus"], theirs["ReplicationStatus"]


@pytest.fixture
def pair(company: Company) -> Pair:
    return Pair(company)


def test_it_has_what_the_primary_has_and_follows_it(world: World, pair: Pair) -> None:
    shown = pair.theirs.describe_secret(SecretId="copy")
    assert shown["CrossAccountPrimary"] == {"PrimarySecretARN": pair.arn, "ReplicationStatus": "Pending"}
    refused("ResourceNotFoundException", pair.theirs.get_secret_value, SecretId="copy")
    made = pair.associate()
    assert made["ReplicationStatus"] == "InSync"
    assert (made["ARN"], made["CrossAccountReplicaARN"]) == (pair.arn, pair.replica)
    assert (pair.value(), pair.states()) == ("one", ("InSync", "InSync"))
    pair.mine.put_secret_value(SecretId=pair.arn, SecretString="two")
    world.replicated()
    assert (pair.value(), pair.value("AWSPREVIOUS"), pair.states()) == ("two", "one", ("InSync", "InSync"))
    pair.mine.update_secret(SecretId=pair.arn, Description="other")
    world.replicated()
    assert pair.theirs.describe_secret(SecretId="copy")["Description"] == "other"
    assert pair.associate()["ReplicationStatus"] == "InSync", "again"


def test_only_its_primary_changes_it(pair: Pair) -> None:
    pair.associate()
    for ask, more in (
        ("put_secret_value", {"SecretString": "x"}),
        ("update_secret", {"Description": "x"}),
        ("delete_secret", {}),
        ("replicate_secret_to_regions", {"AddReplicaRegions": [{"Region": "eu-west-1"}]}),
    ):
        refused("InvalidRequestException", getattr(pair.theirs, ask), SecretId="copy", **more)
    said = refused("InvalidRequestException", pair.mine.delete_secret, SecretId=pair.arn)
    assert pair.replica in said


def test_it_is_written_with_the_permissions_of_who_changes_the_primary(world: World, pair: Pair) -> None:
    pair.associate()
    writes = allow("secretsmanager:PutSecretValue", "kms:GenerateDataKey", "kms:Decrypt")
    ann = pair.owner.user("ann", writes)
    ann("secretsmanager").put_secret_value(SecretId=pair.arn, SecretString="two")
    world.replicated()
    assert pair.value() == "one"
    [shown] = pair.mine.describe_secret(SecretId=pair.arn)["CrossAccountReplicas"]
    assert shown["ReplicationStatus"] == "Failed"
    assert "user/ann is not authorized to perform: secretsmanager:GetSecretValue" in shown["StatusMessage"]
    assert pair.states() == ("Failed", "Failed")
    more = allow("secretsmanager:GetSecretValue", "secretsmanager:AcceptCrossAccountReplication", "kms:Encrypt")
    pair.owner("iam").put_user_policy(UserName="ann", PolicyName="more", PolicyDocument=document(more))
    ann("secretsmanager").put_secret_value(SecretId=pair.arn, SecretString="three")
    world.replicated()
    assert (pair.value(), pair.states()) == ("three", ("InSync", "InSync"))


def test_or_with_those_of_a_role_that_trusts_the_service(world: World, pair: Pair) -> None:
    iam = pair.owner("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "secretsmanager.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust["Condition"] = {"ArnEquals": {"aws:SourceArn": pair.arn}}
    role = iam.create_role(RoleName="copies", AssumeRolePolicyDocument=document(trust))["Role"]["Arn"]
    needed = (
        "secretsmanager:GetSecretValue",
        "secretsmanager:AcceptCrossAccountReplication",
        "kms:Decrypt",
        "kms:Encrypt",
    )
    with pytest.raises(ClientError, match="AccessDenied"):
        pair.associate(ReplicationRoleARN=role)
    assert "CrossAccountReplicas" not in pair.mine.describe_secret(SecretId=pair.arn), "nothing changed"
    iam.put_role_policy(RoleName="copies", PolicyName="own", PolicyDocument=document(allow(*needed)))
    assert pair.associate(ReplicationRoleARN=role)["ReplicationStatus"] == "InSync"
    ann = pair.owner.user("ann", allow("secretsmanager:PutSecretValue", "kms:GenerateDataKey"))
    ann("secretsmanager").put_secret_value(SecretId=pair.arn, SecretString="two")
    world.replicated()
    assert (pair.value(), pair.states()) == ("two", ("InSync", "InSync"))
    [shown] = pair.mine.describe_secret(SecretId=pair.arn)["CrossAccountReplicas"]
    assert shown["ReplicationRoleARN"] == role


def test_passing_the_role_is_a_permission_of_its_own(pair: Pair) -> None:
    role = f"arn:aws:iam::{pair.owner.account}:role/copies"
    ann = pair.owner.user("ann", allow("secretsmanager:*", "kms:*"))
    with pytest.raises(ClientError, match="iam:PassRole"):
        pair.associate(ann, ReplicationRoleARN=role)


def test_the_replicas_account_has_to_have_agreed(world: World, company: Company) -> None:
    pair = Pair(company)
    pair.theirs.delete_resource_policy(SecretId="copy")
    with pytest.raises(ClientError, match="no resource-based policy allows the secretsmanager:AcceptCrossAccountRep"):
        pair.associate()
    other = pair.theirs.create_secret(Name="other", SecretString="theirs", KmsKeyId=pair.key)["ARN"]
    open_ = {**allow("secretsmanager:*"), "Principal": {"AWS": pair.owner.account}}
    pair.theirs.put_resource_policy(SecretId=other, ResourcePolicy=document(open_))
    asked = {"SecretId": pair.arn, "CrossAccountReplicaARN": other}
    said = refused("InvalidRequestException", pair.mine.associate_cross_account_replica, **asked)
    assert pair.arn in said
    assert pair.theirs.get_secret_value(SecretId=other)["SecretString"] == "theirs"


def test_its_key_has_to_allow_it(pair: Pair) -> None:
    closed = document({**allow("kms:*"), "Principal": {"AWS": pair.other.account}})
    pair.other("kms").put_key_policy(KeyId=pair.key, Policy=closed)
    assert "KMS" in refused("AccessDeniedException", pair.associate)
    refused("ResourceNotFoundException", pair.theirs.get_secret_value, SecretId="copy")


def test_of_the_same_organisation_unless_said_otherwise(world: World) -> None:
    owner, other = world.alone(), world.alone()
    arn = owner("secretsmanager").create_secret(Name="s", SecretString="a", KmsKeyId=key_for(owner))["ARN"]
    key = key_for(other, owner.account)
    replica = other("secretsmanager").create_secret(Name="s", CrossAccountPrimaryARN=arn, KmsKeyId=key)["ARN"]
    ask, asked = (
        owner("secretsmanager").associate_cross_account_replica,
        {"SecretId": arn, "CrossAccountReplicaARN": replica},
    )
    assert "organization" in refused("InvalidRequestException", ask, **asked)
    ask(**asked, ReplicaRestriction="NoRestriction")
    assert other("secretsmanager").get_secret_value(SecretId="s")["SecretString"] == "a"


def test_one_replica_and_no_more(company: Company) -> None:
    pair = Pair(company)
    pair.associate()
    second = {"Name": "second", "CrossAccountPrimaryARN": pair.arn, "KmsKeyId": pair.key}
    arn = pair.theirs.create_secret(**second)["ARN"]
    asked = {"SecretId": pair.arn, "CrossAccountReplicaARN": arn}
    refused("LimitExceededException", pair.mine.associate_cross_account_replica, **asked)


def test_given_up_by_the_primary(world: World, pair: Pair) -> None:
    pair.associate()
    asked = {"SecretId": pair.arn, "CrossAccountReplicaARN": pair.replica}
    pair.mine.disassociate_cross_account_replica(**asked)
    refused("InvalidRequestException", pair.mine.disassociate_cross_account_replica, **asked)
    pair.mine.put_secret_value(SecretId=pair.arn, SecretString="two")
    world.replicated()
    assert pair.value() == "one"
    shown = pair.theirs.describe_secret(SecretId="copy")["CrossAccountPrimary"]
    assert shown["ReplicationStatus"] == "Detached"
    refused("InvalidRequestException", pair.theirs.put_secret_value, SecretId="copy", SecretString="x")
    pair.mine.delete_secret(SecretId=pair.arn)


def test_given_up_by_the_replica(world: World, pair: Pair) -> None:
    pair.associate()
    pair.theirs.stop_replication_to_replica(SecretId="copy")
    [shown] = pair.mine.describe_secret(SecretId=pair.arn)["CrossAccountReplicas"]
    assert shown["ReplicationStatus"] == "Detached"
    assert "ResourcePolicy" not in pair.theirs.get_resource_policy(SecretId="copy")
    pair.mine.put_secret_value(SecretId=pair.arn, SecretString="two")
    world.replicated()
    assert pair.value() == "one"
    pair.theirs.put_secret_value(SecretId="copy", SecretString="theirs")
    assert pair.value() == "theirs"
    refused("AccessDeniedException", pair.associate)


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"SecretString": "a"}, "InvalidParameterException"),
        ({"Description": "a"}, "InvalidParameterException"),
        ({"KmsKeyId": "alias/aws/secretsmanager"}, "InvalidParameterException"),
        (
            {"CrossAccountPrimaryARN": "arn:aws:secretsmanager:eu-west-1:111111111111:secret:s-aaaaaa"},
            "InvalidParameterException",
        ),
        (
            {"CrossAccountPrimaryARN": "arn:aws:secretsmanager:us-east-1:{own}:secret:s-aaaaaa"},
            "InvalidParameterException",
        ),
        ({"CrossAccountPrimaryARN": "arn:aws:kms:us-east-1:111111111111:key/aaaaaa"}, "InvalidParameterException"),
    ],
)
def test_what_a_replica_cannot_be(world: World, more: dict[str, Any], code: str) -> None:
    owner = world.alone()
    asked = {"Name": "s", "KmsKeyId": "alias/own"}
    asked["CrossAccountPrimaryARN"] = "arn:aws:secretsmanager:us-east-1:111111111111:secret:s-aaaaaa"
    asked |= {name: text.format(own=owner.account) for name, text in more.items()}
    refused(code, owner("secretsmanager").create_secret, **asked)


def test_nothing_of_it_is_in_clear_in_the_records(world: World, pair: Pair) -> None:
    pair.mine.put_secret_value(SecretId=pair.arn, SecretString=json.dumps({"password": "correct-horse"}))
    pair.associate()
    for table in ("secretsmanager.secrets", "secretsmanager.versions"):
        for record in world.store._rows[table].by_key.values():
            assert "correct-horse" not in repr(record)
