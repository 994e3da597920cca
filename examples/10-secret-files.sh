#!/usr/bin/env bash
# A secret as a file in memory, which is there anew when the secret changes: the program reads it again, nothing restarts.
# And a secret in the environment, for whose change the service is deployed anew, because it wants that.
cd "$(dirname "$0")" && . ./begin.sh

say "1. A secret, and a role under which the platform reads it"
image=$(image keeper v1)
subnet=$(aws ec2 describe-subnets --query 'Subnets[0].SubnetId' --output text)
role=$(aws iam create-role --role-name keeper --query Role.Arn --output text --assume-role-policy-document \
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}')
aws iam attach-role-policy --role-name keeper --policy-arn arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy
aws iam put-role-policy --role-name keeper --policy-name reads --policy-document \
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["secretsmanager:GetSecretValue","ssm:GetParameters"],"Resource":"*"}]}'
aws logs create-log-group --log-group-name /ecs/keeper
secret=$(aws secretsmanager create-secret --name keeper --query ARN --output text --secret-string '{"user": "shop", "password": "spring"}')
aws ssm put-parameter --name /keeper/level --type SecureString --value quiet --query Version

say "2. A service that says what its file holds whenever that is another one"
cat > "$work/task.json" <<JSON
{"family": "keeper", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
 "executionRoleArn": "$role",
 "containerDefinitions": [{"name": "app", "image": "$image", "user": "1000", "stopTimeout": 2,
   "command": ["sh", "-c", "trap 'exit 0' TERM; ls -ln /run/secrets/password | cut -d' ' -f1; while :; do now=\$(cat /run/secrets/password); [ \"\$now\" = \"\$was\" ] || echo \"\$LEVEL, process \$\$: \$now\"; was=\$now; sleep 0.1; done"],
   "dockerLabels": {"hatoba.secrets.files": "/run/secrets/password=$secret:password::"},
   "secrets": [{"name": "LEVEL", "valueFrom": "/keeper/level"}],
   "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/keeper",
     "awslogs-region": "us-east-1", "awslogs-stream-prefix": "run"}}}]}
JSON
aws ecs register-task-definition --cli-input-json "file://$work/task.json" --query 'taskDefinition.[family,revision]' --output text
aws ecs create-service --service-name keeper --task-definition keeper --desired-count 1 --launch-type FARGATE \
    --tags key=hatoba:roll-on-secret-change,value=true \
    --network-configuration "awsvpcConfiguration={subnets=[$subnet]}" --query service.status --output text
said() {  # TEXT: waits until the service has said it
    for _ in $(seq 150); do
        aws logs filter-log-events --log-group-name /ecs/keeper --query 'sort_by(events, &timestamp)[].message' --output text |
            tr '\t' '\n' > "$work/said"
        grep -q "$1" "$work/said" && return
        sleep 0.2
    done
    cat "$work/said"; return 1
}
said "quiet, process 1: spring"

say "3. The secret changes: the same process reads the new one"
aws secretsmanager put-secret-value --secret-id keeper --secret-string '{"user": "shop", "password": "summer"}' --query Name --output text
said "quiet, process 1: summer"
aws ecs describe-services --services keeper --query 'length(services[0].deployments)'

say "4. The parameter changes: it is in the environment, so there is a new task"
aws ssm put-parameter --name /keeper/level --type SecureString --value loud --overwrite --query Version
said "loud, process 1: summer"
cat "$work/said"
aws ecs describe-services --services keeper --query 'services[0].events[].message' --output text | tr '\t' '\n' | grep "deploys anew"

say "5. What is left: nothing"
aws ecs delete-service --service keeper --force --query service.status --output text
