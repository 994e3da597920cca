"""What the gateway counts per operation, and the Prometheus text of it.

Observing costs a dictionary lookup and two additions: it happens on every request.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator

Collector = Callable[[], Iterable[str]]  # lines of Prometheus text

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds
_HELP = (
    ("requests_total", "counter", "Operations answered, by service, operation, caller and error code (ok: none)."),
    ("request_seconds", "histogram", "Seconds from the request's arrival to its answer, durable."),
    ("request_failures_total", "counter", "Operations that failed by a fault of ours; each is in the log."),
)


class OperationMetrics:
    """Of one operation."""

    __slots__ = ("_buckets", "_seconds", "codes", "failures")

    def __init__(self) -> None:
        self.codes: dict[tuple[str, str], int] = {}  # (caller, code)
        self.failures = 0
        self._buckets = [0] * (len(BUCKETS) + 1)
        self._seconds = 0.0

    def observe(self, caller: str, code: str, seconds: float) -> None:
        key = (caller, code)
        self.codes[key] = self.codes.get(key, 0) + 1
        self._buckets[bisect_left(BUCKETS, seconds)] += 1
        self._seconds += seconds

    def lines(self, service: str, operation: str) -> Iterator[tuple[int, str]]:
        """With the index of the family each belongs to."""
        named = f'service="{service}",operation="{operation}"'
        for (caller, code), count in self.codes.items():
            yield 0, f'hatoba_requests_total{{{named},caller="{caller}",code="{code}"}} {count}'
        total = 0
        for bound, count in zip((*map(str, BUCKETS), "+Inf"), self._buckets, strict=True):
            total += count
            yield 1, f'hatoba_request_seconds_bucket{{{named},le="{bound}"}} {total}'
        yield 1, f"hatoba_request_seconds_sum{{{named}}} {self._seconds:.6f}"
        yield 1, f"hatoba_request_seconds_count{{{named}}} {total}"
        if self.failures:
            yield 2, f"hatoba_request_failures_total{{{named}}} {self.failures}"


class Metrics:
    """Of all operations that were asked for. Only operations of the models get in: a client cannot make this grow."""

    def __init__(self) -> None:
        self._of: dict[tuple[str, str], OperationMetrics] = {}
        self.refused: dict[str, int] = {}  # requests that named no operation of ours, by error code

    def of(self, service: str, operation: str) -> OperationMetrics:
        found = self._of.get((service, operation))
        if found is None:
            found = self._of[service, operation] = OperationMetrics()
        return found

    def refuse(self, code: str) -> None:
        self.refused[code] = self.refused.get(code, 0) + 1

    @property
    def failures(self) -> int:
        return sum(of.failures for of in self._of.values())

    def collect(self) -> Iterator[str]:
        families: list[list[str]] = [[], [], []]
        for (service, operation), of in sorted(self._of.items()):
            for family, line in of.lines(service, operation):
                families[family].append(line)
        for (name, kind, said), lines in zip(_HELP, families, strict=True):
            yield f"# HELP hatoba_{name} {said}"
            yield f"# TYPE hatoba_{name} {kind}"
            yield from lines
        yield "# HELP hatoba_requests_refused_total Requests refused before an operation was known, by error code."
        yield "# TYPE hatoba_requests_refused_total counter"
        for code, count in sorted(self.refused.items()):
            yield f'hatoba_requests_refused_total{{code="{code}"}} {count}'
