"""The AWS wire: service models, typed shapes, validation, protocols and signatures, all derived from botocore's data.

    request bytes ─ sigv4.verify ─ protocols.<name>.parse ─ validate.check ─▶ the operation's handler
    answer bytes  ◀──────────────── protocols.<name>.render / render_error ─┘

Values inside are the model's own: structures are dicts with the model's member names, timestamps are float seconds
since the epoch, blobs are bytes, an absent member is absent (None is taken for absent too). Nothing here knows a room.

    models     a service's model: its operations, shapes and errors
    index      which service a request may be for, without loading a model
    walk       compiling a shape into functions, which all that follows does
    validate   is a request what its shape says, in AWS's words; `patterns` are the expressions in it
    conform    do our own answers keep to their shapes
    sensitive  values without what must not be kept or shown
    shapes     the shapes as types, for rooms
    protocols  the wire formats
    sigv4      who sent a request, and that nobody changed it
    generate   what is derived from the models once: `python -m hatoba.aws.generate`
"""
