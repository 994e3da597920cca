"""The exception tree.

    HatobaError
      ├─ AwsError            what a caller of an AWS operation is told: code, message, status, extra members
      ├─ Refused             the machine or its operator has to act: said in one sentence, exit code 1
      ├─ Stale               an older epoch, generation or version than what is known already
      └─ PortError           a real component (containerd, kernel, Envoy, disk) failed; `code` is machine readable

Foreign exceptions are translated into these once, at the border where they arise.
"""

from __future__ import annotations

from typing import Any


class HatobaError(Exception):
    """The root of everything that Hatoba raises on purpose."""


class AwsError(HatobaError):
    """An error of an AWS operation. Shapes of a model (`t.ClusterNotFoundException`) are subclasses made from it.

    `status` is the HTTP status; `fault` is "Sender" or "Receiver", as the query protocols report it; `members` are the
    error shape's further members, in the model's names.
    """

    code: str = "InternalFailure"
    status: int = 400

    def __init__(self, message: str = "", *, code: str | None = None, status: int | None = None, **members: Any):
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code
        if status is not None:
            self.status = status
        self.members = members

    @property
    def fault(self) -> str:
        return "Receiver" if self.status >= 500 else "Sender"

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class Refused(HatobaError):
    """Something that only the operator can mend: a port in use, a missing tool, a full disk. The text says how."""


class Stale(HatobaError):
    """A message or write carried an older epoch, generation or version than the receiver knows."""


class PortError(HatobaError):
    """A real component failed. `code` names the kind of failure, the text what it said."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"
