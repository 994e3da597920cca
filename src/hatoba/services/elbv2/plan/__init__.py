"""Decisions in values.

errors        ELB's refusals that its model has no name for
names         what names look like
attributes    keys, defaults and values of attributes
header_…      attributes of listeners that change headers
health_check  a target group's health check: defaults and checks
actions       what a listener or rule does with a request
conditions    when a rule applies
expressions   regular expressions that the proxy can carry out
transforms    how a rule rewrites requests
kinds         the kinds of load balancers: protocols, and what may stand behind what
security      what a listener speaks: protocol, certificates, policies
flow_…        attributes, health checks and the proxy's configuration of network and gateway load balancers
trust         certificates of clients: what a listener does with them, what trust stores are made of
x509          authorities and revocations, read
values        what the values of attributes may be
spec          load balancer, listeners, rules, groups, targets → the proxy's configuration
health        a target's health in ELB's words
failover      which zones a load balancer's name leads to
"""
