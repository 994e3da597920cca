"""Does a value match the parameter's AllowedPattern? The pattern is anybody's, and a regular expression can take for
ever, so it is tried by a process of its own, which has a second of CPU and little memory. The value goes by its pipe.
"""

from __future__ import annotations

import asyncio
import json
import sys

from hatoba.aws.shapes import ssm as t

_SECONDS = 5.0  # by the clock, on a machine that has much to do
_PROGRAM = """
import json, re, resource, sys
resource.setrlimit(resource.RLIMIT_CPU, (1, 1))
resource.setrlimit(resource.RLIMIT_AS, (256 << 20, 256 << 20))
pattern, value = json.load(sys.stdin)
try:
    sys.exit(0 if re.search(pattern, value) else 3)
except (re.error, OverflowError, RecursionError):
    sys.exit(4)
"""


async def check(pattern: str, value: str) -> None:
    """Raises ParameterPatternMismatchException, InvalidAllowedPatternException."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-S",
        "-c",
        _PROGRAM,
        stdin=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={},
    )
    try:
        async with asyncio.timeout(_SECONDS):
            await process.communicate(json.dumps([pattern, value]).encode())
    except TimeoutError:
        raise _invalid("takes too long to match") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode == 3:
        raise t.ParameterPatternMismatchException(
            f"Parameter value, cannot be validated against allowedPattern: {pattern}"
        )
    if process.returncode != 0:
        raise _invalid("is not a regular expression" if process.returncode == 4 else "takes too long to match")


def _invalid(why: str) -> t.InvalidAllowedPatternException:
    return t.InvalidAllowedPatternException(f"The request does not meet the regular expression requirement: it {why}.")
