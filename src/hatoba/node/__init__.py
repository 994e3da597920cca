"""The agent of one node: a process of its own that makes real what the control plane wants here.

    advance     the step machine of one workload: events in, instructions out (pure)
    held        its state: the workload as the node knows it
    learn       what an event changes in that
    events      its events and instructions
    worker      carries instructions out against the runtime and the network, and answers with events
    translate   what is wanted → what the runtime is told (pure)
    wiring      networks, policies, peers and balancers of this node, kept as wanted
    specs       what it is told of them, in the words of its fabric
    beyond      what lies beyond a network, as its fabric is asked for it
    openings    what a network's load balancers need of it
    bridge      the node's own network: a seat for each container, and which ports of the node lead there
    registries  where registries are
    places      where each workload is on these networks
    memory      what the agent knows across its own restarts: items held, reports not yet acknowledged
    session     the connection to the control plane
    metadata    the endpoint at 169.254.170.2 that containers ask for credentials and about themselves
    health      container health checks
    logs        the spooler and the shipper of containers' output
    agent       puts it together

Killing the agent stops no task: containers, proxies, networks and the log spooler live on, and it finds them again.
"""
