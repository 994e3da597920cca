"""What ECS's operations need to be allowed: the table.

Source: the service authorisation reference, "Amazon Elastic Container Service". Where an action has no resource there
(DescribeTaskDefinition, ListServices), it has none here.
"""

from __future__ import annotations

from hatoba.gateway.needs import Access, on, untagged
from hatoba.services.ecs.access import keys
from hatoba.services.ecs.access import resources as r
from hatoba.services.ecs.access.further import (
    BALANCER_ROLES,
    DEFINITION_ROLES,
    PROVIDER_ROLES,
    SERVICE_ROLES,
    VOLUME_ROLES,
    passing_tasks_roles,
    tagging,
)

DEPLOYMENT = keys.in_history("service-deployment", "serviceDeploymentArn")
DEPLOYMENTS = keys.in_history("service-deployment", "serviceDeploymentArns")
REVISIONS = keys.in_history("service-revision", "serviceRevisionArns")
NEW_CLUSTER = r.clusters("clusterName")
RUNNING = (passing_tasks_roles, VOLUME_ROLES, tagging(r.new_tasks))
_INSTANCES = r.in_cluster("container-instance", "")

CLUSTERS = {
    "CreateCluster": on(NEW_CLUSTER, keys=keys.of_cluster, tags="tags", also=(tagging(NEW_CLUSTER),)),
    "DeleteCluster": on(r.cluster),
    "DescribeClusters": on(r.clusters("clusters")),
    "ListClusters": on(),
    "PutClusterCapacityProviders": on(r.cluster, keys=keys.of_cluster),
    "UpdateCluster": on(r.cluster, keys=keys.of_cluster),
    "UpdateClusterSettings": on(r.cluster),
}

CAPACITY = {
    "CreateCapacityProvider": on(
        r.PROVIDER, keys=keys.of_provider, tags="tags", also=(PROVIDER_ROLES, tagging(r.PROVIDER))
    ),
    "DeleteAttributes": on(r.TARGETS, keys=keys.in_cluster),
    "DeleteCapacityProvider": on(r.providers("capacityProvider")),
    "DeregisterContainerInstance": on(r.cluster),
    "DescribeCapacityProviders": on(r.providers("capacityProviders")),
    "DescribeContainerInstances": on(r.INSTANCES, keys=keys.in_cluster),
    "ListAttributes": on(r.cluster),
    "ListContainerInstances": on(r.cluster),
    "PutAttributes": on(r.TARGETS, keys=keys.in_cluster),
    "RegisterContainerInstance": on(r.cluster, tags="tags", also=(tagging(_INSTANCES),)),
    "UpdateCapacityProvider": on(r.PROVIDER, keys=keys.of_provider, also=(PROVIDER_ROLES,)),
    "UpdateContainerInstancesState": on(r.INSTANCES, keys=keys.in_cluster),
}

DEFINITIONS = {
    "DeleteTaskDefinitions": on(r.definitions("taskDefinitions")),
    "DeregisterTaskDefinition": on(),
    "DescribeTaskDefinition": on(),
    "ListTaskDefinitionFamilies": on(),
    "ListTaskDefinitions": on(),
    "RegisterTaskDefinition": on(
        r.new_definition, keys=keys.of_definition, tags="tags", also=(DEFINITION_ROLES, tagging(r.new_definition))
    ),
}

TASKS = {
    "DescribeTasks": on(r.TASKS, keys=keys.in_cluster),
    "ExecuteCommand": on(r.cluster, r.TASK, keys=keys.command),
    "GetTaskProtection": on(r.TASKS, keys=keys.in_cluster),
    "ListTasks": on(r.INSTANCE, keys=keys.in_cluster),
    "RunTask": on(r.DEFINITION, keys=keys.of_run, tags="tags", also=RUNNING),
    "StartTask": on(r.DEFINITION, keys=keys.of_start, tags="tags", also=RUNNING),
    "StopTask": on(r.TASK, keys=keys.in_cluster),
    "UpdateTaskProtection": on(r.TASKS, keys=keys.in_cluster),
}

SERVICES = {
    "ContinueServiceDeployment": on(r.DEPLOYMENT, keys=DEPLOYMENT),
    "CreateService": on(
        r.new_service, keys=keys.of_new_service, tags="tags", also=(SERVICE_ROLES, tagging(r.new_service))
    ),
    "CreateTaskSet": on(
        r.new_task_set, keys=keys.of_task_set, tags="tags", also=(BALANCER_ROLES, tagging(r.new_task_set))
    ),
    "DeleteService": on(r.service, keys=keys.in_cluster),
    "DeleteTaskSet": on(r.TASK_SET, keys=keys.in_service),
    "DescribeServiceDeployments": on(r.DEPLOYMENTS, keys=DEPLOYMENTS),
    "DescribeServiceRevisions": on(r.REVISIONS, keys=REVISIONS),
    "DescribeServices": on(r.SERVICES, keys=keys.in_cluster),
    "DescribeTaskSets": on(r.task_sets("taskSets"), keys=keys.in_service),
    "ListServiceDeployments": on(r.service, keys=keys.in_cluster),
    "ListServices": on(keys=keys.in_cluster),
    "ListServicesByNamespace": on(keys=keys.namespace),
    "StopServiceDeployment": on(r.DEPLOYMENT, keys=DEPLOYMENT),
    "UpdateService": on(r.service, keys=keys.of_service, also=(SERVICE_ROLES,)),
    "UpdateServicePrimaryTaskSet": on(r.service, keys=keys.in_cluster),
    "UpdateTaskSet": on(r.TASK_SET, keys=keys.in_service),
}

OTHERS = {
    "DeleteAccountSetting": on(keys=keys.account_setting),
    "ListAccountSettings": on(),
    "ListTagsForResource": on(r.TAGGED),
    "PutAccountSetting": on(keys=keys.account_setting),
    "PutAccountSettingDefault": on(keys=keys.account_setting),
    "TagResource": on(r.TAGGED, tags="tags"),
    "UntagResource": on(r.TAGGED, keys=untagged("tagKeys")),
}

ACCESS = Access("ecs", {**CLUSTERS, **CAPACITY, **DEFINITIONS, **TASKS, **SERVICES, **OTHERS})
