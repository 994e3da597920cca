#!/usr/bin/env bash
# From an image to a page behind a load balancer, and a rolling update, with nothing but stock tools:
# the AWS CLI, buildah and skopeo. It expects a running Hatoba: `hatoba up --detach`.
# (The AWS CLI reads AWS_ENDPOINT_URL since 2.13; Debian's is older, hence --endpoint-url.)
set -euo pipefail
cd "$(dirname "$0")"
hatoba=${HATOBA:-../.venv/bin/hatoba} data=${HATOBA_DATA:-/var/lib/hatoba}
eval "$($hatoba env --data "$data")"
export AWS_PAGER=""
aws() { /usr/bin/aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }
say() { printf '\n\033[1m# %s\033[0m\n' "$*"; }
registry=${AWS_ENDPOINT_URL#http://}
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT

say "1. Build two versions of an image and push them"
aws ecr create-repository --repository-name hello --query repository.repositoryUri --output text
login=$(aws ecr get-login-password)
for version in v1 v2; do
    mkdir -p "$work/$version/www"
    cp /bin/busybox "$work/$version/"
    echo "hello from $version" > "$work/$version/www/index.html"
    printf 'FROM scratch\nCOPY busybox /bin/busybox\nCOPY www /www\nCMD ["/bin/busybox","httpd","-f","-v","-p","80","-h","/www"]\n' \
        > "$work/$version/Dockerfile"
    buildah --root "$work/store" --runroot "$work/run" --storage-driver vfs build -q -t "hello:$version" "$work/$version" >/dev/null
    buildah --root "$work/store" --runroot "$work/run" --storage-driver vfs push -q "hello:$version" "oci:$work/layout:$version"
    skopeo copy -q --dest-tls-verify=false --dest-creds "AWS:$login" "oci:$work/layout:$version" "docker://$registry/hello:$version"
done
aws ecr list-images --repository-name hello --query 'imageIds[].imageTag' --output text

say "2. A load balancer in the default VPC"
vpc=$(aws ec2 describe-vpcs --filters Name=is-default,Values=true --query 'Vpcs[0].VpcId' --output text)
subnets=$(aws ec2 describe-subnets --filters Name=vpc-id,Values="$vpc" --query 'Subnets[].SubnetId' --output text)
group=$(aws ec2 create-security-group --group-name hello --description "port 80" --vpc-id "$vpc" --query GroupId --output text)
aws ec2 authorize-security-group-ingress --group-id "$group" --protocol tcp --port 80 --cidr 0.0.0.0/0 >/dev/null
# shellcheck disable=SC2086  # the subnets are separate words
balancer=$(aws elbv2 create-load-balancer --name hello --subnets $subnets --security-groups "$group" \
    --query 'LoadBalancers[0].LoadBalancerArn' --output text)
targets=$(aws elbv2 create-target-group --name hello --protocol HTTP --port 80 --vpc-id "$vpc" --target-type ip \
    --health-check-interval-seconds 5 --health-check-timeout-seconds 2 \
    --query 'TargetGroups[0].TargetGroupArn' --output text)
aws elbv2 modify-target-group-attributes --target-group-arn "$targets" \
    --attributes Key=deregistration_delay.timeout_seconds,Value=1 >/dev/null
aws elbv2 create-listener --load-balancer-arn "$balancer" --protocol HTTP --port 80 \
    --default-actions Type=forward,TargetGroupArn="$targets" --query 'Listeners[0].Protocol' --output text

say "3. A task definition and a service of two tasks"
role=$(aws iam create-role --role-name hello-execution --query Role.Arn --output text --assume-role-policy-document \
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}')
aws iam attach-role-policy --role-name hello-execution --policy-arn arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy
aws logs create-log-group --log-group-name /ecs/hello
define() {  # VERSION
    cat > "$work/task.json" <<JSON
{"family": "hello", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
 "executionRoleArn": "$role",
 "containerDefinitions": [{"name": "hello", "image": "$registry/hello:$1", "portMappings": [{"containerPort": 80}],
   "linuxParameters": {"initProcessEnabled": true},
   "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/hello",
     "awslogs-region": "us-east-1", "awslogs-stream-prefix": "app"}}}]}
JSON
    aws ecs register-task-definition --cli-input-json "file://$work/task.json" \
        --query 'taskDefinition.[family,revision]' --output text
}
define v1
aws ecs create-service --service-name hello --task-definition hello:1 --desired-count 2 --launch-type FARGATE \
    --network-configuration "awsvpcConfiguration={subnets=[${subnets//[[:space:]]/,}],securityGroups=[$group]}" \
    --load-balancers "targetGroupArn=$targets,containerName=hello,containerPort=80" --query service.status --output text
aws ecs wait services-stable --services hello
url=$($hatoba open hello --data "$data")
echo "$url"
curl -s "$url"

say "4. Its log"
aws logs tail /ecs/hello --since 1m --format short | tail -n 2

say "5. A second version, while requests flow"
define v2
(for _ in $(seq 150); do curl -s -o /dev/null -w '%{http_code}\n' -m 5 "$url" || echo failed; sleep 0.02; done) > "$work/codes" &
load=$!
aws ecs update-service --service hello --task-definition hello:2 --query 'service.deployments[].rolloutState' --output text
aws ecs wait services-stable --services hello
wait $load
sort "$work/codes" | uniq -c
curl -s "$url"

say "6. A task that dies is replaced"
first=$(aws ecs list-tasks --service-name hello --query 'taskArns[0]' --output text)
aws ecs stop-task --task "$first" --reason "to see what happens" --query task.desiredStatus --output text
aws ecs wait tasks-stopped --tasks "$first"
aws ecs wait services-stable --services hello
aws ecs describe-services --services hello --query 'services[0].[runningCount,desiredCount]' --output text
aws ecs describe-services --services hello --query 'services[0].events[:4].message' --output text | tr '\t' '\n' | cut -c1-118

say "7. Hatoba itself is killed: the tasks and the traffic do not notice, and it finds them again"
before=$(aws ecs list-tasks --service-name hello --query 'sort(taskArns)' --output text)
for process in control node; do
    kill -9 "$($hatoba status --data "$data" --json | python3 -c "import json,sys; print(json.load(sys.stdin)['processes']['$process'])")"
done
curl -s "$url"
until $hatoba status --data "$data" >/dev/null; do sleep 0.1; done
after=$(aws ecs list-tasks --service-name hello --query 'sort(taskArns)' --output text)
[[ $before == "$after" ]] && echo "the same tasks"
$hatoba ps --data "$data"
