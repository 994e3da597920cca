"""Machines join by an activation, over the real protocol: with the right code, as often and as long as it says, for one
account; and are managed instances, known by what their nodes say."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hatoba.core.clock import SystemClock
from hatoba.core.errors import AwsError, Refused
from hatoba.core.ids import RandomIds
from hatoba.core.pages import Pager
from hatoba.core.secret import Sealer
from hatoba.fleet import model as m
from hatoba.fleet.enrol import Authority, Code, Enrolments
from hatoba.fleet.incoming import Incoming
from hatoba.fleet.needed import Ref, needed
from hatoba.fleet.session import Sessions
from hatoba.gateway.access import EverythingPasses, KnownKeys
from hatoba.gateway.call import idempotent
from hatoba.gateway.plane import ControlPlane
from hatoba.gateway.tags import tags
from hatoba.node.session import Identity, join
from hatoba.services.iam import model as iam_model
from hatoba.services.iam.api import iam
from hatoba.services.ssm import activating, model
from hatoba.services.ssm.api import ssm
from hatoba.store import Store
from hatoba.store.memory import MemoryDisk, MemoryJournal
from tests.unit.fleet.connected import POOL, Node, until
from tests.unit.services.keeping.world import SCOPE

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ssm.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


class Late(SystemClock):
    """A clock that can be put forward."""

    ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead


class Control:
    """A control plane with the rooms of machines, which nodes reach at `port`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = Late()
        self.store = Store(
            MemoryJournal(MemoryDisk()),
            (*m.TABLES, *model.TABLES, *iam_model.TABLES, idempotent, tags),
            Sealer(bytes(32)),
        )
        admit = functools.partial(activating.admit, self.clock, RandomIds())
        self.authority = Authority(folder / "authority")
        self.enrolments = Enrolments(self.store, self.authority, self.clock, RandomIds(), (POOL, ""), admit)
        self.nodes: list[Node] = []

    async def start(self) -> None:
        self.store.open()
        self.plane = ControlPlane(
            store=self.store,
            clock=self.clock,
            ids=RandomIds(),
            pager=Pager(Sealer(bytes(32))),
            rooms=[ssm, iam],
            identities=KnownKeys(),
            authorizer=EverythingPasses(),
            strict=True,
        )
        self.plane.provide(Enrolments, self.enrolments)
        incoming = Incoming(self.store, _nothing)
        self.sessions = Sessions(
            self.store, self.clock, self.enrolments, incoming, region="us-east-1", registry="127.0.0.1:4566"
        )
        self.port = await self.sessions.start("127.0.0.1", 0, self.authority.server_context())
        self.enrolments.where = ("127.0.0.1", self.port)
        await self.iam.create_role(RoleName="anywhere", AssumeRolePolicyDocument=json.dumps(TRUST))

    async def stop(self) -> None:
        for node in self.nodes:
            await node.stop()
        await self.sessions.close()
        self.store.close()

    def aws(self, region: str = SCOPE.region) -> Any:
        return self.plane.door(SCOPE._replace(region=region), "test")

    @property
    def ssm(self) -> Any:
        return self.aws().ssm

    @property
    def iam(self) -> Any:
        return self.aws().iam

    async def activate(self, **fields: Any) -> tuple[str, str]:
        made = await self.ssm.create_activation(**{"IamRole": "anywhere", **fields})
        return made["ActivationId"], made["ActivationCode"]

    async def join(self, name: str, activation: str, code: str) -> Node:
        """Its agent runs, and is connected."""
        node = Node(self.folder / name, name)
        await join(node.identity, code, name, activation)
        node.start(self)  # type: ignore[arg-type]
        self.nodes.append(node)
        await until(lambda: node.id in self.sessions.connected)
        return node

    async def instances(self, **fields: Any) -> list[Any]:
        return list((await self.ssm.describe_instance_information(**fields))["InstanceInformationList"])


async def _nothing(workload: Any, logs: Any) -> None:
    return None


@pytest.fixture
async def control(tmp_path: Path) -> AsyncIterator[Control]:
    made = Control(tmp_path)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


async def refused(control: Control, activation: str, code: str, words: str) -> None:
    """Nothing changes on either side."""
    before = [control.store.all(table) for table in (m.nodes, model.managed, model.activations)]
    identity = Identity(control.folder / f"refused-{len(list(control.folder.iterdir()))}")
    with pytest.raises(Refused, match=words):
        await join(identity, code, "intruder", activation)
    assert not identity.exists
    assert [control.store.all(table) for table in (m.nodes, model.managed, model.activations)] == before


# --- joining


async def test_a_machine_joins_and_is_a_managed_instance(control: Control) -> None:
    labels = [{"Key": "site", "Value": "berlin"}]
    id_, code = await control.activate(DefaultInstanceName="edge", Description="the edge", Tags=labels)
    assert 20 <= len(code) <= 250
    node = await control.join("box", id_, code)
    (shown,) = await control.instances()
    assert shown["InstanceId"].startswith("mi-")
    assert (shown["PingStatus"], shown["Name"], shown["ComputerName"]) == ("Online", "edge", "box")
    assert (shown["ActivationId"], shown["IamRole"], shown["IPAddress"]) == (id_, "anywhere", "192.0.2.3")
    record = control.store.find(m.nodes, m.FLEET, node.id)
    assert record is not None
    assert (record.account, record.region, record.managed) == (SCOPE.account, SCOPE.region, shown["InstanceId"])
    assert "ecs.capability.external" in record.attributes, "whatever it says of itself"
    found = await control.ssm.list_tags_for_resource(ResourceType="ManagedInstance", ResourceId=shown["InstanceId"])
    assert found["TagList"] == labels
    assert [row["InstanceId"] for row in await control.instances(Filters=[{"Key": "tag:site", "Values": ["berlin"]}])]
    assert await control.instances(Filters=[{"Key": "tag:site", "Values": ["paris"]}]) == []
    assert await control.instances(Filters=[{"Key": "PingStatus", "Values": ["ConnectionLost"]}]) == []
    old = [{"key": "ActivationIds", "valueSet": [id_]}]
    assert len(await control.instances(InstanceInformationFilterList=old)) == 1
    assert (await control.aws("eu-west-1").ssm.describe_instance_information())["InstanceInformationList"] == []
    (told,) = (await control.ssm.describe_activations())["ActivationList"]
    assert (told["RegistrationsCount"], told["Expired"], told["Description"]) == (1, False, "the edge")


async def test_it_is_good_as_often_as_it_says_also_for_those_who_race(control: Control) -> None:
    id_, code = await control.activate(RegistrationLimit=3)
    joins = [join(Identity(control.folder / str(n)), code, f"n{n}", id_) for n in range(6)]
    outcomes = await asyncio.gather(*joins, return_exceptions=True)
    assert sum(outcome is None for outcome in outcomes) == 3
    assert len(control.store.all(m.nodes)) == len(control.store.all(model.managed)) == 3
    await refused(control, id_, code, "good for 3 machines, which have registered")


async def test_it_is_good_as_long_as_it_says(control: Control) -> None:
    id_, code = await control.activate(ExpirationDate=control.clock.now() + 60)
    control.clock.ahead = 61
    await refused(control, id_, code, "ActivationExpired")
    (told,) = (await control.ssm.describe_activations())["ActivationList"]
    assert told["Expired"] is True


async def test_whoever_does_not_have_the_code_learns_nothing(control: Control) -> None:
    id_, code = await control.activate()
    _, another = await control.activate()
    wrong = Code.parse(code)._replace(secret=bytes(16)).text()
    for activation, given in ((id_, wrong), (id_, another), ("0" * 36, code)):
        await refused(control, activation, given, "the activation's id or its code is wrong")
    control.clock.ahead = 2 * 86400.0
    await refused(control, id_, wrong, "id or its code is wrong")
    for text in ("", "nonsense", "ä", "e30="):
        await refused(control, id_, text, "not an activation code")
    token = await control.enrolments.token("127.0.0.1", control.port)
    await refused(control, id_, token, "not an activation code")


async def test_a_control_plane_with_another_certificate_is_shown_no_code(control: Control, tmp_path: Path) -> None:
    impostor = Control(tmp_path / "other")
    await impostor.start()
    heard: list[object] = []
    impostor.enrolments.join = lambda *said: heard.append(said)  # type: ignore[method-assign,assignment,func-returns-value]
    id_, code = await control.activate()
    await refused(control, id_, Code.parse(code)._replace(port=impostor.port).text(), "is not the control plane")
    assert heard == []
    await impostor.stop()


async def test_a_code_is_kept_as_its_digest_alone(control: Control) -> None:
    _, code = await control.activate()
    secret = Code.parse(code).secret
    (record,) = control.store.all(model.activations)
    assert secret not in record.digest
    assert secret.hex() not in repr(record)


async def test_a_node_of_one_account_learns_nothing_that_all_share(control: Control) -> None:
    own = await control.join("own", *await control.activate())
    ours = Node(control.folder / "ours", "ours")
    await join(ours.identity, await control.enrolments.token("127.0.0.1", control.port), "ours")
    with control.store.tx() as tx:
        interface = m.Interface(
            key=m.interfaces.key(SCOPE, "eni-1"),
            network="vpc-1",
            address="172.31.0.9",
            mac="02:00:00:00:00:01",
            gateway="172.31.0.1",
            prefix="172.31.0.0/20",
            subnet="subnet-1",
            public="100.64.9.9",
        )
        tx.put(m.interfaces, interface)
        third = m.Node(key=m.nodes.key(m.FLEET, "third"), name="third", number=9, address="192.0.2.9", cpu=1, memory=1)
        tx.put(m.nodes, third)
        holder = m.Workload(
            key=m.workloads.key(SCOPE, "w"), node="third", network="vpc-1", interface="eni-1", network_mode="awsvpc"
        )
        tx.put(m.workloads, holder)
    public = Ref("public", SCOPE, "eni-1")
    assert needed(control.store, ours.id, public) is not None
    assert needed(control.store, own.id, public) is None


# --- what becomes of it


async def test_one_that_is_deregistered_is_cut_off_and_what_it_ran_is_lost(control: Control) -> None:
    id_, code = await control.activate(RegistrationLimit=2)
    node = await control.join("box", id_, code)
    with control.store.tx() as tx:
        tx.put(m.workloads, m.Workload(key=m.workloads.key(SCOPE, "w1"), node=node.id))
    (shown,) = await control.instances()
    await control.ssm.deregister_managed_instance(InstanceId=shown["InstanceId"])
    await until(lambda: control.sessions.connected == [])
    assert await control.instances() == []
    assert control.store.find(m.nodes, m.FLEET, node.id) is None
    status = control.store.find(m.workload_statuses, SCOPE, "w1")
    assert status is not None
    assert status.state == "lost"
    await asyncio.sleep(0.3)  # its agent tries again, with a certificate that is worth nothing now
    assert control.sessions.connected == []
    with pytest.raises(AwsError) as caught:
        await control.ssm.deregister_managed_instance(InstanceId=shown["InstanceId"])
    assert caught.value.code == "InvalidInstanceId"


async def test_a_deleted_activation_lets_nobody_in_and_nobody_out(control: Control) -> None:
    id_, code = await control.activate(RegistrationLimit=2)
    await control.join("box", id_, code)
    await control.ssm.delete_activation(ActivationId=id_)
    await refused(control, id_, code, "id or its code is wrong")
    assert [row["PingStatus"] for row in await control.instances()] == ["Online"]
    assert (await control.ssm.describe_activations())["ActivationList"] == []
    with pytest.raises(AwsError) as caught:
        await control.ssm.delete_activation(ActivationId=id_)
    assert caught.value.code == "InvalidActivationId"


async def test_one_that_is_silent_has_lost_its_connection(control: Control) -> None:
    node = await control.join("box", *await control.activate())
    control.sessions._lost(node.id)
    (shown,) = await control.instances()
    assert shown["PingStatus"] == "ConnectionLost"
    assert shown["LastPingDateTime"] <= control.clock.now()


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"IamRole": "nobody"}, "ValidationException"),
        ({"IamRole": "other"}, "ValidationException"),
        ({"ExpirationDate": 1.0}, "InvalidParameters"),
        ({"ExpirationDate": 32503680000.0}, "InvalidParameters"),
        ({"RegistrationMetadata": [{"Key": "a", "Value": "b"}]}, "InvalidParameters"),
    ],
)
async def test_an_activation_that_cannot_be_is_refused(control: Control, fields: dict[str, Any], code: str) -> None:
    other = json.dumps(TRUST).replace("ssm.amazonaws.com", "ec2.amazonaws.com")
    await control.iam.create_role(RoleName="other", AssumeRolePolicyDocument=other)
    with pytest.raises(AwsError) as caught:
        await control.activate(**fields)
    assert caught.value.code == code
    assert control.store.all(model.activations) == []


async def test_activations_are_found_by_what_they_say_in_pages(control: Control) -> None:
    made = [(await control.activate(DefaultInstanceName=f"n{number % 2}"))[0] for number in range(5)]
    by_name = await control.ssm.describe_activations(
        Filters=[{"FilterKey": "DefaultInstanceName", "FilterValues": ["n1"]}]
    )
    assert {row["ActivationId"] for row in by_name["ActivationList"]} == {made[1], made[3]}
    seen, token = [], {}
    while True:
        page = await control.ssm.describe_activations(MaxResults=2, **token)
        seen += [row["ActivationId"] for row in page["ActivationList"]]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert seen == sorted(made)


async def test_another_role_may_be_given(control: Control) -> None:
    await control.join("box", *await control.activate())
    (shown,) = await control.instances()
    await control.iam.create_role(RoleName="second", AssumeRolePolicyDocument=json.dumps(TRUST))
    await control.ssm.update_managed_instance_role(InstanceId=shown["InstanceId"], IamRole="second")
    assert [row["IamRole"] for row in await control.instances()] == ["second"]
    with pytest.raises(AwsError, match="Nonexistent role or missing ssm service principal"):
        await control.ssm.update_managed_instance_role(InstanceId=shown["InstanceId"], IamRole="nobody")
