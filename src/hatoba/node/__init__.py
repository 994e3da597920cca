"""The agent of one node: a process of its own that makes real what the control plane wants here.

    agent          puts it together
    session        the connection to the control plane
    memory         what the agent knows across its own restarts: items held, reports not yet acknowledged

    advance        the step machine of one workload: events in, instructions out (pure)
    held           its state: the workload as the node knows it
    learn          what an event changes in that
    events         its events and instructions
    worker         carries instructions out against the runtime and the network, and answers with events
    translate      what is wanted → what the runtime is told (pure)
    places         where each workload is on the node's networks
    registries     where registries are
    router         the log router of a workload, on this node
    etc            a container's /etc/hosts and its like; `metadata_file`: the file that tells it about itself

    wiring         networks, policies, peers and balancers of this node, kept as wanted
    specs          what it is told of them, in the words of its fabric
    beyond         what lies beyond a network, as its fabric is asked for it
    bridge         the node's own network: a seat for each container, and which ports of the node lead there
    balancers      the load balancers of this node; `openings` is what they need of its networks
    balancer_logs  takes what these have noted to the control plane
    services       what serves inside a router: addresses and ports
    resolver       the resolver that tasks see; `private_names` are those that every address has
    metadata       the endpoint at 169.254.170.2 that containers ask for credentials and about themselves
    entrances      VPC endpoints: opened here, served by the control plane

    executions     processes inside containers that somebody watches
    health         container health checks
    logs           the spooler and the shipper of containers' output; `output`: which a container's is

Killing the agent stops no task: containers, proxies, networks and the log spooler live on, and it finds them again.
"""
