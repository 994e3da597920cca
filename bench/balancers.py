"""Two hundred load balancers by the public API: until all of them are in force, and what a change to one costs then.

    python -m bench.balancers [--count N]

Root needed. Each has five rules, a target group of its own and ten targets: nine calls of boto3, whose own CPU is in
the seconds (it takes more than the platform's). What the platform used of CPU stands beside them. What the proxy alone
takes for as many at once is `bench.balancing`'s.
"""

from __future__ import annotations

import argparse
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bench.process import cpu_seconds
from bench.rows import report
from tools.instance import Instance, eventually

COUNT, RULES, TARGETS = 200, 5, 10
CALLERS = 4
CHANGES = 30


def targets(number: int, count: int = TARGETS) -> list[dict[str, Any]]:
    """Beyond the VPC: nobody is there, which costs nothing here."""
    near = f"10.{number // 250}.{number % 250}"
    return [{"Id": f"{near}.{each + 1}", "Port": 80, "AvailabilityZone": "all"} for each in range(count)]


def make(elb: Any, number: int, subnets: list[str], vpc: str) -> str:
    """The target group's ARN."""
    made = elb.create_load_balancer(Name=f"b{number}", Subnets=subnets, Scheme="internal")
    balancer = made["LoadBalancers"][0]["LoadBalancerArn"]
    made = elb.create_target_group(Name=f"g{number}", Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip")
    group: str = made["TargetGroups"][0]["TargetGroupArn"]
    forward = [{"Type": "forward", "TargetGroupArn": group}]
    made = elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=forward)
    listener = made["Listeners"][0]["ListenerArn"]
    for each in range(RULES):
        path = [{"Field": "path-pattern", "Values": [f"/{each}/*"]}]
        elb.create_rule(ListenerArn=listener, Priority=each + 1, Conditions=path, Actions=forward)
    elb.register_targets(TargetGroupArn=group, Targets=targets(number))
    return group


def active(elb: Any) -> int:
    pages = elb.get_paginator("describe_load_balancers").paginate()
    return sum(each["State"]["Code"] == "active" for page in pages for each in page["LoadBalancers"])


def main(count: int) -> None:
    with Instance() as hatoba:
        elb = hatoba.client("elbv2")
        vpc, subnets = hatoba.vpc(), hatoba.subnets()[:2]
        pids = [hatoba.pid(process) for process in ("control", "node")]
        used, began = [cpu_seconds(pid) for pid in pids], time.monotonic()
        with ThreadPoolExecutor(CALLERS) as callers:
            groups = list(callers.map(lambda number: make(elb, number, subnets, vpc), range(count)))
        eventually(lambda: active(elb) == count, 120, 0.2)
        took = time.monotonic() - began
        control, node = (cpu_seconds(pid) - before for pid, before in zip(pids, used, strict=True))
        print(f"  CPU: control plane {control:.1f} s, node's agent {node:.1f} s")
        report(
            f"{count} load balancers, {count * RULES} rules, {count * TARGETS} targets by the API",
            took,
            "s",
            at_most=10,
        )
        changes = []
        for number in range(CHANGES):
            began = time.monotonic()
            elb.deregister_targets(TargetGroupArn=groups[number % count], Targets=targets(number % count, 1))
            changes.append((time.monotonic() - began) * 1000)
        report("a change to one of them, by the API", statistics.median(changes), "ms", at_most=50.0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=COUNT)
    main(parser.parse_args().count)
