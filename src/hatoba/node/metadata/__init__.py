"""The endpoint at 169.254.170.2 that containers ask: credentials of their role, facts about themselves, and favours.

endpoint     the server inside each network's router; who asks is known by the source address
hostside     the same for tasks on the host's own network, where the connection's `owner` says it
answers      what is answered, by path; else a `refusal`
views        the bodies of versions 2, 3 and 4 (pure), with `stats` for what containers use and `credentials`
meter        reads what containers use, when somebody asks
drift        what the kernel knows of its clock
tags         asked of the control plane when they are wanted
protection   scale-in protection, asked for under the task's role
faults       the task's own network made to fail, where its definition allows it
"""
