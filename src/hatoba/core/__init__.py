"""The words everything else is written in: time, ids, keys, ARNs, errors, secrets, page tokens, tasks and threads.

Knows nothing of AWS services, stores or networks. Imported by all, imports nobody.
"""
