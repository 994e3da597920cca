"""A container's output, from its pipes to the control plane, without loss, repetition or reordering.

    container ─▶ FIFO ─▶ spooler (a process of its own) ─▶ spool files ─▶ shipper (in the agent) ─▶ control plane
                  splice                                   offsets, times     LogBatch, exactly once

`spooler` outlives the agent and holds nothing that its own death could lose. `node_logs` is the agent's side of it all.
`drivers` take the place of the control plane where a task wants its output elsewhere.
"""
