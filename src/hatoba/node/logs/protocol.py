"""What the agent and the spooler say to each other: one datagram each, a verb and its fields.

    agent to spooler                                  spooler to agent
    add KEY FIFO LIMIT MODE   spool this FIFO         state KEY STORED END     answers `add`: what is in the spool
    ack KEY STORED READ       bytes up to STORED      data KEY END DROPPED     there are bytes up to END; sent once,
                              may go; tell me of                               until `ack` says that READ is there
                              bytes beyond READ       ended KEY END DROPPED    nothing will follow
    end KEY                   spool what is in the    failed KEY REASON        this FIFO cannot be spooled
                              FIFO, then no more
    remove KEY                delete the spool        removed KEY
    stop                      end the process

A KEY is the spool's folder below the root. Imports nothing: the spooler shall stay small.
"""

from __future__ import annotations

SOCKET = "spooler.sock"
LOCK = "spooler.lock"
MESSAGE_BYTES = 8192

BLOCK = "block"  # a full spool slows the container down
DROP = "drop"  # a full spool loses what comes next, and counts it


def pack(*fields: str | int) -> bytes:
    return "\0".join(map(str, fields)).encode()


def unpack(message: bytes) -> list[str]:
    return message.decode().split("\0")
