#!/usr/bin/env bash
# Blue/green: the new version is tried on a test port while the old one serves, then takes all traffic at once, and is
# taken back when somebody changes their mind. Not one request fails on the way.
cd "$(dirname "$0")" && . ./begin.sh

ecs() {  # OPERATION JSON [PYTHON EXPRESSION of the answer `a`]: Debian's AWS CLI is older than these members
    curl -sS --fail-with-body --aws-sigv4 "aws:amz:$AWS_DEFAULT_REGION:ecs" \
        --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" -H 'Content-Type: application/x-amz-json-1.1' \
        -H "X-Amz-Target: AmazonEC2ContainerServiceV20141113.$1" -d "$2" "$AWS_ENDPOINT_URL/" |
        python3 -c "import json,sys; a=json.load(sys.stdin); ${3:+print($3)}"
}

say "1. A load balancer with two target groups: port 80 for production, port 8080 for tests"
vpc=$(aws ec2 describe-vpcs --filters Name=is-default,Values=true --query 'Vpcs[0].VpcId' --output text)
subnets=$(aws ec2 describe-subnets --filters Name=vpc-id,Values="$vpc" --query 'Subnets[].SubnetId' --output text)
group=$(aws ec2 create-security-group --group-name shop --description "80 and 8080" --vpc-id "$vpc" --query GroupId --output text)
for port in 80 8080; do
    aws ec2 authorize-security-group-ingress --group-id "$group" --protocol tcp --port $port --cidr 0.0.0.0/0 >/dev/null
done
# shellcheck disable=SC2086  # the subnets are separate words
balancer=$(aws elbv2 create-load-balancer --name shop --subnets $subnets --security-groups "$group" \
    --query 'LoadBalancers[0].LoadBalancerArn' --output text)
targets() {  # NAME: a target group
    arn=$(aws elbv2 create-target-group --name "$1" --protocol HTTP --port 80 --vpc-id "$vpc" --target-type ip \
        --health-check-interval-seconds 5 --health-check-timeout-seconds 2 --query 'TargetGroups[0].TargetGroupArn' --output text)
    aws elbv2 modify-target-group-attributes --target-group-arn "$arn" \
        --attributes Key=deregistration_delay.timeout_seconds,Value=1 >/dev/null
    echo "$arn"
}
rule() {  # PORT: the default rule of a new listener
    listener=$(aws elbv2 create-listener --load-balancer-arn "$balancer" --protocol HTTP --port "$1" \
        --default-actions Type=forward,TargetGroupArn="$blue" --query 'Listeners[0].ListenerArn' --output text)
    aws elbv2 describe-rules --listener-arn "$listener" --query 'Rules[0].RuleArn' --output text
}
blue=$(targets shop-blue) green=$(targets shop-green)
production=$(rule 80) test=$(rule 8080)

say "2. A service that shifts traffic between them, and waits for a word before it does"
define() {  # VERSION
    aws ecs register-task-definition --family shop --network-mode awsvpc --requires-compatibilities FARGATE --cpu 256 --memory 512 \
        --container-definitions "[{\"name\": \"shop\", \"image\": \"$(image shop "$1")\", \"portMappings\": [{\"containerPort\": 80}],
            \"linuxParameters\": {\"initProcessEnabled\": true}, \"command\": [\"httpd\", \"-f\", \"-p\", \"80\", \"-h\", \"/www\"]}]" \
        --query 'taskDefinition.[family,revision]' --output text
}
define v1
ecs CreateService "{\"serviceName\": \"shop\", \"taskDefinition\": \"shop\", \"desiredCount\": 2, \"launchType\": \"FARGATE\",
    \"networkConfiguration\": {\"awsvpcConfiguration\": {\"subnets\": [\"${subnets//[[:space:]]/\", \"}\"], \"securityGroups\": [\"$group\"]}},
    \"deploymentConfiguration\": {\"strategy\": \"BLUE_GREEN\", \"bakeTimeInMinutes\": 0},
    \"loadBalancers\": [{\"targetGroupArn\": \"$blue\", \"containerName\": \"shop\", \"containerPort\": 80, \"advancedConfiguration\":
        {\"alternateTargetGroupArn\": \"$green\", \"productionListenerRule\": \"$production\", \"testListenerRule\": \"$test\"}}]}" \
    "a['service']['deploymentConfiguration']['strategy']"
aws ecs wait services-stable --services shop
url=$($hatoba open shop --data "$data")
curl -s "$url"

say "3. The second version, while requests flow: on the test port first"
define v2
(until [[ -e $work/done ]]; do curl -s -o /dev/null -w '%{http_code}\n' -m 5 "$url" || echo failed; sleep 0.05; done) > "$work/codes" &
load=$!
deploy() {  # DEFINITION STAGE: and stop there
    ecs UpdateService "{\"service\": \"shop\", \"taskDefinition\": \"$1\", \"deploymentConfiguration\": {\"strategy\": \"BLUE_GREEN\",
        \"bakeTimeInMinutes\": 0, \"lifecycleHooks\": [{\"targetType\": \"PAUSE\", \"lifecycleStages\": [\"$2\"]}]}}"
    deployment=$(ecs ListServiceDeployments '{"service": "shop"}' "a['serviceDeployments'][0]['serviceDeploymentArn']")
}
look() { ecs DescribeServiceDeployments "{\"serviceDeploymentArns\": [\"$deployment\"]}" "$1"; }
waiting() { look "next((h['hookId'] for h in a['serviceDeployments'][0].get('lifecycleHookDetails', []) if h['status'] == 'AWAITING_ACTION'), '')"; }
decide() {  # CONTINUE or ROLLBACK, and until it is over
    ecs ContinueServiceDeployment "{\"serviceDeploymentArn\": \"$deployment\", \"hookId\": \"$(waiting)\", \"action\": \"$1\"}"
    until [[ $(look "a['serviceDeployments'][0]['status']") == *SUCCESSFUL ]]; do sleep 0.2; done
    look "a['serviceDeployments'][0]['status']"
}
deploy shop:2 POST_TEST_TRAFFIC_SHIFT
until [[ -n $(waiting) ]]; do sleep 0.2; done
look "a['serviceDeployments'][0]['lifecycleStage']"
echo "production: $(curl -s "$url")"
echo "test:       $(curl -s "${url%/}:8080/")"
decide CONTINUE
echo "production: $(curl -s "$url")"

say "4. The first one again, until somebody changes their mind: the second one never went away"
deploy shop:1 POST_PRODUCTION_TRAFFIC_SHIFT
until [[ -n $(waiting) ]]; do sleep 0.2; done
echo "production: $(curl -s "$url")"
decide ROLLBACK
echo "production: $(curl -s "$url")"
touch "$work/done"
wait $load
echo "$(wc -l < "$work/codes") requests, $(grep -cv '^200$' "$work/codes") failed"
aws ecs describe-services --services shop --query 'services[0].events[:6].message' --output text | tr '\t' '\n' | cut -c1-118
