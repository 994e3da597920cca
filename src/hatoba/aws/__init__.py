"""The AWS wire: service models, typed shapes, validation, protocols and signatures, all derived from botocore's data.

    request bytes ─ sigv4.verify ─ protocols.<name>.parse ─ validate.check ─▶ the operation's handler
    answer bytes  ◀──────────────── protocols.<name>.render / render_error ─┘

Values inside are the model's own: structures are dicts with the model's member names, timestamps are float seconds
since the epoch, blobs are bytes, an absent member is absent (None is taken for absent too). Nothing here knows a room.
"""
