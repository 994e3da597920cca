"""The policy engine: AWS's JSON policy language, and what policies of all kinds say together. Pure.

    document     the grammar: text → statements as written, and back
    patterns     `*` and `?`, ARNs segment by segment, policy variables
    operators    condition operators; conditions  a statement's tests
    principals   who asks, and whom a Principal element names
    request      what is asked: an action on a resource, with its condition keys
    rules        statements compiled, found by action
    decision     the order in which kinds of policies decide, and the answer
    compiler     texts compiled once, within a bounded memory

It knows no store, no loop, no clock, and nothing of any service: who has which policies, and what a request needs,
is handed in. Source: the IAM user guide, "IAM JSON policy reference".
"""
