"""From an empty account to traffic and back, with boto3."""

from __future__ import annotations

from pathlib import Path

from tests.conformance.elbv2.world import served


def test_the_main_job(tmp_path: Path) -> None:
    with served(tmp_path) as platform:
        elb, ec2, world = platform.client(), platform.client("ec2"), platform.world
        subnets = ec2.describe_subnets()["Subnets"]
        vpc = subnets[0]["VpcId"]
        (balancer,) = elb.create_load_balancer(Name="web", Subnets=[s["SubnetId"] for s in subnets[:2]])[
            "LoadBalancers"
        ]
        arn = balancer["LoadBalancerArn"]
        assert balancer["State"] == {"Code": "provisioning"}
        assert balancer["DNSName"].startswith("web-")
        assert len(balancer["AvailabilityZones"]) == 2

        elb.get_waiter("load_balancer_available").wait(LoadBalancerArns=[arn], WaiterConfig={"Delay": 1})
        id_ = arn.partition("loadbalancer/")[2]
        interfaces = ec2.describe_network_interfaces(Filters=[{"Name": "description", "Values": [f"ELB {id_}"]}])[
            "NetworkInterfaces"
        ]
        assert len(interfaces) == 2
        assert all(each["RequesterManaged"] and each["Status"] == "in-use" for each in interfaces)
        assert all(each["Association"]["PublicIp"].startswith("100.64.") for each in interfaces)

        (group,) = elb.create_target_group(Name="app", Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip")[
            "TargetGroups"
        ]
        of = group["TargetGroupArn"]
        elb.register_targets(TargetGroupArn=of, Targets=[{"Id": "172.31.0.10"}])
        (shown,) = elb.describe_target_health(TargetGroupArn=of)["TargetHealthDescriptions"]
        assert shown["TargetHealth"]["State"] == "unused"
        elb.create_listener(
            LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=[{"Type": "forward", "TargetGroupArn": of}]
        )
        assert elb.describe_target_groups(TargetGroupArns=[of])["TargetGroups"][0]["LoadBalancerArns"] == [arn]
        platform.wait(world.settle())
        elb.get_waiter("target_in_service").wait(TargetGroupArn=of, WaiterConfig={"Delay": 1})
        (wanted,) = world.wanted().balancers
        assert wanted.addresses == tuple(each["PrivateIpAddress"] for each in sorted(interfaces, key=_subnet))
        assert world.wanted().groups[0].targets[0].address == "172.31.0.10"

        elb.deregister_targets(TargetGroupArn=of, Targets=[{"Id": "172.31.0.10", "Port": 80}])
        (shown,) = elb.describe_target_health(TargetGroupArn=of)["TargetHealthDescriptions"]
        assert shown["TargetHealth"] == {
            "State": "draining",
            "Reason": "Target.DeregistrationInProgress",
            "Description": "Target deregistration is in progress",
        }
        assert world.wanted().groups[0].targets[0].state == "draining"
        platform.wait(world.pass_time(301))
        assert elb.describe_target_health(TargetGroupArn=of)["TargetHealthDescriptions"] == []
        assert world.wanted().groups[0].targets == ()

        elb.delete_load_balancer(LoadBalancerArn=arn)
        elb.get_waiter("load_balancers_deleted").wait(LoadBalancerArns=[arn], WaiterConfig={"Delay": 1})
        platform.wait(world.settle())
        assert world.carried() == []
        assert ec2.describe_network_interfaces()["NetworkInterfaces"] == []
        elb.delete_target_group(TargetGroupArn=of)


def _subnet(interface: dict[str, str]) -> str:
    return interface["SubnetId"]
