#!/usr/bin/env bash
# Task definitions as they were written for EC2 instances: containers that find each other by links, on the node's bridge,
# published at ports that the node chooses; and an agent on the node's own network that sees the node's processes.
cd "$(dirname "$0")" && . ./begin.sh

say "1. A page and a front that asks for it by the name of its link; any free port of the node leads to the front"
image=$(image bridge v1)
cat > "$work/task.json" <<JSON
{"family": "bridge", "networkMode": "bridge",
 "containerDefinitions": [
  {"name": "page", "image": "$image", "memory": 32, "command": ["httpd", "-f", "-h", "/www"],
   "linuxParameters": {"initProcessEnabled": true}},
  {"name": "front", "image": "$image", "memory": 32, "links": ["page:upstream"], "portMappings": [{"containerPort": 8080}],
   "environment": [{"name": "ANSWER", "value": "while read -r line && [ \${#line} -gt 1 ]; do :; done; printf 'HTTP/1.0 200 OK\\r\\n\\r\\nfrom '; printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc upstream 80 | tail -n 1"}],
   "linuxParameters": {"initProcessEnabled": true},
   "command": ["sh", "-c", "nc -ll -p 8080 -e sh -c \"\$ANSWER\""]}]}
JSON
aws ecs register-task-definition --cli-input-json "file://$work/task.json" --query 'taskDefinition.family' --output text

say "2. Three of them on one node: each has its ports"
tasks=$(aws ecs run-task --task-definition bridge --count 3 --query 'tasks[].taskArn' --output text)
aws ecs wait tasks-running --tasks $tasks
ports=$(aws ecs describe-tasks --tasks $tasks \
    --query 'tasks[].containers[?name==`front`][].networkBindings[].hostPort' --output text)
for port in $ports; do
    curl -sS --retry 20 --retry-delay 1 --retry-all-errors -m 5 "http://localhost:$port/"
done

say "3. A port can be asked for; a node has it once"
sed -e 's/"containerPort": 8080/"containerPort": 8080, "hostPort": 28080/' -e 's/"bridge",/"fixed",/;s/"networkMode": "fixed"/"networkMode": "bridge"/' \
    "$work/task.json" > "$work/fixed.json"
aws ecs register-task-definition --cli-input-json "file://$work/fixed.json" --query 'taskDefinition.family' --output text
fixed=$(aws ecs run-task --task-definition fixed --count 2 --query '[tasks[0].taskArn,failures[0].reason]' --output text)
echo "the second: ${fixed##*	}"

say "4. An agent on the node's network that sees its processes"
cat > "$work/agent.json" <<JSON
{"family": "agent", "networkMode": "host", "pidMode": "host",
 "containerDefinitions": [{"name": "agent", "image": "$image", "memory": 32,
   "command": ["sh", "-c", "ps | grep -q '[c]ontainerd --config' && test -e /sys/class/net/lo && exit 3"]}]}
JSON
aws ecs register-task-definition --cli-input-json "file://$work/agent.json" --query 'taskDefinition.family' --output text
agent=$(aws ecs run-task --task-definition agent --query 'tasks[0].taskArn' --output text)
aws ecs wait tasks-stopped --tasks "$agent"
echo "it saw them: $(aws ecs describe-tasks --tasks "$agent" --query 'tasks[0].containers[0].exitCode' --output text)"

aws ecs stop-task --task "${fixed%%	*}" --query task.desiredStatus --output text
echo "the three fronts run on, at http://localhost:{${ports//[[:space:]]/,}}/"
