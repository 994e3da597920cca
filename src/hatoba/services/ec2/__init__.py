"""The `ec2` room: the networks that tasks and load balancers live in.

See README.md for what is there and how it reaches the nodes.
"""
