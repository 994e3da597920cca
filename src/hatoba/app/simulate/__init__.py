"""What if: the real control plane over a fleet of machines that are records only, on virtual time.

    scenario   what to play: machines, images and how they behave, steps (calls of the public API, machines that die)
    fleet      the machines: they answer what the control plane wants of them as real agents would, some time later
    world      store, rooms, scheduler and controllers, put together in memory
    play       the steps, one after the other, each until everything has settled
    report     what became of it, in words

Everything that decides is the real thing; only the machines, the journal's disk and time are not. The same scenario
and seed give the same run.
"""
