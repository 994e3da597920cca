"""FireLens: what the router and the containers whose logs it routes are told. Golden files beside this test hold the
router's configuration; `HATOBA_GOLDEN=write` renews them."""

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hatoba.aws.shapes import ecs as t
from hatoba.core.secret import Secret
from hatoba.fleet.model import ContainerWanted, DependsOn
from hatoba.services.ecs.model.settings import Settings
from hatoba.services.ecs.model.task import Network, Task
from hatoba.services.ecs.model.task_definition import Definition, definitions
from hatoba.services.ecs.plan import launch
from hatoba.services.ecs.plan.definition.check import register
from hatoba.services.ecs.plan.secrets import Injected
from hatoba.services.ecs.plan.workload import workload
from tests.unit.services.ecs.world import ROLE, SCOPE, container, definition

GOLDEN = Path(__file__).parent / "golden"
TASK = "0123456789abcdef0123456789abcdef"


def router(kind: str = "fluentbit", **options: str) -> dict[str, Any]:
    return container("router", portMappings=[], firelensConfiguration={"type": kind, "options": options})


def sender(name: str, options: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
    secret = fields.pop("secret", [])
    log = {"logDriver": "awsfirelens", "options": options or {}, "secretOptions": secret}
    return container(name, portMappings=[], logConfiguration=log, **fields)


def registered(*containers: dict[str, Any], **fields: Any) -> Definition:
    made = register(definition(containerDefinitions=list(containers), executionRoleArn=ROLE, **fields))  # type: ignore[arg-type]
    return Definition(
        key=definitions.key(SCOPE, "web:0000000003"),
        family="web",
        revision=3,
        content=made.content,
        compatibilities=made.compatibilities,
        requires=made.requires,
        registered_at=1.0,
        registered_by="me",
    )


def task_of(record: Definition, launch_type: Any = "FARGATE") -> Task:
    wish = launch.Wish(
        cluster="default",
        definition=record,
        launch_type=launch_type,
        group="family:web",
        network=Network(subnets=("subnet-a",)),
    )
    return launch.task(wish, SCOPE, TASK, "node-1", "subnet-a", wish.reserve(Settings()), 2.0)


def told(
    record: Definition, launch_type: str = "FARGATE", injected: Injected | None = None
) -> dict[str, ContainerWanted]:
    made = workload(task_of(record, launch_type), record, Settings(), injected or Injected())
    return {c.name: c for c in made.containers}


def check(name: str, text: str) -> None:
    path = GOLDEN / name
    if os.environ.get("HATOBA_GOLDEN") == "write":
        path.write_text(text)
    assert text == path.read_text(), f"{name} differs; look at it, then HATOBA_GOLDEN=write"


def config_of(containers: dict[str, ContainerWanted]) -> tuple[str, str]:
    (found,) = (c.router for c in containers.values() if c.router is not None)
    ((path, text),) = found.files.items()
    return path, text


FIREHOSE = {
    "region": "us-west-2",
    "delivery_stream": "my-stream",
    "include-pattern": "failure",
    "exclude-pattern": "success",
    "log-driver-buffer-limit": "2097152",
}


def test_the_configuration_of_fluent_bit() -> None:
    key = [{"name": "apikey", "valueFrom": "key"}]
    record = registered(
        router(),
        sender("web", {"Name": "kinesis_firehose", **FIREHOSE}),
        sender("api", {"Name": "datadog", "Host": "http-intake.example", "TLS": "on"}, secret=key),
    )
    path, text = config_of(told(record))
    assert path == "/fluent-bit/etc/fluent-bit.conf"
    check("fluent-bit.conf", text)


def test_the_configuration_of_fluentd() -> None:
    key = [{"name": "api_key", "valueFrom": "key"}]
    record = registered(
        sender("web", {"@type": "kinesis_firehose", **FIREHOSE}, secret=key),
        router("fluentd", **{"config-file-type": "file", "config-file-value": "/extra.conf"}),
    )
    path, text = config_of(told(record))
    assert path == "/fluentd/etc/fluent.conf"
    check("fluentd.conf", text)


def test_on_the_hosts_network_there_is_only_the_socket_and_an_instance_is_named() -> None:
    record = registered(
        router(**{"config-file-type": "s3", "config-file-value": "arn:aws:s3:::configuration/extra.conf"}),
        sender("web", {"Name": "stdout"}),
        networkMode="host",
        requiresCompatibilities=["EC2"],
    )
    found = told(record, "EC2", Injected(router_config=Secret("[SERVICE]")))
    check("fluent-bit-host.conf", config_of(found)[1])
    assert found["router"].router is not None
    assert found["router"].router.sealed == {"/fluent-bit/etc/external.conf": Secret("[SERVICE]")}


def test_without_metadata_and_without_outputs() -> None:
    record = registered(router(**{"enable-ecs-log-metadata": "false"}), sender("web"))
    check("fluent-bit-bare.conf", config_of(told(record))[1])


def test_what_is_routed_starts_after_the_router_and_goes_to_its_socket() -> None:
    found = told(registered(sender("web", {"Name": "stdout", "log-driver-buffer-limit": "4096"}), router()))
    web = found["web"]
    assert web.depends_on == (DependsOn(container="router", condition="START"),)
    assert web.log is not None
    assert (web.log.driver, web.log.router) == ("fluentd", "router")
    assert web.log.options == {
        "tag": f"web-firelens-{TASK}",
        "fluentd-sub-second-precision": "true",
        "fluentd-request-ack": "true",
        "fluentd-buffer-limit": "4096",
    }
    assert found["router"].user == "0"
    assert found["router"].log is None


def test_a_dependency_on_the_router_that_is_there_stays_as_it_is() -> None:
    healthy = [{"containerName": "router", "condition": "HEALTHY"}]
    checked = {**router(), "healthCheck": {"command": ["CMD", "true"]}}
    found = told(registered(checked, sender("web", dependsOn=healthy)))
    assert found["web"].depends_on == (DependsOn(container="router", condition="HEALTHY"),)


def test_secret_options_stand_in_the_routers_environment_not_in_its_configuration() -> None:
    record = registered(router(), sender("web", {"Name": "datadog"}, secret=[{"name": "apikey", "valueFrom": "key"}]))
    found = told(record, injected=Injected(log_options={"web": {"apikey": Secret("hunter2")}}))
    assert "    apikey ${apikey_1}\n" in config_of(found)[1]
    assert found["router"].secrets == {"apikey_1": Secret("hunter2")}
    assert found["web"].log is not None
    assert found["web"].log.secrets == {}, "they are the router's, not the driver's"
    assert b"hunter2" not in msgspec.json.encode(list(found.values()), enc_hook=repr)


S3 = {"config-file-type": "s3", "config-file-value": "arn:aws:s3:::b/k"}


@pytest.mark.parametrize(
    ("containers", "said"),
    [
        ([router()], "When a firelensConfiguration object is specified, at least one container has to be configured"),
        ([sender("web")], "When awsfirelens log driver is specified in log configuration, a firelens configuration"),
        ([router(), {**router(), "name": "b"}, sender("web")], "Only one container of a task definition can have"),
        ([router(), sender("web", {"region": "x"})], "missing output key Name which is required for firelens "
         "configuration of type fluentbit"),
        ([router("fluentd"), sender("web", {"Name": "x"})], "missing output key @type"),
        ([router(), sender("web", {"log-driver-buffer-limit": "-1"})], "must be a number from 0 to 536870912"),
        ([router(**{"config-file-type": "gopher"}), sender("web")], "invalid value gopher is specified for option"),
        ([router(**{"config-file-type": "file"}), sender("web")], "config-file-value is not specified"),
        ([router(**{**S3, "config-file-value": "s3://b/k"}), sender("web")], "Invalid arn syntax."),
        ([router(**S3), sender("web")], "do not support the config-file-type s3 of firelensConfiguration"),
        ([{**router(), "dependsOn": [{"containerName": "web", "condition": "START"}]}, sender("web")],
         "Container router routes the logs of web and starts before it: it cannot depend on it."),
    ],
)  # fmt: skip
def test_what_is_refused(containers: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(t.ClientException, match=said):
        registered(*containers)


def test_the_router_does_not_route_its_own_logs() -> None:
    itself = {**sender("router"), "firelensConfiguration": {"type": "fluentbit"}}
    with pytest.raises(t.ClientException, match="cannot route its own logs"):
        registered(itself)


def test_what_an_instance_must_be_able_to_do() -> None:
    secret = [{"name": "apikey", "valueFrom": "arn:aws:secretsmanager:us-east-1:123456789012:secret:key"}]
    options = {"Name": "datadog", "log-driver-buffer-limit": "4096"}
    made = registered(
        router(**{"config-file-type": "file", "config-file-value": "/x"}), sender("web", options, secret=secret)
    )
    assert {
        "com.amazonaws.ecs.capability.logging-driver.awsfirelens",
        "ecs.capability.logging-driver.awsfirelens.log-driver-buffer-limit",
        "ecs.capability.secrets.asm.bootstrap.log-driver",
        "ecs.capability.firelens.fluentbit",
        "ecs.capability.firelens.options.config.file",
    } <= set(made.requires)
