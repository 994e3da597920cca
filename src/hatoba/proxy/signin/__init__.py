"""Users sign in at an identity provider (OpenID Connect) before their requests get on.

Envoy cannot make or check what that takes, so it asks a small process of ours, beside it in the VPC's namespace,
about each request of a rule that wants it (`ext_authz`), and about what comes back from the provider:

    client ─▶ Envoy ─▶ service (signin.sock) ─▶ the provider's token and user info endpoints, over TLS
                 ◀── let it pass with these headers · answer it like this

    words      what a rule wants, and what one balancer's keys are
    sealing    cookies and states: encrypted, bound to what they are for, in pieces that browsers keep
    tokens     what targets are told, signed; what the provider says of who signed in, checked
    flow       a request and what becomes of it: the whole of it, without a socket
    memory     what is remembered for a while, and no more than there is room for
    provider   asking the provider, from the balancer's address
    names      what the provider's name means, asked of the VPC's resolver
    service    the process: it knows nothing but what it was told, keeps nothing, and may be killed at any moment
    process    the agent's side: starts it, finds it again, tells it what is wanted (`telling`), ends it
    envoy      what Envoy must know of all this

Source: "Authenticate users using an Application Load Balancer"; OpenID Connect Core 1.0, section 3.1.
"""
