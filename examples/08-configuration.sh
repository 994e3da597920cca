#!/usr/bin/env bash
# Configuration is injected, not baked into an image: a parameter, and members of a secret, as environment variables. A
# value that is changed reaches the next task. What is missing is the reason for which a task stops.
cd "$(dirname "$0")" && . ./begin.sh

say "1. A parameter, a secret with two members, and a role under which the platform reads them"
image=$(image configuration v1)
subnet=$(aws ec2 describe-subnets --query 'Subnets[0].SubnetId' --output text)
role=$(aws iam create-role --role-name configuration --query Role.Arn --output text --assume-role-policy-document \
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}')
aws iam attach-role-policy --role-name configuration --policy-arn arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy
aws iam put-role-policy --role-name configuration --policy-name reads --policy-document \
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["secretsmanager:GetSecretValue","ssm:GetParameters"],"Resource":"*"}]}'
aws logs create-log-group --log-group-name /ecs/configuration
aws ssm put-parameter --name /shop/greeting --type SecureString --value "good morning" --query Version
secret=$(aws secretsmanager create-secret --name shop --query ARN --output text \
    --secret-string '{"user": "shop", "password": "correct horse"}')

say "2. A definition that says where from, and not what"
define() {  # PASSWORD'S NAME IN THE SECRET
    cat > "$work/task.json" <<JSON
{"family": "configuration", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
 "executionRoleArn": "$role",
 "containerDefinitions": [{"name": "app", "image": "$image",
   "command": ["sh", "-c", "echo \$GREETING, \$USER: your password has \${#PASSWORD} letters"],
   "secrets": [{"name": "GREETING", "valueFrom": "/shop/greeting"},
               {"name": "USER", "valueFrom": "$secret:user::"}, {"name": "PASSWORD", "valueFrom": "$secret:$1::"}],
   "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/configuration",
     "awslogs-region": "us-east-1", "awslogs-stream-prefix": "run"}}}]}
JSON
    aws ecs register-task-definition --cli-input-json "file://$work/task.json" --query 'taskDefinition.[family,revision]' --output text
}
run() {  # waits for its end; prints why
    local task
    task=$(aws ecs run-task --task-definition configuration --launch-type FARGATE --query 'tasks[0].taskArn' --output text \
        --network-configuration "awsvpcConfiguration={subnets=[$subnet]}")
    aws ecs wait tasks-stopped --tasks "$task"
    aws ecs describe-tasks --tasks "$task" --query 'tasks[0].stoppedReason' --output text
}
define password
run

say "3. Another greeting: the next task has it"
aws ssm put-parameter --name /shop/greeting --type SecureString --value "good evening" --overwrite --query Version
run
aws logs filter-log-events --log-group-name /ecs/configuration --query 'sort_by(events, &timestamp)[].message' --output text | tr '\t' '\n'

say "4. A member that the secret does not have"
define passwrod
run
