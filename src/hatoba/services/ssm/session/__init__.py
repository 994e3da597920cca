"""Sessions: a program in a container, at the end of a WebSocket that the Session Manager plugin speaks.

frames      one message of a data channel, to bytes and back
flow        what is not acknowledged yet, and what came out of order; both ends
words       what the messages say: opening, handshake, sizes, acknowledgements, the end
channel     our end of a data channel, without I/O: bytes and events in, bytes and events out
model       what is stored of a session; its token, for one use
transcript  what is kept of it in a log group or a bucket
writers     with whose permissions
talk        one session under way: the socket on one side, the container's process on the other
endpoint    GET /v1/data-channel/<session>: who may, and the switch to a WebSocket

The protocol is that of the published session-manager-plugin and amazon-ssm-agent (aws/session-manager-plugin,
aws/amazon-ssm-agent on GitHub: `src/message`, `agent/session/contracts`); we are the service and the agent in one.
"""
