"""Which operations only read: CloudTrail's `readOnly`, by the names that AWS gives to operations."""

from __future__ import annotations

import re

# Credentials that are handed out, and cryptography, count as reading with CloudTrail, too.
_READS = re.compile(
    r"(Get|List|Describe|Lookup|Search|Filter|BatchGet|BatchCheck|Check|Simulate|Validate|Test|Preview|Discover|Decode"
    r"|Head|Count|Select|StartLiveTail|AssumeRole|Decrypt|Encrypt|GenerateDataKey|GenerateMac|GenerateRandom|ReEncrypt"
    r"|Sign$|Verify)"
)


def only_reads(operation: str) -> bool:
    return _READS.match(operation) is not None
