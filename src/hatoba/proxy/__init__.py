"""Load balancers' data plane over Envoy: what is wanted as values, Envoy's resources, its configuration server, its
process, target health and counters. Knows no store, no room and no AWS words.

    base        the words of the port                   engine      all of it, for one network namespace
    simulated   its twin                                memory      what is known of targets, over restarts

What Envoy is told (pure):

    snapshot    all that is wanted, as resources        resource    one of them, with its version
    names       what they are called                    headers     spelling, and scripts
    listeners   a balancer's listeners                  tls         what they show and accept
    mutual      what targets hear of a certificate      streams     listeners of network balancers
    routes      rules and actions                       conditions  when a rule applies
    rewrites    what it changes                         sticky      clients that stay with a target
    pages       answers of the balancer's own           screening   what happens to every request before rules
    clusters    targets                                 flows       targets of network balancers
    forwarding  which of them get a client's flow       preserving  whose connections keep their clients' addresses
    accesslog, connectionlog, flowlog   what is noted of requests, of connections, of those of network balancers
    trace       the trace header; `tracer` finds the module that writes it

How it gets there:

    server      the configuration server; `session` is one stream of it, without I/O
    process     the Envoy process: `launches` those of a directory, `bootstrap` the file it starts with
    handover    from one Envoy to the next
    admin       asks its admin socket; `stats` reads its counters, `ending` ends connections by it

What is found out:

    checker     asks every target; `ask` is one question, `http2` one in that language
    health      what is known of a target, as a state machine (pure)
    checklog    notes what was answered; `healthlog` the lines of it
    delivery    files of logs, on their way to where they are kept; `logfiles`: their names
    signin      users sign in at a provider: a process beside Envoy
"""
