#!/usr/bin/env bash
# A daemon: one task on every instance of the cluster, however many there are, placed by nobody.
cd "$(dirname "$0")" && . ./begin.sh

say "1. A collector that every machine is to have, with an attribute that says which machines those are"
image=$(image collector v1)
node=$(aws ecs list-container-instances --query 'containerInstanceArns[0]' --output text)
aws ecs put-attributes --attributes "name=role,value=worker,targetId=$node" --query 'attributes[].[name,value]' --output text
aws ecs register-task-definition --family collector --network-mode host --requires-compatibilities EC2 \
    --container-definitions "[{\"name\": \"collector\", \"image\": \"$image\", \"memory\": 32,
        \"command\": [\"sh\", \"-c\", \"while true; do uptime; sleep 10; done\"]}]" \
    --placement-constraints 'type=memberOf,expression=attribute:role == worker' \
    --query 'taskDefinition.[family,revision]' --output text

say "2. The service asks for no number: it follows from the instances"
aws ecs create-service --service-name collector --task-definition collector --launch-type EC2 \
    --scheduling-strategy DAEMON --query 'service.schedulingStrategy' --output text
aws ecs wait services-stable --services collector
aws ecs describe-services --services collector --query 'services[0].[runningCount,desiredCount]' --output text

say "3. A machine that is no longer one of them has none"
aws ecs put-attributes --attributes "name=role,value=spare,targetId=$node" >/dev/null
aws ecs wait services-stable --services collector
until [[ $(aws ecs list-tasks --service-name collector --query 'length(taskArns)') == 0 ]]; do sleep 0.2; done
aws ecs describe-services --services collector --query 'services[0].[runningCount,desiredCount]' --output text
aws ecs delete-service --service collector --force --query service.status --output text
