"""A load balancer of the whole platform while everything around it changes: how soon a change is on the wire, and how
many requests fail under `wrk` while targets roll, weights shift, certificates are renewed, the control plane and the
node's agent are killed, and Envoy hands over to its successor.

    python -m bench.turmoil [--rounds N] [--seconds S]

Root needed. A change is effective with the first answer that shows it (a new target), or after the last one that does
not (one removed, a weight of 0), counted from the API's answer.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from bench.rows import report
from tools.instance import Instance, eventually
from tools.shifts import Shifted
from tools.web import Web

CONNECTIONS = 8
SETTLED = 0.4  # seconds without a change that are listened to after one


class Listening:
    """Asks again and again, on a connection for each request, and notes when who answered."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.heard: list[tuple[float, str]] = []

    def __enter__(self) -> Listening:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(5)

    def _run(self) -> None:

        connection = http.client.HTTPConnection(self._address, timeout=5)
        while not self._stop.is_set():
            connection.request("GET", "/")
            said = connection.getresponse().read().decode().strip()
            self.heard.append((time.monotonic(), said))

    def first(self, page: str, after: float) -> float:
        """Seconds until it was heard."""
        eventually(lambda: any(at > after and said == page for at, said in tuple(self.heard)), 10, 0.002)
        return next(at for at, said in self.heard if at > after and said == page) - after

    def last(self, page: str, after: float) -> float:
        """Seconds until it was heard no more."""
        time.sleep(SETTLED)
        return max((at - after for at, said in tuple(self.heard) if at > after and said == page), default=0.0)


def p99(values: list[float]) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * 0.99))] * 1000


def changes(hatoba: Instance, rounds: int) -> None:
    """Two pages, each in a task of its own, behind one load balancer."""
    web = Shifted(hatoba, "swap")
    elb = hatoba.client("elbv2")
    places = {page: _task(hatoba, web, page) for page in ("a", "b")}

    def register(group: str, page: str) -> None:
        elb.register_targets(TargetGroupArn=group, Targets=[{"Id": places[page], "Port": 80}])

    register(web.target_group, "a")
    come, gone, shifted = [], [], []
    address = eventually(lambda: web.address, 20)
    eventually(lambda: web.targets() == ["healthy"], 20)
    with Listening(address) as listening:
        eventually(lambda: listening.heard, 10)
        for _ in range(rounds):
            register(web.target_group, "b")
            come.append(listening.first("b", time.monotonic()))
            elb.deregister_targets(TargetGroupArn=web.target_group, Targets=[{"Id": places["b"], "Port": 80}])
            gone.append(listening.last("b", time.monotonic()))
            eventually(lambda: web.targets() == ["healthy"], 20)
        register(web.other, "b")
        _forward(elb, web, {web.target_group: 1, web.other: 1})
        listening.first("b", time.monotonic())
        for number in range(rounds):
            to, page = ((web.other, "a"), (web.target_group, "b"))[number % 2]
            weights = {web.target_group: 0, web.other: 0, to: 1}
            _forward(elb, web, weights)
            shifted.append(listening.last(page, time.monotonic()))
    report("new target → its first answer, p99", p99(come), "ms", at_most=100.0)
    report("removed target → its last answer, p99", p99(gone), "ms", at_most=100.0)
    report("changed weight → last answer by the old one, p99", p99(shifted), "ms", at_most=100.0)


def _forward(elb: Any, web: Shifted, weights: dict[str, int]) -> None:
    groups = [{"TargetGroupArn": group, "Weight": weight} for group, weight in weights.items()]
    action = {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}
    elb.modify_rule(RuleArn=web.rule, Actions=[action])


def _task(hatoba: Instance, web: Web, page: str) -> str:
    """Its address, once it runs."""
    ecs = hatoba.client("ecs")
    started = ecs.run_task(
        taskDefinition=web.define(page), launchType="FARGATE", networkConfiguration=hatoba.network(groups=[web.group])
    )["tasks"][0]["taskArn"]
    details = hatoba.wait_task(started, "RUNNING")["attachments"][0]["details"]
    return next(str(each["value"]) for each in details if each["name"] == "privateIPv4Address")


# --- everything at once


def wrk(url: str, seconds: int) -> subprocess.Popen[str]:
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "10s", url]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def said(load: subprocess.Popen[str]) -> tuple[int, list[str]]:
    """How many requests were answered, and what wrk has to say of failures."""
    out, _ = load.communicate(timeout=60)
    lines = out.splitlines()
    count = next(int(line.split()[0]) for line in lines if "requests in" in line)
    return count, [line.strip() for line in lines if "Socket errors" in line or "Non-2xx" in line]


def turmoil(hatoba: Instance, seconds: int) -> None:
    acm, elb, ec2 = hatoba.client("acm"), hatoba.client("elbv2"), hatoba.client("ec2")
    certificate = acm.request_certificate(DomainName="shop.example", KeyAlgorithm="EC_prime256v1")["CertificateArn"]
    web = Web(hatoba, "shop", count=3)
    ec2.authorize_security_group_ingress(
        GroupId=web.group, IpProtocol="tcp", FromPort=443, ToPort=443, CidrIp="0.0.0.0/0"
    )
    forward = [{"Type": "forward", "TargetGroupArn": web.target_group}]
    elb.create_listener(
        LoadBalancerArn=web.balancer,
        Protocol="HTTPS",
        Port=443,
        Certificates=[{"CertificateArn": certificate}],
        DefaultActions=forward,
    )
    versions = [web.define(version) for version in ("v1", "v2")]
    web.create("v1")
    web.steady()
    chance = random.Random(4)
    done: dict[str, int] = {}
    acts: dict[str, Callable[[], Any]] = {
        "targets rolled": lambda: web.update(versions[done.get("targets rolled", 0) % 2 - 1]),
        "weights shifted": lambda: elb.modify_listener(
            ListenerArn=web.listener, DefaultActions=[_weighted(web.target_group, chance.randint(1, 999))]
        ),
        "certificates renewed": lambda: acm.renew_certificate(CertificateArn=certificate),
        "control plane killed": lambda: _killed(hatoba, "control"),
        "agent killed": lambda: _killed(hatoba, "node"),
        "Envoy handed over": lambda: _hand_over(hatoba),
    }
    loads = [wrk(f"{scheme}://{web.address}/", seconds) for scheme in ("http", "https")]
    until = time.monotonic() + seconds - 5
    order = list(acts)
    while time.monotonic() < until:
        name = order.pop(0)
        order.append(name)
        if acts[name]() is not False:
            done[name] = done.get(name, 0) + 1
        time.sleep(chance.uniform(0.5, 1.5))
    print("  " + ", ".join(f"{name} {count}×" for name, count in done.items()))
    answered, failures = zip(*map(said, loads), strict=True)
    print(f"  {answered[0]} requests over HTTP, {answered[1]} over HTTPS answered")
    for each in (*failures[0], *failures[1]):
        print(f"  {each}")
    report("requests failed in the turmoil", sum(map(_count, (*failures[0], *failures[1]))), "", at_most=0)
    web.remove()


def _count(line: str) -> int:
    return sum(int(word.strip(",")) for word in line.split() if word.strip(",").isdigit())


def _weighted(group: str, weight: int) -> dict[str, Any]:
    return {"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": group, "Weight": weight}]}}


def _killed(hatoba: Instance, process: str) -> None:
    before = hatoba.pid(process)
    hatoba.kill(process)
    eventually(lambda: hatoba.pid(process) != before and hatoba.health_or_none(), 30, 0.1)


def _hand_over(hatoba: Instance) -> bool:
    """As after an upgrade: the Envoy that runs was started in another form. False while a former one is leaving."""
    run = Path(f"/run/hatoba/{hatoba.name}/proxy")
    (newest, *leaving) = sorted(run.glob("*/envoy-*.pid"), key=lambda each: -json.loads(each.read_text())["number"])
    if leaving:
        return False
    note = json.loads(newest.read_text())
    newest.write_text(json.dumps({**note, "form": "an earlier one"}))
    _killed(hatoba, "node")
    eventually(lambda: len(list(run.glob("*/envoy-*.pid"))) == 2, 30, 0.1)
    return True


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--seconds", type=int, default=60)
    given = parser.parse_args()
    with Instance() as instance:
        changes(instance, given.rounds)
        turmoil(instance, given.seconds)
