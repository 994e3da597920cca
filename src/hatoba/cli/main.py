"""`hatoba`: the commands and their options. Imports what a command needs when it runs, so `--help` is instant."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

import hatoba
from hatoba.core.errors import AwsError, Refused

Command = Callable[[argparse.Namespace], int]
Add = Callable[[str, str | None, str], argparse.ArgumentParser]


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="hatoba", description="The AWS container platform on your own machine.")
    top.add_argument("--version", action="version", version=f"hatoba {hatoba.__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, help_: str | None, run: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=help_, description=help_) if help_ else commands.add_parser(name)
        made.add_argument("--data", type=Path, default=None, metavar="DIR", help="data directory (/var/lib/hatoba)")
        made.set_defaults(run=run)
        return made

    _instance(add)
    _node(add)
    _daily(add)
    _machine(add)
    return top


def _instance(add: Add) -> None:
    up = add("up", "start control plane and node", "instance.up")
    up.add_argument("--port", type=int, help="port of the endpoint (4566)")
    up.add_argument("--host", help="address of the endpoint (127.0.0.1)")
    up.add_argument("--auth", choices=["on", "off"], help="verify signatures (on)")
    up.add_argument("--region", help="default region (us-east-1)")
    up.add_argument("--pool", help="block of host-side addresses, a /16 (one in 100.64.0.0/10 that is free)")
    up.add_argument("--node-host", dest="node_host", help="address on which nodes connect (127.0.0.1)")
    up.add_argument("--node-port", dest="node_port", type=int, help="port on which nodes connect")
    up.add_argument("--detach", action="store_true", help="return once ready; go on in the background")
    up.add_argument("--keep-tasks", action="store_true", help="when this ends, leave the tasks running")

    down = add("down", "stop everything that belongs to DIR", "instance.down")
    down.add_argument("--purge", action="store_true", help="delete DIR too")

    status = add("status", "components, versions, counts, what is unhealthy and why", "instance.status")
    status.add_argument("--json", action="store_true")

    add("env", 'export lines for a shell: eval "$(hatoba env)"', "instance.env")
    add("control", None, "instance.control")


def _node(add: Add) -> None:
    node = add("node", "run a node agent; or look after the nodes that there are", "instance.node")
    verbs = ["token", "list", "cordon", "uncordon", "remove"]
    node.add_argument("what", nargs="?", choices=verbs, help="token: print one for one more node to join with")
    node.add_argument("which", nargs="?", metavar="NODE", help="name or id, of which to cordon, uncordon or remove")
    node.add_argument("--join", metavar="TOKEN", help="join the control plane that made this token")
    node.add_argument("--activation-id", metavar="ID", help="join as `aws ssm create-activation` allows it: its id")
    node.add_argument("--activation-code", metavar="CODE", help="and its code")
    node.add_argument("--join-file", type=Path, help=argparse.SUPPRESS)
    node.add_argument("--name", help="what the node is called (the host's name)")
    node.add_argument("--address", default="", help="this node's address for the other nodes")
    node.add_argument("--attribute", action="append", default=[], metavar="NAME[=VALUE]", help="of its instances")
    node.add_argument("--group", help="the Auto Scaling group whose capacity providers place tasks on it")
    node.add_argument("--external", action="store_true", help="only for tasks of the launch type EXTERNAL")


def _machine(add: Add) -> None:
    add("doctor", "check this machine and say how to mend what is missing", "doctor.doctor")
    simulate = add(
        "simulate", "what if: the real scheduler and reconcilers over a simulated fleet", "simulate.simulate"
    )
    simulate.add_argument("scenario", nargs="?", type=Path, help="TOML or JSON; without it, equal machines and tasks")
    simulate.add_argument("--nodes", type=int, default=5_000)
    simulate.add_argument("--tasks", type=int, default=100_000)
    simulate.add_argument("--seed", type=int, default=0)
    simulate.add_argument("--json", action="store_true")

    registry = add("registry", "let podman, skopeo and buildah talk to the registry without TLS", "instance.registry")
    registry.add_argument("what", choices=["trust"])
    registry.add_argument("--remove", action="store_true")

    names = add("names", "let this host resolve the platform's names", "instance.names")
    names.add_argument("what", choices=["install", "remove"])


def _daily(add: Add) -> None:
    ps = add("ps", "services and tasks", "daily.ps")
    ps.add_argument("--all", action="store_true", help="stopped tasks too")
    ps.add_argument("--cluster", default="default")

    story = add("story", "everything that happened to a task, moment by moment", "story.story")
    story.add_argument("task", help="id or ARN")
    story.add_argument("--json", action="store_true")
    story.add_argument("--cluster", default="default")

    interrupt = add(
        "interrupt", "take a FARGATE_SPOT task's capacity away, as AWS may at any time", "instance.interrupt"
    )
    interrupt.add_argument("task", help="id or ARN")

    logs = add("logs", "what a service's containers print", "daily.logs")
    logs.add_argument("service")
    logs.add_argument("-f", "--follow", action="store_true")
    logs.add_argument("--cluster", default="default")

    open_ = add("open", "the URL of a service's load balancer", "daily.open_url")
    open_.add_argument("service")
    open_.add_argument("--cluster", default="default")

    exec_ = add("exec", "run a command in a container of a task: hatoba exec TASK -- CMD", "enter.exec_")
    exec_.add_argument("task", nargs="?", help="id or ARN")
    exec_.add_argument("--container", help="which one, of several")
    exec_.add_argument("--service", help="instead of a task: any running one of this service's")
    exec_.add_argument("--cluster", default="default")


def main(words: list[str] | None = None) -> int:
    words = sys.argv[1:] if words is None else words
    end = words.index("--") if "--" in words else len(words)
    given = parser().parse_args(words[:end])
    given.words = words[end + 1 :]  # a command's own, for `exec`
    module, _, name = given.run.partition(".")
    try:
        run: Command = getattr(__import__(f"hatoba.cli.{module}", fromlist=[name]), name)
        return run(given)
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 1
    except AwsError as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever reads has seen enough; what is still buffered goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


if __name__ == "__main__":
    sys.exit(main())
