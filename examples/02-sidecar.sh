#!/usr/bin/env bash
# Containers of one task that start in order: one that prepares and ends, one beside the application that has to be
# healthy first, and the application. They share a volume, and a disk of the task's own size.
cd "$(dirname "$0")" && . ./begin.sh

say "1. An image, a log group, the role that writes to it"
image=$(image sidecar v1)
aws logs create-log-group --log-group-name /ecs/sidecar
role=$(aws iam create-role --role-name sidecar-execution --query Role.Arn --output text --assume-role-policy-document \
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}')
aws iam attach-role-policy --role-name sidecar-execution --policy-arn arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy

say "2. prepare → SUCCESS → cache → HEALTHY → app"
log='"logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/sidecar", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "t"}}'
data_volume='"mountPoints": [{"sourceVolume": "data", "containerPath": "/data"}]'
until_stopped='trap \"echo $0 is told to stop; exit 0\" TERM; while true; do sleep 0.1; done'
cat > "$work/task.json" <<JSON
{"family": "sidecar", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
 "executionRoleArn": "$role", "ephemeralStorage": {"sizeInGiB": 21}, "volumes": [{"name": "data"}],
 "containerDefinitions": [
  {"name": "prepare", "image": "$image", "essential": false, $log, $data_volume,
   "command": ["sh", "-c", "cp /www/index.html /data/page; echo prepared"]},
  {"name": "cache", "image": "$image", $log, $data_volume, "stopTimeout": 5,
   "dependsOn": [{"containerName": "prepare", "condition": "SUCCESS"}],
   "command": ["sh", "-c", "sleep 1; touch /data/warm; echo warm; $until_stopped", "cache"],
   "healthCheck": {"command": ["CMD-SHELL", "test -e /data/warm"], "interval": 5, "timeout": 2, "retries": 3, "startPeriod": 10}},
  {"name": "app", "image": "$image", $log, "stopTimeout": 5,
   "volumesFrom": [{"sourceContainer": "prepare", "readOnly": true}],
   "dependsOn": [{"containerName": "cache", "condition": "HEALTHY"}],
   "command": ["sh", "-c", "test -e /data/warm && echo \"found a warm cache and \$(cat /data/page)\"; touch /data/x 2>/dev/null || echo may only read; df -h /data | tail -1; $until_stopped", "app"]}]}
JSON
aws ecs register-task-definition --cli-input-json "file://$work/task.json" --query 'taskDefinition.[family,revision]' --output text

say "3. Run it"
subnet=$(aws ec2 describe-subnets --query 'Subnets[0].SubnetId' --output text)
task=$(aws ecs run-task --task-definition sidecar --launch-type FARGATE --query 'tasks[0].taskArn' --output text \
    --network-configuration "awsvpcConfiguration={subnets=[$subnet]}")
aws ecs wait tasks-running --tasks "$task"
aws ecs describe-tasks --tasks "$task" --query 'tasks[0].containers[].[name,lastStatus,healthStatus,exitCode]' --output text

say "4. Stop it: in the reverse order"
aws ecs stop-task --task "$task" --reason "shown" --query task.desiredStatus --output text
aws ecs wait tasks-stopped --tasks "$task"
aws logs filter-log-events --log-group-name /ecs/sidecar --query 'sort_by(events, &timestamp)[].message' --output text | tr '\t' '\n'
