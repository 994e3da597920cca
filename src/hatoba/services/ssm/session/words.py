"""What the messages of a data channel say, as JSON: the plugin's own names. Both ends use it."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import msgspec

from hatoba.services.ssm.session.frames import BadFrame

SessionType = Literal["InteractiveCommands", "NonInteractiveCommands"]
AGENT_VERSION = "3.3.40.0"  # of the agent whose protocol this is: the plugin asks what it may expect
TERMINATE = 2  # a flag's value: the client ends the session


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """Unknown members are ignored: newer clients say more."""


class OpenDataChannel(Words, frozen=True, kw_only=True, rename="pascal"):
    """The first message, a text. The last three are Hatoba's own client's; others leave them out.

    `terminal` false: pipes instead of a terminal, as NonInteractiveCommands. `exit_code`: told before the end, as a
    payload that the plugin would print.
    """

    message_schema_version: str = "1.0"
    request_id: str = ""
    token_value: str
    client_id: str = ""
    client_version: str = ""
    terminal: bool = True
    exit_code: bool = False
    columns: int = 0
    rows: int = 0


class Acknowledged(Words, frozen=True, kw_only=True):
    type: str = msgspec.field(name="AcknowledgedMessageType")
    id: str = msgspec.field(name="AcknowledgedMessageId")
    sequence: int = msgspec.field(name="AcknowledgedMessageSequenceNumber")
    sequential: bool = msgspec.field(name="IsSequentialMessage", default=True)


class ChannelClosed(Words, frozen=True, kw_only=True, rename="pascal"):
    """`output`: why, "" for the natural end."""

    message_id: str
    created_date: str
    destination_id: str
    session_id: str
    message_type: str = "channel_closed"
    schema_version: int = 1
    output: str = ""


class RequestedAction(Words, frozen=True, kw_only=True, rename="pascal"):
    action_type: str
    action_parameters: Any


class HandshakeRequest(Words, frozen=True, kw_only=True, rename="pascal"):
    agent_version: str
    requested_client_actions: tuple[RequestedAction, ...]


class ProcessedAction(Words, frozen=True, kw_only=True, rename="pascal"):
    """Status 1: done, 2: failed, 3: unknown to the client."""

    action_type: str
    action_status: int = 0
    action_result: Any = None
    error: str = ""


class HandshakeResponse(Words, frozen=True, kw_only=True, rename="pascal"):
    client_version: str = ""
    processed_client_actions: tuple[ProcessedAction, ...] | None = None
    errors: tuple[str, ...] | None = None


class HandshakeComplete(Words, frozen=True, kw_only=True, rename="pascal"):
    handshake_time_to_complete: int  # nanoseconds
    customer_message: str = ""


class Size(Words, frozen=True, kw_only=True):
    cols: int
    rows: int


W = TypeVar("W", bound=Words)
encode = msgspec.json.Encoder().encode


def decode(data: bytes | str, type_: type[W]) -> W:
    """Raises `BadFrame`."""
    try:
        return msgspec.json.decode(data, type=type_)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadFrame(f"This is no {type_.__name__}: {error}") from None


def handshake(session_type: SessionType) -> HandshakeRequest:
    """What the agent asks of the client: to be a terminal, or a pipe. No encryption beside the connection's own."""
    action = RequestedAction(
        action_type="SessionType", action_parameters={"SessionType": session_type, "Properties": None}
    )
    return HandshakeRequest(agent_version=AGENT_VERSION, requested_client_actions=(action,))
