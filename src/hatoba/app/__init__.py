"""The composition roots: the only place where rooms and engines are wired together.

    control    the control plane's process
    node       the node agent's process
    up         starts both and keeps them going; down ends everything
    simulate   the control plane over machines that are records only, on virtual time
    rooms      the list of rooms: tables, operations, controllers

What an instance has:

    settings     every setting: command line, environment, DIR/hatoba.toml
    places       where it keeps its files
    credentials  the root access key; `rootkey` reads it, for the command line
    masterkey    the key that seals everything secret
    tls          what its endpoint shows to those who come by TLS; `certificates` what VPC endpoints show
    pool         its blocks of addresses; `names` has the host find its public names
    pidfile      which process it is; `process` is what its processes have in common, `lines` their logs, `ports` who is
                 in the way

What takes more than one room or engine:

    nodes      what the operator does with the fleet's nodes
    output     containers' output, from the nodes' sessions into the log room
    questions  what nodes ask about their workloads, answered by the rooms
    entrances  VPC endpoints that the node on this machine hands over
    stories    a task's whole story, as a page
    admin      a socket for the operator on this machine
    reset      ends all tasks and forgets all AWS state
"""
