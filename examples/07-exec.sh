#!/usr/bin/env bash
# Into a running container: commands with their exit codes, pipes, and what was said kept in a log group. The container
# has a read-only root and nothing of ours inside. (A shell: `hatoba exec TASK -- sh`, or `aws ecs execute-command` with
# the session-manager-plugin, which speaks to Hatoba as it does to AWS.)
cd "$(dirname "$0")" && . ./begin.sh

say "1. A cluster that logs its sessions"
image=$(image enter v1)
aws logs create-log-group --log-group-name /audit/sessions
aws ecs create-cluster --cluster-name audited --query cluster.clusterName --output text --configuration \
    'executeCommandConfiguration={logging=OVERRIDE,logConfiguration={cloudWatchLogGroupName=/audit/sessions}}'

role=$(aws iam create-role --role-name enter-execution --query Role.Arn --output text --assume-role-policy-document \
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}')
aws iam attach-role-policy --role-name enter-execution --policy-arn arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy

say "2. A task that may be entered, on a read-only root"
cat > "$work/task.json" <<JSON
{"family": "enter", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
 "executionRoleArn": "$role",
 "containerDefinitions": [{"name": "web", "image": "$image", "readonlyRootFilesystem": true, "user": "1000",
   "command": ["httpd", "-f", "-p", "80", "-h", "/www"]}]}
JSON
aws ecs register-task-definition --cli-input-json "file://$work/task.json" --query 'taskDefinition.[family,revision]' --output text
subnet=$(aws ec2 describe-subnets --query 'Subnets[0].SubnetId' --output text)
task=$(aws ecs run-task --cluster audited --task-definition enter --launch-type FARGATE --enable-execute-command \
    --network-configuration "awsvpcConfiguration={subnets=[$subnet]}" --query 'tasks[0].taskArn' --output text)
aws ecs wait tasks-running --cluster audited --tasks "$task"
aws ecs describe-tasks --cluster audited --tasks "$task" --query 'tasks[0].containers[0].managedAgents[0].[name,lastStatus]' --output text

say "3. A command, its output and its exit code"
enter() { $hatoba exec --data "$data" --cluster audited "$task" -- "$@"; }
enter sh -c 'echo "I am user $(id -u), beside"; ps -o comm | grep -x httpd; cat /www/index.html'
enter sh -c 'touch /x' || echo "ended with $?"

say "4. Through pipes"
echo "some input" | enter tr a-z A-Z
enter sha256sum < /bin/busybox | cut -d ' ' -f 1 | grep -x "$(sha256sum < /bin/busybox | cut -d ' ' -f 1)"

say "5. What was said is in the log group"
aws logs filter-log-events --log-group-name /audit/sessions --query 'events[].[message]' --output text | grep -e user -e INPUT -e Read-only

aws ecs stop-task --cluster audited --task "$task" --query task.desiredStatus --output text
