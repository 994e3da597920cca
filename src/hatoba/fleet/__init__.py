"""How rooms reach the nodes without meeting: the node-facing tables, and what each node must have.

    model/     the tables: what is wanted of the nodes (one writing room each) and what they observed (fleet only)
    items      what a node is told, as it travels
    needed     which items a node must have: a pure function of the tables
    changes    which items of which nodes a change may have altered
    assemble   keeps each node's items current, change by change
    messages   the node protocol: snapshot and deltas down, reports up
    session    the control plane's end of a node's session
    incoming   what nodes bring there beside reports: lines and files of logs, questions, figures
    channels   bytes to and from processes on nodes, over those sessions
    entering   what clients of VPC endpoints have asked on a node, which brings it here
    carriers   which node has what is on one node at a time
    enrol      join tokens and the certificates of nodes

A room writes its slice in its own transaction. What a node observed comes back as records that wake the rooms.
"""
