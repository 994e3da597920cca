"""The paths of REST operations: which operation a method and path mean, and the labels in the path.

A template is `/clusters/{name}/nodes?mode=full`; `{key+}` takes slashes too. Several templates may fit a path; the one
with more fixed parts wins, then the one whose required query and header members are there: so S3 tells UploadPart from
PutObject.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from hatoba.aws.models import Operation, ServiceModel
from hatoba.aws.wire import WireRequest, form, unescape

_LABEL = re.compile(r"\{([^}+]+)(\+?)\}")


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """An operation's address, compiled."""

    operation: Operation
    path: re.Pattern[str]
    labels: tuple[str, ...]  # wire names, in the order of the path
    greedy: bool
    segments: int
    constants: frozenset[tuple[str, str]]  # of the query string
    needs_query: frozenset[str]
    needs_headers: frozenset[str]

    @property
    def rank(self) -> tuple[int, ...]:
        """The more specific, the smaller."""
        fixed = self.segments - len(self.labels)
        needs = len(self.needs_query) + len(self.needs_headers)
        return (self.greedy, -fixed, -len(self.constants), -needs, self.operation.deprecated)

    def values(self, path: str) -> dict[str, str] | None:
        """The labels' values by wire name, decoded; None when the path is another."""
        found = self.path.fullmatch(path)
        if found is None:
            return None
        return {name: unescape(text) for name, text in zip(self.labels, found.groups(), strict=True)}


def template(operation: Operation) -> Template:
    path, _, query = operation.uri.partition("?")
    pattern, labels, greedy, end = "", [], False, 0
    for label in _LABEL.finditer(path):
        pattern += re.escape(path[end : label.start()]) + ("(.+)" if label[2] else "([^/]+)")
        labels.append(label[1])
        greedy = greedy or bool(label[2])
        end = label.end()
    pattern += re.escape(path[end:])
    if not greedy:
        pattern = pattern.removesuffix("/") + "/?"
    return Template(
        operation=operation,
        path=re.compile(pattern, re.DOTALL),
        labels=tuple(labels),
        greedy=greedy,
        segments=_segments(path),
        constants=frozenset(form(query)),
        needs_query=frozenset(_required(operation, "querystring")),
        needs_headers=frozenset(name.lower() for name in _required(operation, "header")),
    )


class Router:
    """Finds a service's operation by method and path."""

    def __init__(self, model: ServiceModel) -> None:
        self._exact: dict[tuple[str, int], list[Template]] = {}
        self._greedy: dict[str, list[Template]] = {}
        for name in model.operations:
            operation = model.operation(name)
            assert operation is not None
            made = template(operation)
            if made.greedy:
                self._greedy.setdefault(made.operation.method, []).append(made)
            else:
                self._exact.setdefault((made.operation.method, made.segments), []).append(made)
        for rows in (*self._exact.values(), *self._greedy.values()):
            rows.sort(key=lambda row: row.rank)

    def find(self, request: WireRequest) -> Operation | None:
        pairs = frozenset(form(request.query))
        names = frozenset(name for name, _ in pairs)
        second = None
        for row in self._candidates(request):
            if row.path.fullmatch(request.path) is None:
                continue
            if not all(pair in pairs or (pair[1] == "" and pair[0] in names) for pair in row.constants):
                continue
            if row.needs_query <= names and row.needs_headers <= request.headers.keys():
                return row.operation
            second = second or row.operation
        return second

    def _candidates(self, request: WireRequest) -> Iterator[Template]:
        yield from self._exact.get((request.method, _segments(request.path)), ())
        yield from self._greedy.get(request.method, ())


def _segments(path: str) -> int:
    return path.strip("/").count("/") + 1 if path.strip("/") else 0


def _required(operation: Operation, location: str) -> list[str]:
    if operation.input is None:
        return []
    shape = operation.model.shape(operation.input)
    places = {name: shape.members[name] for name in shape.required}
    return [member.location_name or name for name, member in places.items() if member.location == location]
