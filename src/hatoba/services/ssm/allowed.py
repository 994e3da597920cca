"""Does a value match the parameter's AllowedPattern? The pattern is anybody's, and a regular expression can take for
ever, so it is tried by a process of its own, which has a second of CPU and little memory. The value goes by its pipe.
"""

from __future__ import annotations

import json
import subprocess
import sys

from hatoba.aws.shapes import ssm as t
from hatoba.core.threads import Threads

_SECONDS = 5.0  # by the clock, on a machine that has much to do
_MATCHES, _DIFFERS, _UNCLEAR = 0, 3, 4
_PROGRAM = f"""
import json, re, resource, sys
resource.setrlimit(resource.RLIMIT_CPU, (1, 1))
resource.setrlimit(resource.RLIMIT_AS, (256 << 20, 256 << 20))
pattern, value = json.load(sys.stdin)
try:
    sys.exit({_MATCHES} if re.search(pattern, value) else {_DIFFERS})
except (re.error, OverflowError, RecursionError):
    sys.exit({_UNCLEAR})
"""
_threads = Threads("ssm-patterns", 4)  # so many processes at once, and no more


async def check(pattern: str, value: str) -> None:
    """Raises ParameterPatternMismatchException, InvalidAllowedPatternException."""
    ended = await _threads.run(_tried, pattern, value)
    if ended == _DIFFERS:
        raise t.ParameterPatternMismatchException(
            f"Parameter value, cannot be validated against allowedPattern: {pattern}"
        )
    if ended != _MATCHES:
        raise _invalid("is not a regular expression" if ended == _UNCLEAR else "takes too long to match")


def _tried(pattern: str, value: str) -> int | None:
    """How the process ended; None when it had to be ended."""
    command = [sys.executable, "-I", "-S", "-c", _PROGRAM]
    asked = json.dumps([pattern, value]).encode()
    try:
        return subprocess.run(
            command, input=asked, stderr=subprocess.DEVNULL, env={}, timeout=_SECONDS, check=False
        ).returncode
    except subprocess.TimeoutExpired:
        return None


def _invalid(why: str) -> t.InvalidAllowedPatternException:
    return t.InvalidAllowedPatternException(f"The request does not meet the regular expression requirement: it {why}.")
