"""`make demo`: the platform, a page and an API behind a load balancer, from nothing to a URL that answers.

Everything below the first step is the public AWS API and stock clients: read it as a first example. Running it again
finds what is there and rolls out what changed.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3

HERE = Path(__file__).parent
HATOBA = str(Path(sys.executable).with_name("hatoba"))
DATA = os.environ.get("HATOBA_DATA", "/var/lib/hatoba")
PORT = int(os.environ.get("HATOBA_PORT", "4566"))
CLUSTER, VERSION = "default", "v1"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


@contextlib.contextmanager
def step(what: str) -> Iterator[None]:
    """One line a step, with the seconds it took."""
    print(f"{what} ".ljust(62, "."), end=" ", flush=True)
    began = time.monotonic()
    yield
    print(f"{time.monotonic() - began:5.1f} s", flush=True)


def run(*command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)
    if done.returncode != 0:
        sys.exit(f"\n{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def until(check: Callable[[], Any], seconds: float, what: str) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := check()):
        if time.monotonic() > deadline:
            sys.exit(f"\n{what}: not within {seconds:.0f} s. `hatoba ps --all` and {DATA}/*.log tell more.")
        time.sleep(0.1)
    return found


def up() -> dict[str, str]:
    """Starts the platform unless it runs already; the environment that its clients need."""
    if subprocess.run([HATOBA, "status", "--data", DATA], capture_output=True, check=False).returncode != 0:
        run(HATOBA, "up", "--data", DATA, "--port", str(PORT), "--detach")
    lines = run(HATOBA, "env", "--data", DATA).splitlines()
    return dict(line.removeprefix("export ").split("=", 1) for line in lines)


def client(environment: dict[str, str], service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        region_name=environment["AWS_DEFAULT_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )


def build_and_push(ecr: Any, name: str) -> str:
    """Builds examples/images/<name> with buildah and pushes it; the reference to run."""
    with contextlib.suppress(ecr.exceptions.RepositoryAlreadyExistsException):
        ecr.create_repository(repositoryName=name)
    uri: str = ecr.describe_repositories(repositoryNames=[name])["repositories"][0]["repositoryUri"]
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    with tempfile.TemporaryDirectory() as folder:
        context = Path(folder) / name
        shutil.copytree(HERE / "images" / name, context)
        shutil.copy("/bin/busybox", context / "busybox")
        store = ["--root", f"{folder}/store", "--runroot", f"{folder}/run", "--storage-driver", "vfs"]
        run("buildah", *store, "build", "-q", "-t", name, str(context))
        credentials = base64.b64decode(token).decode()
        image = f"{uri}:{VERSION}"
        run("buildah", *store, "push", "-q", "--tls-verify=false", "--creds", credentials, name, f"docker://{image}")
    return image


class Site:
    """One load balancer, with a target group and a service for the page and for the API."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.ecs, self.elb, self.ec2, self.logs, self.ecr, self.iam = (
            client(environment, name) for name in ("ecs", "elbv2", "ec2", "logs", "ecr", "iam")
        )
        vpcs = self.ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])
        self.vpc: str = vpcs["Vpcs"][0]["VpcId"]
        found = self.ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [self.vpc]}])
        self.subnets = [subnet["SubnetId"] for subnet in found["Subnets"]]

    def execution_role(self) -> str:
        """The role under which the platform writes a task's logs."""
        with contextlib.suppress(self.iam.exceptions.EntityAlreadyExistsException):
            self.iam.create_role(RoleName="demo-execution", AssumeRolePolicyDocument=json.dumps(TRUST))
        policy = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
        self.iam.attach_role_policy(RoleName="demo-execution", PolicyArn=policy)
        return str(self.iam.get_role(RoleName="demo-execution")["Role"]["Arn"])

    def security_group(self) -> str:
        by_name = [{"Name": "group-name", "Values": ["demo"]}]
        if known := self.ec2.describe_security_groups(Filters=by_name)["SecurityGroups"]:
            return str(known[0]["GroupId"])
        group: str = self.ec2.create_security_group(GroupName="demo", Description="the demo", VpcId=self.vpc)["GroupId"]
        self.ec2.authorize_security_group_ingress(
            GroupId=group, IpProtocol="tcp", FromPort=80, ToPort=80, CidrIp="0.0.0.0/0"
        )
        return group

    def target_group(self, name: str, path: str) -> str:
        group = self.elb.create_target_group(
            Name=name,
            Protocol="HTTP",
            Port=80,
            VpcId=self.vpc,
            TargetType="ip",
            HealthCheckPath=path,
            HealthCheckIntervalSeconds=5,
            HealthCheckTimeoutSeconds=2,
            HealthyThresholdCount=2,
        )["TargetGroups"][0]["TargetGroupArn"]
        delay = [{"Key": "deregistration_delay.timeout_seconds", "Value": "1"}]
        self.elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=delay)
        return str(group)

    def balancer(self, security_group: str, web: str, api: str) -> str:
        """`/cgi-bin/*` goes to the API, everything else to the page."""
        arn: str = self.elb.create_load_balancer(
            Name="demo", Subnets=self.subnets, SecurityGroups=[security_group], Scheme="internet-facing"
        )["LoadBalancers"][0]["LoadBalancerArn"]
        if not self.elb.describe_listeners(LoadBalancerArn=arn)["Listeners"]:
            listener = self.elb.create_listener(
                LoadBalancerArn=arn,
                Protocol="HTTP",
                Port=80,
                DefaultActions=[{"Type": "forward", "TargetGroupArn": web}],
            )["Listeners"][0]["ListenerArn"]
            self.elb.create_rule(
                ListenerArn=listener,
                Priority=10,
                Conditions=[{"Field": "path-pattern", "Values": ["/cgi-bin/*"]}],
                Actions=[{"Type": "forward", "TargetGroupArn": api}],
            )
        return arn

    def service(self, name: str, image: str, security_group: str, target_group: str) -> None:
        with contextlib.suppress(self.logs.exceptions.ResourceAlreadyExistsException):
            self.logs.create_log_group(logGroupName=f"/ecs/{name}")
        definition: str = self.ecs.register_task_definition(
            family=name,
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            executionRoleArn=self.execution_role(),
            containerDefinitions=[
                {
                    "name": name,
                    "image": image,
                    "portMappings": [{"containerPort": 80}],
                    "linuxParameters": {"initProcessEnabled": True},
                    "logConfiguration": {
                        "logDriver": "awslogs",
                        "options": {
                            "awslogs-group": f"/ecs/{name}",
                            "awslogs-region": "us-east-1",
                            "awslogs-stream-prefix": "demo",
                        },
                    },
                }
            ],
        )["taskDefinition"]["taskDefinitionArn"]
        known = self.ecs.describe_services(cluster=CLUSTER, services=[name])["services"]
        if any(service["status"] == "ACTIVE" for service in known):
            self.ecs.update_service(cluster=CLUSTER, service=name, taskDefinition=definition)
            return
        network = {"subnets": self.subnets, "securityGroups": [security_group], "assignPublicIp": "DISABLED"}
        self.ecs.create_service(
            cluster=CLUSTER,
            serviceName=name,
            taskDefinition=definition,
            desiredCount=2,
            launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": network},
            loadBalancers=[{"targetGroupArn": target_group, "containerName": name, "containerPort": 80}],
        )

    def steady(self) -> bool:
        services = self.ecs.describe_services(cluster=CLUSTER, services=["web", "api"])["services"]
        return all(
            len(service["deployments"]) == 1 and service["deployments"][0]["rolloutState"] == "COMPLETED"
            for service in services
        )


def answers(url: str) -> str | None:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return str(answer.read().decode())
    except OSError:
        return None


def main() -> None:
    with step("Starting the platform"):
        environment = up()
    site = Site(environment)
    images = {}
    for name in ("web", "api"):
        with step(f"Building and pushing the image of `{name}`"):
            images[name] = build_and_push(site.ecr, name)
    with step("Creating the load balancer"):
        security_group = site.security_group()
        web, api = site.target_group("web", "/"), site.target_group("api", "/cgi-bin/hello")
        site.balancer(security_group, web, api)
    with step("Deploying the services `web` and `api`, two tasks each"):
        site.service("web", images["web"], security_group, web)
        site.service("api", images["api"], security_group, api)
        until(site.steady, 90, "The services are not steady")
    url = until(
        lambda: subprocess.run(
            [HATOBA, "open", "web", "--data", DATA], capture_output=True, text=True, check=False
        ).stdout.strip(),
        20,
        "The load balancer has no address",
    )
    with step(f"Asking {url}"):
        until(lambda: answers(url), 20, "The page does not answer")
        said = until(lambda: answers(f"{url}cgi-bin/hello"), 20, "The API does not answer")
    hatoba = ".venv/bin/hatoba"
    where = "" if DATA == "/var/lib/hatoba" else f" --data {DATA}"
    print(f"""
  {url}
  {url}cgi-bin/hello    {said.strip()}

Try next:
  {hatoba} ps{where}                      services and tasks
  {hatoba} logs web -f{where}             what they print
  eval "$({hatoba} env{where})"           then the AWS CLI, boto3, …
  make demo                           again: a rolling update, without a failed request
  make down                           ends it all
""")


if __name__ == "__main__":
    main()
