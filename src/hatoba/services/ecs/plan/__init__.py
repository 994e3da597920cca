"""Pure decisions: values in, values out. No store, no clock, no waiting.

definition/  is a task definition valid, what is it compatible with, what does it require
lifecycle    what a task's state follows from
facts        a node's report → the task's containers; `reasons`: why, in AWS's words
launch       a new task; `needs`: what it takes from a node, `capacity`: the provider that it is charged to
placement    strategies and constraints: what is allowed, and what they mean; `sites`: a node as placement sees it
query/       the cluster query language
workload     a task and its definition → what its node is told; `images`: where images come from
rollout/     a service, its tasks and their targets → what to start, stop, register, say
shift/       a deployment that shifts traffic: its stages, weights, hooks; `alarms`: what judges a deployment
tagging      which tags a task is born with
"""
