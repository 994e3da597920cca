#!/usr/bin/env bash
# A one-off task, as a scheduler (cron, EventBridge) would start it: the same definition each time, its command and
# environment overridden, its exit code and its output read afterwards.
cd "$(dirname "$0")" && . ./begin.sh

say "1. A definition with a command that does nothing by itself"
image=$(image report v1)
subnets=$(aws ec2 describe-subnets --filters Name=default-for-az,Values=true --query 'Subnets[].SubnetId' --output text)
role=$(aws iam create-role --role-name report --query Role.Arn --output text --assume-role-policy-document \
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}')
aws iam attach-role-policy --role-name report --policy-arn arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy
aws logs create-log-group --log-group-name /ecs/report
cat > "$work/task.json" <<JSON
{"family": "report", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
 "executionRoleArn": "$role",
 "containerDefinitions": [{"name": "report", "image": "$image", "command": ["false"],
   "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/report",
     "awslogs-region": "us-east-1", "awslogs-stream-prefix": "run"}}}]}
JSON
aws ecs register-task-definition --cli-input-json "file://$work/task.json" --query 'taskDefinition.family' --output text

say "2. Run it for two days, each with its own words"
run() {  # DAY COMMAND
    aws ecs run-task --task-definition report --launch-type FARGATE --started-by "cron/$1" \
        --network-configuration "awsvpcConfiguration={subnets=[${subnets//[[:space:]]/,}]}" \
        --overrides "{\"containerOverrides\": [{\"name\": \"report\", \"command\": [\"sh\", \"-c\", \"$2\"],
            \"environment\": [{\"name\": \"DAY\", \"value\": \"$1\"}]}]}" --query 'tasks[0].taskArn' --output text
}
monday=$(run monday 'echo report of $DAY: 3 lines; exit 0')
tuesday=$(run tuesday 'echo report of $DAY: no data; exit 4')
aws ecs list-tasks --started-by cron/monday --query 'length(taskArns)'

say "3. How they ended"
aws ecs wait tasks-stopped --tasks "$monday" "$tuesday"
aws ecs describe-tasks --tasks "$monday" "$tuesday" \
    --query 'tasks[].[startedBy,containers[0].exitCode,stopCode,stoppedReason]' --output text
aws logs tail /ecs/report --since 5m --format short | cut -d' ' -f2- | sort
