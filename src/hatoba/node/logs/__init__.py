"""A container's output, from its pipes to the control plane, without loss, repetition or reordering.

    container ─▶ FIFO ─▶ spooler (a process of its own) ─▶ spool files ─▶ shipper (in the agent) ─▶ control plane
                  splice                                   offsets, times     LogBatch, exactly once

`spooler` outlives the agent and holds nothing that its own death could lose; `feed` is one FIFO and its spool there.
`node_logs` is the agent's side of it all, `link` its connection to the spooler, in the words of `protocol`.
There, a `shipper` reads a spool (`reader`), makes events of its bytes (`lines`, as the container's `options` and
`patterns` say) in a `lane` for each output, and sends each `batch`. `drivers` take the place of the control plane where
a task wants its output elsewhere.
"""
