"""What may be wrong, in the distribution specification's words ("Error codes"): one code, one status, one sentence."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from hatoba.core.errors import HatobaError

# code: (status, what it says when nothing more precise is known)
CODES: dict[str, tuple[int, str]] = {
    "BLOB_UNKNOWN": (404, "The repository does not have this blob."),
    "BLOB_UPLOAD_INVALID": (400, "The upload cannot go on."),
    "BLOB_UPLOAD_UNKNOWN": (404, "There is no such upload in this repository; it may have been finished or expired."),
    "DIGEST_INVALID": (400, "The content does not have the digest that was given."),
    "MANIFEST_BLOB_UNKNOWN": (400, "The manifest refers to something that the repository does not have."),
    "MANIFEST_INVALID": (400, "The manifest is not valid."),
    "MANIFEST_UNKNOWN": (404, "The repository does not have this manifest."),
    "NAME_INVALID": (400, "The repository's name is not valid."),
    "NAME_UNKNOWN": (404, "The registry does not have this repository."),
    "PAGINATION_NUMBER_INVALID": (400, "The number of results to return is not valid."),
    "RANGE_INVALID": (416, "The range does not begin where the upload ended."),
    "SIZE_INVALID": (400, "The content does not have the length that was given."),
    "TAG_INVALID": (400, "The tag is not valid."),
    "UNAUTHORIZED": (401, "Authentication is required."),
    "DENIED": (403, "This is not permitted to you."),
    "UNSUPPORTED": (405, "The registry does not do this."),
    "NO_SPACE": (507, "The registry's disk is full."),
    "UNKNOWN": (500, "The registry failed."),
}


class Problem(HatobaError):
    """A refusal that a client is told. `detail` is free JSON; `headers` are added to the answer."""

    def __init__(
        self,
        code: str,
        message: str | None = None,
        *,
        status: int | None = None,
        detail: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        usual_status, usual_message = CODES[code]
        self.code = code
        self.message = message or usual_message
        self.status = status or usual_status
        self.detail = detail
        self.headers = dict(headers or {})
        super().__init__(f"{code}: {self.message}")

    def body(self) -> bytes:
        error: dict[str, object] = {"code": self.code, "message": self.message}
        if self.detail is not None:
            error["detail"] = self.detail
        return msgspec.json.encode({"errors": [error]})
