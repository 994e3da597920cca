"""An answer other than 200."""

from __future__ import annotations

from typing import Any


class NotThere(Exception):
    """`body` is what JSON it is told as."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status)
        self.status = status
        self.body = body
