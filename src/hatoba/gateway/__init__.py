"""The front door: the one way in, for clients on the network and for rooms that call each other.

room         how a room declares its operations: `ecs = Service("ecs")`, `@ecs.operation`
call         what an operation is handed: who asks, where, and what it may use
needs        what an operation needs to be allowed, as a table of each room
continued    how an answer in pages tells where the next one begins
idempotency  client tokens: the same request again is answered as before
tags         tags of all resources, by ARN

http         the server; knows no AWS
front        what is mounted where: our own paths (`own`), the registry, AWS
entrance     the way in through an interface endpoint, to its own service only
direct       the direct way, for those whose VPC has gateway endpoints
visitors     who asks for a page of our own
path         the request path as one visible list of steps; `bodies` and `unrouted` are parts of it
routing      which service a request means, and in which region
access       who asks, and may they: the ports, and the answers where nobody is asked
membership   where an account stands in its organisation, as a port
audit        what is kept of every call, as a port
operations   the half of the path that has no bytes: validate, authorise, handler, durable
door         that half for rooms: `await aws.elbv2.register_targets(...)`
metrics      what is counted of every operation
plane        all of it put together
"""
