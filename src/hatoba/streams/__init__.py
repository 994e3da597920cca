"""Log streams on disk: append, read by time, follow, forget.

A *stream* is a sequence of timed lines under an id that the caller chose. Appending is durable before it is answered
and happens exactly once, also when the sender repeats itself. Reading is ordered by time, within one stream or merged
over many, with bounded memory. One process writes.

    append ─▶ journal (one shared file, one sync for all) ─▶ memory ─▶ segments of each stream (sorted, compressed)

`port` is the interface, `engine` the real one on disk, `simulated` its twin in memory. `blocks` and `frames` are the
bytes on disk, `merge` reads many places in order of time, `tail` follows. Knows nothing of AWS.
"""
