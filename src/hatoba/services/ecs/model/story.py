"""What happened to a task, moment by moment, kept in the task itself.

A story is lines of JSON, one per moment, appended in the transaction that changes the task: so it costs no record of
its own, is lost in no crash, and takes some thirty bytes a moment. What the task's other fields tell already (its
reasons, its exit codes) is not told again. It is bounded: of a long one the beginning and the end stay, and the number
of moments that are left out between them.
"""

from __future__ import annotations

from typing import Literal

import msgspec

What = Literal[
    "status",  # the task's, now `text`
    "stop",  # it was wanted no longer; by `text`, where that is not the service or the task itself
    "protected",  # from scaling in, until `text`; "" for no longer
    "pulling",
    "pulled",  # the digest is the container's
    "started",
    "health",  # `text` is what it became
    "restarted",  # after the exit with code `text`
    "signalled",  # asked to stop
    "exited",  # with code `text`
    "failed",  # could not be started, for the container's reason
    "omitted",  # `text` moments are left out here
]

HEAD, TAIL = 24, 71  # moments of a long story that stay
_ENCODE = msgspec.json.Encoder().encode


class Moment(msgspec.Struct, frozen=True, array_like=True):
    """`container`: its place among the task's, -1 for the task as a whole."""

    at: float
    what: What
    container: int = -1
    text: str = ""


_DECODE = msgspec.json.Decoder(Moment).decode_lines


def add(story: bytes, *moments: Moment) -> bytes:
    for moment in moments:
        known = Moment(round(moment.at, 3), moment.what, moment.container, moment.text)
        story += _ENCODE(known) + b"\n"
    return story if story.count(b"\n") <= HEAD + 1 + TAIL else _shortened(story)


def read(story: bytes) -> list[Moment]:
    """In the order in which they happened, which may not be that in which they were heard of."""
    return sorted(_DECODE(story), key=lambda moment: moment.at)


def tells(story: bytes, what: What, container: int = -1) -> bool:
    """Whether there has been such a moment."""
    return f',"{what}",{container},'.encode() in story


def _shortened(story: bytes) -> bytes:
    moments = _DECODE(story)
    left_out = moments[HEAD:-TAIL]
    count = sum(int(moment.text) if moment.what == "omitted" else 1 for moment in left_out)
    omitted = Moment(left_out[0].at, "omitted", -1, str(count))
    return b"".join(_ENCODE(moment) + b"\n" for moment in (*moments[:HEAD], omitted, *moments[-TAIL:]))
