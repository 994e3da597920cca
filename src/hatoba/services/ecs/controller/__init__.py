"""What converges: one controller per kind of thing, each woken by the feed.

task        one task: its interface, its workload on a node, what the node says of it, its end
service     one service: starts, stops and replaces tasks, joins them to load balancers, rolls out deployments
definition  forgets deleted revisions that nothing refers to any more
"""
