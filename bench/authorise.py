"""CPU of saying who asks and whether they may: a signature verified, and a user's policies decided by.

    python -m bench.authorise [--requests N]

A user with an access key and 20 attached policies of 30 statements each asks for DescribeClusters on one cluster, of
which every statement speaks ("worst") or one in ten ("usual"); the same in an account three levels below the root of
an organisation, each with ten service control policies. In process, on one core: the median of several rounds, in
microseconds, warm; and what the first request costs after a policy was changed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

from bench.rows import report
from hatoba.aws import models, sigv4
from hatoba.aws.sigv4 import Credential
from hatoba.aws.wire import WireRequest
from hatoba.core.clock import SystemClock
from hatoba.core.ids import RandomIds
from hatoba.core.keys import Scope
from hatoba.core.pages import Pager
from hatoba.core.records import replace
from hatoba.core.secret import Sealer, Secret
from hatoba.gateway.access import KnownKeys
from hatoba.gateway.call import Call, Principal
from hatoba.gateway.plane import ControlPlane
from hatoba.gateway.tags import Tags, tags
from hatoba.services.ecs.access import ACCESS
from hatoba.services.iam import model
from hatoba.services.iam.authorizer import PolicyAuthorizer
from hatoba.services.iam.identities import UserKeys
from hatoba.services.iam.model import POLICY, AccessKey, Policy, PolicyVersion, User
from hatoba.services.organizations import model as organizations
from hatoba.services.organizations.identities import OfOpenAccounts
from hatoba.services.organizations.places import AccountPlaces
from hatoba.store import Store, Table
from hatoba.store.memory import MemoryDisk, MemoryJournal

HERE = Scope("aws", "123456789012", "us-east-1")
KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
POLICIES, STATEMENTS = 20, 30
PROMISED = 100.0  # microseconds
SERVICES = ("ecs", "ecr", "ec2", "s3", "logs", "iam", "kms", "ssm", "sts", "elasticloadbalancing")
CLUSTER = f"arn:aws:ecs:us-east-1:{HERE.account}:cluster/one"


def document(number: int, *, worst: bool) -> str:
    """Allows for resources of their own, a Deny in ten, a condition in three; the last one allows what is asked."""
    statements = []
    for index in range(STATEMENTS):
        service = "ecs" if worst else SERVICES[(number + index) % len(SERVICES)]
        statement: dict[str, Any] = {
            "Effect": "Deny" if index % 10 == 9 else "Allow",
            "Action": [f"{service}:Describe*", f"{service}:List*", f"{service}:Run{index}"],
            "Resource": [
                f"arn:aws:{service}:us-east-1:{HERE.account}:cluster/{number}-{index}/*",
                f"arn:aws:{service}:*:{HERE.account}:other/{number}-{index}",
            ],
        }
        if index % 3 == 0:
            condition = {"StringEquals": {"aws:ResourceTag/team": "a"}, "IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
            statement["Condition"] = condition
        statements.append(statement)
    if number == POLICIES - 1:
        condition = {"StringEquals": {"aws:ResourceTag/team": "a"}}
        own = {"Effect": "Allow", "Action": "ecs:Describe*", "Resource": CLUSTER, "Condition": condition}
        statements[-2] = own
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


class World:
    """Opened in a loop."""

    def __init__(self, *, worst: bool, organized: bool = False) -> None:
        sealer, everywhere = Sealer(bytes(32)), HERE.everywhere()
        self.store = Store(MemoryJournal(MemoryDisk()), [*model.TABLES, *organizations.TABLES, tags], sealer)
        self.store.open()
        arns = []
        for number in range(POLICIES):
            version = PolicyVersion(id="v1", document=document(number, worst=worst), created=0.0)
            policy = Policy(
                key=model.policies.key(everywhere, f"p{number}"),
                name=f"P{number}",
                unique=f"ANPA{number}",
                created=0.0,
                updated=0.0,
                versions=(version,),
            )
            self.put(model.policies, policy)
            arns.append(POLICY.arn(policy))
        key = model.users.key(everywhere, "dev")
        self.put(model.users, User(key=key, name="dev", unique="AIDA", created=0.0, inline={}, attached=tuple(arns)))
        key = model.access_keys.key(everywhere, KEY)
        self.put(model.access_keys, AccessKey(key=key, user="dev", secret=Secret(SECRET), created=0.0))
        self.put(tags, Tags(key=tags.key(HERE, CLUSTER), tags={"team": "a"}))
        if organized:
            self._organize()
        keys = UserKeys(self.store)
        self.keys = OfOpenAccounts(self.store, keys)
        self.authorizer = PolicyAuthorizer(self.store, memberships=AccountPlaces(self.store))
        self._platform = ControlPlane(
            store=self.store,
            clock=SystemClock(),
            ids=RandomIds(),
            pager=Pager(sealer),
            rooms=[],
            identities=KnownKeys(),
            authorizer=self.authorizer,
        )
        found = models.load("ecs").operation("DescribeClusters")
        assert found is not None
        self._operation, self._request = found, {"clusters": ["one"]}
        body = json.dumps(self._request).encode()
        target = {"x-amz-target": "AmazonEC2ContainerServiceV20141113.DescribeClusters"}
        headers = {"host": "127.0.0.1:4566", "content-type": "application/x-amz-json-1.1", **target}
        wire = WireRequest(method="POST", path="/", headers=headers, body=body)
        signed = sigv4.sign(wire, Credential(access_key_id=KEY, secret=SECRET), "us-east-1", "ecs", time.time())
        self._wire = WireRequest(method="POST", path="/", headers=signed, body=body)

    def _organize(self) -> None:
        """Root, two units and the account, with as many policies as each can have."""
        boss = Scope("aws", "210987654321", "")
        held = ("p-FullAWSAccess", *(f"p-{number}" for number in range(9)))
        for number in range(9):
            services = SERVICES[number % len(SERVICES)]
            outside = {"StringNotEquals": {"aws:RequestedRegion": ["us-east-1", "eu-west-1"]}}
            spared = {"ArnNotLike": {"aws:PrincipalArn": f"arn:aws:iam::*:role/keeper-{number}"}}
            statements = [
                {"Effect": "Deny", "Action": f"{services}:*", "Resource": "*", "Condition": outside},
                {"Effect": "Deny", "Action": "ecs:Describe*", "Resource": "*", "Condition": {**outside, **spared}},
            ]
            key = organizations.policies.key(boss, f"p-{number}")
            text = json.dumps({"Version": "2012-10-17", "Statement": statements})
            made = {"organization": "o-1", "type": "SERVICE_CONTROL_POLICY", "description": "", "content": text}
            self.put(organizations.policies, organizations.Policy(key=key, name=str(number), **made))
        key = organizations.organizations.key(boss, "o-1")
        enabled = {"features": "ALL", "enabled": ("SERVICE_CONTROL_POLICY",), "policies": held}
        self.put(organizations.organizations, organizations.Organization(key=key, root="r-1", **enabled))
        for id_, parent in (("ou-1", "r-1"), ("ou-2", "ou-1")):
            where = {"organization": "o-1", "parent": parent, "policies": held}
            self.put(organizations.units, organizations.Unit(key=organizations.units.key(boss, id_), name=id_, **where))
        where = {"organization": "o-1", "management": boss.account, "parent": "ou-2", "policies": held}
        key = organizations.accounts.key(HERE.everywhere(), HERE.account)
        self.put(organizations.accounts, organizations.Account(key=key, name="dev", email="dev@bench.test", **where))

    def put(self, table: Table[Any], record: Any) -> None:
        with self.store.tx() as tx:
            tx.put(table, record)

    def change(self) -> None:
        """Somebody writes a policy anew."""
        policy = self.store.find(model.policies, HERE.everywhere(), "p0")
        assert policy is not None
        text = policy.versions[0].document.replace('"Run0"', '"Run1"')[:-1] + " }"
        self.put(model.policies, replace(policy, versions=(replace(policy.versions[0], document=text),)))

    def verify(self) -> Principal:
        verified = sigv4.verify(self._wire, self.keys.find, time.time())
        found = verified.credential.principal
        assert isinstance(found, Principal)
        return found

    def decide(self, who: Principal) -> None:
        call = Call(
            self._platform,
            scope=HERE,
            service="ecs",
            operation="DescribeClusters",
            principal=who,
            request_id="r",
            source_ip="10.1.2.3",
        )
        needs = ACCESS.needs("DescribeClusters", self._request, call)
        self.authorizer.decide(call, self._operation, needs)


def median(what: Callable[[], object], requests: int, rounds: int = 7) -> float:
    """CPU microseconds of one."""
    found = []
    for _ in range(rounds):
        began = time.process_time()
        for _ in range(requests):
            what()
        found.append((time.process_time() - began) / requests)
    return statistics.median(found) * 1e6


async def measure(requests: int, *, worst: bool, organized: bool) -> None:
    world = World(worst=worst, organized=organized)
    who = world.verify()
    world.decide(who)
    name = ("worst" if worst else "usual") + (", in an organisation" if organized else "")
    print(f"signature {median(world.verify, requests):.1f} µs", flush=True)
    print(f"authorisation, {name} {median(lambda: world.decide(who), requests):.1f} µs", flush=True)
    both = median(lambda: world.decide(world.verify()), requests)
    report(f"CPU of signature and authorisation, {name}", both, "µs", at_most=PROMISED)
    began = time.process_time()
    world.change()
    world.decide(who)
    print(f"the first one after a policy was changed {(time.process_time() - began) * 1e3:.1f} ms", flush=True)
    world.store.close()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--requests", type=int, default=2000)
    requests = arguments.parse_args().requests
    for organized in (False, True):
        for worst in (False, True):
            asyncio.run(measure(requests, worst=worst, organized=organized))


if __name__ == "__main__":
    main()
