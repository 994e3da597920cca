"""The front door: the one way in, for clients on the network and for rooms that call each other.

room       how a room declares its operations: `ecs = Service("ecs")`, `@ecs.operation`
call       what an operation is handed: who asks, where, and what it may use
path       the request path as one visible list of steps
routing    which service and operation a request means
door       the same path without the bytes: `await aws.elbv2.register_targets(...)`
http       the server
"""
