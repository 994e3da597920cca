"""The VPC fabric of one node: routers, network interfaces, security groups, ways to the host, outside and other nodes.

base        the port and its values          addresses  which address is free, which MAC goes with it
beyond      what lies beyond a VPC           routing    the same, as routing tables
addresses6  which IPv6 address, prefix or block is free
groups      security groups, as a decision   ruleset    the same, as nftables text
fabric      the real one (netlink, nft)      simulated  the same semantics in memory
fronts      answers to balancers' clients    returning  the ways back for them
bridge      the node's own network           hostports  ports of the host that lead to it
host        the host's side                  hostroutes its routes, read
host6       the same, of IPv6                grouprules a group's rules, as nftables text
trouble     faults, as words of the port     faults     the same, as nftables text
"""
