"""The VPC fabric of one node: routers, network interfaces, security groups, ways to the host, outside and other nodes.

    base        the port and its values                 beyond      its values for what lies beyond a VPC
    fabric      the real one (netlink, nft)             simulated   the same semantics in memory, by `reach`
    checks      what may be asked for (pure)            trouble     faults, as words of the port

One VPC, and how it is carried out:

    router      its state, and the jobs that change it  namespace   the thread that lives in its namespace
    ground      what it stands on, whoever is there     names       of devices and tables, derived
    records     what was asked for, for after a crash   links       the ways to routers of peered VPCs
    messages    netlink requests                        syscalls    what Python does not have
    tunnel      the way to other nodes                  bridge      the node's own network
    hostports   ports of the host that lead to it       tracking    connections that lead nowhere any more
    fronts      answers to balancers' clients           returning   the ways back for them
    hosting     ports of hosts for these                hosted      what that means (pure)
    endpoints   the platform inside of a VPC            injection   faults of an interface, carried out
    gates       the same for its place outside

Decisions and rules (pure):

    addresses   which address is free, whose MAC        addresses6  which IPv6 address, prefix or block is free
    further     what an interface holds besides its address
    holders     who holds addresses                     routing     where packets go
    groups      security groups, as a decision          grouprules  the same, as nftables text
    acls        network ACLs, as both                   borders     where they are asked
    members     what rules know of each of these        faults      faults, as nftables text
    ruleset     a router's rules, as nftables text      rulebook    from those that stand to those that are wanted

The host:

    host        its side of it all                      host6       the same, of IPv6
    hostroutes  its routes, read                        hostrules   our own table there, as nftables text
    forwarding  the one setting that may have to change hostends    its addresses that stand for VPCs
"""
