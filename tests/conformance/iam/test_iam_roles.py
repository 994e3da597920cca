"""Roles, policies and instance profiles."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conformance.serving import refused


def document(*statements: dict[str, Any], **rest: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements), **rest})


ALLOW = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
POLICY = document(ALLOW)
TASKS = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
TRUST = document(TASKS)


@pytest.fixture
def role(iam: Any) -> str:
    iam.create_role(RoleName="Worker", AssumeRolePolicyDocument=TRUST)
    return "Worker"


@pytest.fixture
def policy(iam: Any) -> str:
    arn: str = iam.create_policy(PolicyName="Read", PolicyDocument=POLICY)["Policy"]["Arn"]
    return arn


# --- roles


def test_a_role_is_made_found_changed_and_deleted(iam: Any, account: str) -> None:
    made = iam.create_role(
        RoleName="Worker",
        Path="/jobs/",
        AssumeRolePolicyDocument=TRUST,
        Description="works",
        MaxSessionDuration=7200,
        Tags=[{"Key": "team", "Value": "a"}],
    )["Role"]
    assert made["Arn"] == f"arn:aws:iam::{account}:role/jobs/Worker"
    assert made["RoleId"].startswith("AROA")
    assert made["AssumeRolePolicyDocument"] == json.loads(TRUST)  # boto3 decodes it
    assert (made["Description"], made["MaxSessionDuration"]) == ("works", 7200)
    assert made["Tags"] == [{"Key": "team", "Value": "a"}]
    assert iam.get_role(RoleName="WORKER")["Role"] == made
    assert refused("EntityAlreadyExists", iam.create_role, RoleName="worker", AssumeRolePolicyDocument=TRUST) == (
        "Role with name worker already exists."
    )
    iam.update_role(RoleName="Worker", MaxSessionDuration=3600)
    other = document({**TASKS, "Principal": "*"})
    iam.update_assume_role_policy(RoleName="Worker", PolicyDocument=other)
    now = iam.get_role(RoleName="Worker")["Role"]
    assert (now["Description"], now["MaxSessionDuration"]) == ("works", 3600)
    assert now["AssumeRolePolicyDocument"] == json.loads(other)
    assert [found["RoleName"] for found in iam.list_roles(PathPrefix="/jobs/")["Roles"]] == ["Worker"]
    assert iam.list_roles(PathPrefix="/other/")["Roles"] == []
    iam.delete_role(RoleName="Worker")
    assert refused("NoSuchEntity", iam.get_role, RoleName="Worker") == "The role with name Worker cannot be found."


def test_a_role_with_something_stays(iam: Any, role: str, policy: str) -> None:
    def stays(words: str) -> None:
        assert refused("DeleteConflict", iam.delete_role, RoleName=role) == f"Cannot delete entity, must {words} first."

    iam.create_instance_profile(InstanceProfileName="machine")
    iam.add_role_to_instance_profile(InstanceProfileName="machine", RoleName=role)
    stays("remove roles from instance profile")
    iam.remove_role_from_instance_profile(InstanceProfileName="machine", RoleName=role)
    iam.put_role_policy(RoleName=role, PolicyName="own", PolicyDocument=POLICY)
    stays("delete policies")
    iam.delete_role_policy(RoleName=role, PolicyName="own")
    iam.attach_role_policy(RoleName=role, PolicyArn=policy)
    stays("detach all policies")
    iam.detach_role_policy(RoleName=role, PolicyArn=policy)
    iam.delete_role(RoleName=role)


@pytest.mark.parametrize(
    ("trust", "words"),
    [
        ("{", "This policy contains invalid Json"),
        ("[]", "Syntax errors in policy."),
        ('{"Version": "2012-10-17"}', "Syntax errors in policy."),
        ('{"Statement": ["Allow"]}', "Syntax errors in policy."),
        (
            document(TASKS, Version="2020-01-01"),
            "The policy must contain a valid version string: 2008-10-17 or 2012-10-17",
        ),
        (document({**TASKS, "Effect": "allow"}), "Syntax errors in policy."),
        (document({**TASKS, "Action": []}), "Policy statement must contain actions."),
        (document({**TASKS, "Action": [7]}), "Policy statement must contain actions."),
        (document({**TASKS, "Actions": "sts:TagSession"}), "Syntax errors in policy."),
        (document({**TASKS, "Condition": {"StringResembles": {"a": "b"}}}), "Syntax errors in policy."),
        (TRUST.replace('"Effect": ', '"Effect": "Deny", "Effect": '), "This policy contains invalid Json"),
        (document({**TASKS, "Action": "s3:*"}), "AssumeRole policy may only specify STS AssumeRole actions."),
        (document({**TASKS, "Resource": "*"}), "Has prohibited field Resource"),
        (document({"Effect": "Allow", "Action": "sts:AssumeRole"}), "Missing required field Principal"),
        (document({**TASKS, "Principal": "everybody"}), "Invalid principal in policy"),
        (document({**TASKS, "Principal": {}}), "Invalid principal in policy"),
        (document({**TASKS, "Principal": {"AWS": "alice"}}), 'Invalid principal in policy: "AWS":"alice"'),
        (document({**TASKS, "Principal": {"Aws": "*"}}), "Invalid principal in policy"),
        (document({**TASKS, "Condition": "never"}), "Syntax errors in policy."),
        (document({**TASKS, "Condition": {"StringEquals": "x"}}), "Syntax errors in policy."),
        (
            document({"Effect": "Allow", "Action": "sts:AssumeRole", "NotPrincipal": {"AWS": "*"}}),
            "Allow with NotPrincipal is not allowed.",
        ),
        (
            document({**TASKS, "Sid": "one"}, {**TASKS, "Sid": "one"}),
            "Statement IDs (SID) in a single policy must be unique.",
        ),
    ],
)
def test_trust_policies_that_cannot_be(iam: Any, trust: str, words: str) -> None:
    assert refused("MalformedPolicyDocument", iam.create_role, RoleName="r", AssumeRolePolicyDocument=trust) == words
    assert iam.list_roles()["Roles"] == []


def test_documents_have_their_sizes(iam: Any, role: str, policy: str) -> None:
    def sized(base: dict[str, Any], size: int) -> str:
        """So many characters without white space, and some of that."""
        empty = document({**base, "Sid": ""})
        text = document({**base, "Sid": "x" * (size - len(empty.replace(" ", "")))})
        return text + " " * 100

    assert (
        refused("LimitExceeded", iam.update_assume_role_policy, RoleName=role, PolicyDocument=sized(TASKS, 2049))
        == "Cannot exceed quota for ACLSizePerRole: 2048"
    )
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=sized(TASKS, 2048))
    refused("LimitExceeded", iam.create_policy_version, PolicyArn=policy, PolicyDocument=sized(ALLOW, 6145))
    iam.put_role_policy(RoleName=role, PolicyName="a", PolicyDocument=sized(ALLOW, 10000))
    put = {"RoleName": role, "PolicyName": "b"}
    assert refused("LimitExceeded", iam.put_role_policy, PolicyDocument=sized(ALLOW, 241), **put) == (
        "Maximum policy size of 10240 bytes exceeded for role Worker"
    )
    iam.put_role_policy(PolicyDocument=sized(ALLOW, 240), **put)
    assert iam.list_role_policies(RoleName=role)["PolicyNames"] == ["a", "b"]


# --- inline policies


@pytest.mark.parametrize("kind", ["user", "group", "role"])
def test_inline_policies(iam: Any, role: str, kind: str) -> None:
    name = f"{kind.capitalize()}Name"
    if kind != "role":
        getattr(iam, f"create_{kind}")(**{name: role})
    owner, own = {name: role}, {name: role, "PolicyName": "read"}
    put, get = getattr(iam, f"put_{kind}_policy"), getattr(iam, f"get_{kind}_policy")
    listed, delete = getattr(iam, f"list_{kind}_policies"), getattr(iam, f"delete_{kind}_policy")
    put(PolicyDocument=POLICY, **own)
    second = document({**ALLOW, "Action": "s3:*"})
    put(PolicyDocument=second, **own)  # in its place
    found = get(**own)
    assert (found[name], found["PolicyName"], found["PolicyDocument"]) == (role, "read", json.loads(second))
    put(PolicyDocument=POLICY, **owner, PolicyName="another")
    assert listed(**owner)["PolicyNames"] == ["another", "read"]
    first = listed(**owner, MaxItems=1)
    assert (first["PolicyNames"], first["IsTruncated"]) == (["another"], True)
    assert listed(**owner, MaxItems=1, Marker=first["Marker"])["PolicyNames"] == ["read"]
    refused("MalformedPolicyDocument", put, PolicyDocument=TRUST, **own)
    delete(**own)
    for operation in (get, delete):
        assert refused("NoSuchEntity", operation, **own) == f"The {kind} policy with name read cannot be found."
    refused("NoSuchEntity", listed, **{name: "nobody"})


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ({**ALLOW, "Principal": "*"}, "Policy document should not specify a principal."),
        ({"Effect": "Allow", "Action": "s3:*"}, "Policy statement must contain resources."),
        ({**ALLOW, "Resource": "bucket"}, 'Resource bucket must be in ARN format or "*".'),
        (
            {**ALLOW, "Action": "GetObject"},
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        ),
        ({"Effect": "Deny", "Resource": "*"}, "Policy statement must contain actions."),
    ],
)
def test_policies_that_cannot_be(iam: Any, statement: dict[str, Any], words: str) -> None:
    create = iam.create_policy
    assert refused("MalformedPolicyDocument", create, PolicyName="p", PolicyDocument=document(statement)) == words
    assert iam.list_policies(Scope="Local")["Policies"] == []


# --- managed policies


def test_a_policy_has_versions(iam: Any, policy: str) -> None:
    wider = document({**ALLOW, "Action": "s3:*"})
    second = iam.create_policy_version(PolicyArn=policy, PolicyDocument=wider)["PolicyVersion"]
    assert (second["VersionId"], second["IsDefaultVersion"]) == ("v2", False)
    third = iam.create_policy_version(PolicyArn=policy, PolicyDocument=POLICY, SetAsDefault=True)["PolicyVersion"]
    assert (third["VersionId"], third["IsDefaultVersion"]) == ("v3", True)
    assert iam.get_policy(PolicyArn=policy)["Policy"]["DefaultVersionId"] == "v3"
    found = iam.get_policy_version(PolicyArn=policy, VersionId="v2")["PolicyVersion"]
    assert found["Document"] == json.loads(wider)
    assert refused("DeleteConflict", iam.delete_policy_version, PolicyArn=policy, VersionId="v3") == (
        "Cannot delete the default version of a policy."
    )
    iam.set_default_policy_version(PolicyArn=policy, VersionId="v1")
    iam.delete_policy_version(PolicyArn=policy, VersionId="v3")
    again = iam.create_policy_version(PolicyArn=policy, PolicyDocument=POLICY)["PolicyVersion"]
    assert again["VersionId"] == "v4", "a number is used once"
    for _ in range(2):
        iam.create_policy_version(PolicyArn=policy, PolicyDocument=POLICY)
    words = refused("LimitExceeded", iam.create_policy_version, PolicyArn=policy, PolicyDocument=POLICY)
    assert words.startswith("A managed policy can have up to 5 versions.")
    listed = iam.list_policy_versions(PolicyArn=policy)["Versions"]
    assert [version["VersionId"] for version in listed] == ["v6", "v5", "v4", "v2", "v1"]
    first = iam.list_policy_versions(PolicyArn=policy, MaxItems=2)
    rest = iam.list_policy_versions(PolicyArn=policy, Marker=first["Marker"])
    assert first["Versions"] + rest["Versions"] == listed
    assert refused("NoSuchEntity", iam.get_policy_version, PolicyArn=policy, VersionId="v3") == (
        f"Policy {policy} version v3 does not exist or is not attachable."
    )
    words = refused("DeleteConflict", iam.delete_policy, PolicyArn=policy)
    assert words.startswith("This policy has more than one version.")
    for version in ("v2", "v4", "v5", "v6"):
        iam.delete_policy_version(PolicyArn=policy, VersionId=version)
    iam.delete_policy(PolicyArn=policy)
    assert refused("NoSuchEntity", iam.get_policy, PolicyArn=policy) == f"Policy {policy} was not found."


def test_policies_are_attached_and_counted(iam: Any, role: str, policy: str) -> None:
    iam.create_user(UserName="alice")
    iam.create_group(GroupName="all")
    owners = {"role": {"RoleName": role}, "user": {"UserName": "alice"}, "group": {"GroupName": "all"}}
    for kind, owner in owners.items():
        for _ in range(2):  # the second time changes nothing
            getattr(iam, f"attach_{kind}_policy")(PolicyArn=policy, **owner)
        attached = getattr(iam, f"list_attached_{kind}_policies")(**owner)["AttachedPolicies"]
        assert attached == [{"PolicyName": "Read", "PolicyArn": policy}]
    assert iam.get_policy(PolicyArn=policy)["Policy"]["AttachmentCount"] == 3
    entities = iam.list_entities_for_policy(PolicyArn=policy)
    assert [one["RoleName"] for one in entities["PolicyRoles"]] == [role]
    assert [one["UserName"] for one in entities["PolicyUsers"]] == ["alice"]
    assert [one["GroupName"] for one in entities["PolicyGroups"]] == ["all"]
    only = iam.list_entities_for_policy(PolicyArn=policy, EntityFilter="User")
    assert (len(only["PolicyUsers"]), only["PolicyRoles"], only["PolicyGroups"]) == (1, [], [])
    iam.create_policy(PolicyName="Unused", PolicyDocument=POLICY)
    assert [p["PolicyName"] for p in iam.list_policies(OnlyAttached=True)["Policies"]] == ["Read"]
    assert [p["PolicyName"] for p in iam.list_policies(Scope="Local")["Policies"]] == ["Read", "Unused"]
    assert refused("DeleteConflict", iam.delete_policy, PolicyArn=policy) == (
        "Cannot delete a policy attached to entities."
    )
    for kind, owner in owners.items():
        getattr(iam, f"detach_{kind}_policy")(PolicyArn=policy, **owner)
        assert refused("NoSuchEntity", getattr(iam, f"detach_{kind}_policy"), PolicyArn=policy, **owner) == (
            f"Policy {policy} was not found."
        )
    iam.delete_policy(PolicyArn=policy)


def test_what_cannot_be_attached(iam: Any, role: str, account: str) -> None:
    def attach(code: str, arn: str) -> str:
        return refused(code, iam.attach_role_policy, RoleName=role, PolicyArn=arn)

    absent = f"arn:aws:iam::{account}:policy/absent"
    assert attach("NoSuchEntity", absent) == f"Policy {absent} does not exist or is not attachable."
    assert attach("InvalidInput", "not-an-arn-at-all-but-long-enough") == (
        "ARN not-an-arn-at-all-but-long-enough is not valid."
    )
    attach("InvalidInput", f"arn:aws:iam::{account}:role/Worker")
    unknown = "arn:aws:iam::aws:policy/AmazonOfNowhereFullAccess"
    linked = "arn:aws:iam::aws:policy/aws-service-role/AmazonECSServiceRolePolicy"
    for arn in (unknown, linked):
        assert attach("NoSuchEntity", arn) == f"Policy {arn} does not exist or is not attachable."
    names = [p["Arn"] for p in iam.list_policies(Scope="AWS")["Policies"] if p["IsAttachable"] and p["Path"] == "/"]
    for arn in names[:10]:
        iam.attach_role_policy(RoleName=role, PolicyArn=arn)
    assert attach("LimitExceeded", names[10]) == "Cannot exceed quota for PoliciesPerRole: 10"
    deep = iam.list_attached_role_policies(RoleName=role, PathPrefix="/service-role/")["AttachedPolicies"]
    assert deep == []


def test_a_policy_of_the_same_name_in_another_path_is_another(iam: Any, policy: str, account: str) -> None:
    assert refused("EntityAlreadyExists", iam.create_policy, PolicyName="read", PolicyDocument=POLICY) == (
        "A policy called read already exists. Duplicate names are not allowed."
    )
    refused("NoSuchEntity", iam.get_policy, PolicyArn=f"arn:aws:iam::{account}:policy/path/Read")


# --- tags


@pytest.mark.parametrize("kind", ["user", "role", "policy", "instance_profile"])
def test_tags_are_the_same_without_regard_to_case(iam: Any, role: str, policy: str, kind: str) -> None:
    iam.create_user(UserName=role)
    iam.create_instance_profile(InstanceProfileName=role)
    names = {"user": "UserName", "role": "RoleName", "instance_profile": "InstanceProfileName"}
    owner = {"PolicyArn": policy} if kind == "policy" else {names[kind]: role}
    tag, untag = getattr(iam, f"tag_{kind}"), getattr(iam, f"untag_{kind}")

    def listed() -> dict[str, str]:
        return {one["Key"]: one["Value"] for one in getattr(iam, f"list_{kind}_tags")(**owner)["Tags"]}

    tag(Tags=[{"Key": "Team", "Value": "a"}, {"Key": "stage", "Value": "beta"}], **owner)
    tag(Tags=[{"Key": "team", "Value": "b"}], **owner)
    assert listed() == {"team": "b", "stage": "beta"}
    assert refused("InvalidInput", tag, Tags=[{"Key": "x", "Value": ""}, {"Key": "X", "Value": ""}], **owner) == (
        "Duplicate tag keys found. Please note that Tag keys are case insensitive."
    )
    refused("InvalidInput", tag, Tags=[{"Key": "aws:x", "Value": ""}], **owner)
    untag(TagKeys=["TEAM", "absent"], **owner)
    assert listed() == {"stage": "beta"}
    tag(Tags=[{"Key": f"k{number}", "Value": ""} for number in range(49)], **owner)
    refused("LimitExceeded", tag, Tags=[{"Key": "one more", "Value": ""}], **owner)
    page = getattr(iam, f"list_{kind}_tags")(**owner, MaxItems=20)
    assert (len(page["Tags"]), page["IsTruncated"]) == (20, True)
    rest = getattr(iam, f"list_{kind}_tags")(**owner, Marker=page["Marker"])
    assert len(rest["Tags"]) == 30


# --- service-linked roles


def test_a_linked_role_belongs_to_its_service(iam: Any, account: str) -> None:
    made = iam.create_service_linked_role(AWSServiceName="ecs.amazonaws.com", Description="for ECS")["Role"]
    name = "AWSServiceRoleForECS"
    assert made["Arn"] == f"arn:aws:iam::{account}:role/aws-service-role/ecs.amazonaws.com/{name}"
    assert made["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"Service": "ecs.amazonaws.com"}
    assert refused("InvalidInput", iam.create_service_linked_role, AWSServiceName="ecs.amazonaws.com") == (
        f"Service role name {name} has been taken in this account, please try a different suffix."
    )
    suffixed = iam.create_service_linked_role(AWSServiceName="autoscaling.amazonaws.com", CustomSuffix="mine")["Role"]
    assert suffixed["RoleName"] == "AWSServiceRoleForAutoScaling_mine"
    scaling = iam.create_service_linked_role(AWSServiceName="ecs.application-autoscaling.amazonaws.com")["Role"]
    assert scaling["RoleName"] == "AWSServiceRoleForApplicationAutoScaling_ECSService"
    refused("InvalidInput", iam.create_service_linked_role, AWSServiceName="example.com")
    words = f"Cannot perform the operation on the protected role '{name}' - this role is only modifiable by AWS"
    arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    for operation, params in [
        (iam.delete_role, {}),
        (iam.update_role, {"Description": "x"}),
        (iam.update_assume_role_policy, {"PolicyDocument": TRUST}),
        (iam.put_role_policy, {"PolicyName": "p", "PolicyDocument": POLICY}),
        (iam.attach_role_policy, {"PolicyArn": arn}),
    ]:
        assert refused("UnmodifiableEntity", operation, RoleName=name, **params) == words
    task = iam.delete_service_linked_role(RoleName=name)["DeletionTaskId"]
    assert iam.get_service_linked_role_deletion_status(DeletionTaskId=task)["Status"] == "SUCCEEDED"
    refused("NoSuchEntity", iam.get_role, RoleName=name)
    refused("NoSuchEntity", iam.get_service_linked_role_deletion_status, DeletionTaskId="task/other")


def test_only_linked_roles_are_deleted_as_such(iam: Any, role: str) -> None:
    refused("NoSuchEntity", iam.delete_service_linked_role, RoleName=role)
    iam.get_role(RoleName=role)


# --- instance profiles


def test_a_profile_holds_one_role(iam: Any, role: str, account: str) -> None:
    made = iam.create_instance_profile(InstanceProfileName="Machine", Path="/m/", Tags=[{"Key": "a", "Value": "b"}])
    profile = made["InstanceProfile"]
    assert profile["Arn"] == f"arn:aws:iam::{account}:instance-profile/m/Machine"
    assert (profile["Roles"], profile["Tags"]) == ([], [{"Key": "a", "Value": "b"}])
    assert refused("EntityAlreadyExists", iam.create_instance_profile, InstanceProfileName="machine") == (
        "Instance Profile machine already exists."
    )
    iam.add_role_to_instance_profile(InstanceProfileName="machine", RoleName="worker")
    found = iam.get_instance_profile(InstanceProfileName="Machine")["InstanceProfile"]
    assert [each["RoleName"] for each in found["Roles"]] == [role]
    again = {"InstanceProfileName": "Machine", "RoleName": role}
    refused("LimitExceeded", iam.add_role_to_instance_profile, **again)
    (of_role,) = iam.list_instance_profiles_for_role(RoleName=role)["InstanceProfiles"]
    assert of_role["InstanceProfileName"] == "Machine"
    assert refused("DeleteConflict", iam.delete_instance_profile, InstanceProfileName="Machine") == (
        "Cannot delete entity, must remove roles from instance profile first."
    )
    refused("NoSuchEntity", iam.remove_role_from_instance_profile, InstanceProfileName="Machine", RoleName="other")
    iam.remove_role_from_instance_profile(**again)
    assert len(iam.list_instance_profiles(PathPrefix="/m/")["InstanceProfiles"]) == 1
    iam.delete_instance_profile(InstanceProfileName="Machine")
    assert refused("NoSuchEntity", iam.get_instance_profile, InstanceProfileName="Machine") == (
        "Instance Profile Machine cannot be found."
    )


def test_a_role_trusts_whom_it_named_whatever_they_are_called(iam: Any, account: str) -> None:
    """Kept by who they are: shown by the names that they have now, and by their ids once they are gone."""
    ann = iam.create_user(UserName="ann")["User"]
    other = iam.create_role(RoleName="other", AssumeRolePolicyDocument=trusting({"AWS": ann["Arn"]}))["Role"]
    root, later = f"arn:aws:iam::{account}:root", "arn:aws:iam::999999999999:user/elsewhere"
    named = [ann["Arn"], other["Arn"], root, later]
    made = iam.create_role(RoleName="web", AssumeRolePolicyDocument=trusting({"AWS": named}))["Role"]

    def trusted(document: Any) -> list[str]:
        found: list[str] = document["Statement"][0]["Principal"]["AWS"]
        return found

    def shown() -> list[str]:
        return trusted(iam.get_role(RoleName="web")["Role"]["AssumeRolePolicyDocument"])

    assert trusted(made["AssumeRolePolicyDocument"]) == shown() == named
    iam.update_user(UserName="ann", NewUserName="anna", NewPath="/team/")
    assert shown() == [f"arn:aws:iam::{account}:user/team/anna", *named[1:]]
    iam.delete_role(RoleName="other")
    iam.create_role(RoleName="other", AssumeRolePolicyDocument=trusting({"AWS": root}))
    iam.delete_user(UserName="anna")
    iam.create_user(UserName="ann")
    assert shown() == [ann["UserId"], other["RoleId"], root, later]
    details = iam.get_account_authorization_details(Filter=["Role"])["RoleDetailList"]
    (web,) = [role for role in details if role["RoleName"] == "web"]
    assert trusted(web["AssumeRolePolicyDocument"]) == shown()
    iam.update_assume_role_policy(RoleName="web", PolicyDocument=trusting({"AWS": [ann["Arn"]]}))
    assert shown() == [ann["Arn"]], "the one who is called so now"


def test_a_role_trusts_nobody_who_is_not_there(iam: Any, role: str, account: str) -> None:
    """Whoever is made with that name later is somebody else."""
    gone = iam.create_user(UserName="gone")["User"]
    iam.delete_user(UserName="gone")
    for nobody in (f"arn:aws:iam::{account}:user/later", f"arn:aws:iam::{account}:role/later", gone["UserId"]):
        document = trusting({"AWS": [f"arn:aws:iam::{account}:root", nobody]})
        said = f'Invalid principal in policy: "AWS":"{nobody}"'
        asked = {"RoleName": "new", "AssumeRolePolicyDocument": document}
        assert refused("MalformedPolicyDocument", iam.create_role, **asked) == said
        changed = {"RoleName": role, "PolicyDocument": document}
        assert refused("MalformedPolicyDocument", iam.update_assume_role_policy, **changed) == said


def trusting(principal: Any) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
