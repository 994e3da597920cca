"""Pure decisions: values in, values out. No store, no clock, no waiting.

register      is a task definition valid, what is it compatible with, what does it require
fargate       the published table of sizes
lifecycle     what a task's state follows from; what has to be done for it next
facts         a node's report → the task's containers; reasons in AWS's words
workload      a task and its definition → what the node is to run
rollout       a service, its tasks and their targets → what to start, stop, register, say
needs         what a task takes from a node
"""
