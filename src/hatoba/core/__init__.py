"""The words everything else is written in: time, ids, keys, ARNs, errors, secrets, page tokens, background tasks, threads.

Knows nothing of AWS services, stores or networks. Imported by all, imports nobody.
"""
