"""How an answer that is cut in pages tells where the next one begins, if there is one.

    return {"Vpcs": [...], **next_token(token)}

`token` is the second half of `Call.page`. The types are parts of the answers' own: a member that the model does not
have there is an error to the type checker.
"""

from __future__ import annotations

from typing import NotRequired, TypedDict


class NextToken(TypedDict):
    NextToken: NotRequired[str]


class SmallNextToken(TypedDict):
    nextToken: NotRequired[str]


def next_token(token: str | None) -> NextToken:
    return {} if token is None else {"NextToken": token}


def small_next_token(token: str | None) -> SmallNextToken:
    """As the services with small first letters call it."""
    return {} if token is None else {"nextToken": token}
