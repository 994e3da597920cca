"""Time and chance are handed in, failures are never swallowed, foreign libraries stand behind their port."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator

from tests.tidy.tree import dotted, imports, name, python, sources, tree

# Where time or chance is taken from the machine, and why there. Everybody else gets a Clock or Ids.
SOURCES_OF_TIME = {
    "src/hatoba/core/clock.py": "the one place",
    "src/hatoba/app/up.py": "the supervisor waits for processes",
    "src/hatoba/cli/daily.py": "a client of the public API",
    "src/hatoba/fleet/enrol.py": "certificates are valid in the world's time",
    "src/hatoba/node/session.py": "certificates are valid in the world's time",
    "src/hatoba/node/wiring.py": {"log.exception"},
    "src/hatoba/node/logs/spooler.py": "a process of its own that imports nothing of ours",
}
SOURCES_OF_CHANCE = {
    "src/hatoba/core/ids.py": "the one place",
    "src/hatoba/core/secret.py": "a nonce must never be repeatable",
    "src/hatoba/app/places.py": "the name of an instance, before anything is put together",
    "src/hatoba/fleet/enrol.py": "serial numbers and join tokens must be unguessable",
    "src/hatoba/node/session.py": "keys must be unguessable",
    "src/hatoba/objects/sealing.py": "a file's key must be unguessable",
    "src/hatoba/services/kms/crypto/envelope.py": "a nonce must never be repeatable",
}
TIME = {"time.time", "time.time_ns", "time.monotonic", "time.perf_counter", "time.sleep"}
TODAY = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today"}
CHANCE = {"os.urandom", "uuid.uuid1", "uuid.uuid4"}

# The loops and borders that may catch everything, and what each of them does with it.
CATCH_ALL = {
    "src/hatoba/gateway/path.py": {"log.exception"},  # a room's mistake ends a request, not the gateway
    "src/hatoba/node/session.py": {"log.exception"},  # a node must not fall silent
    "src/hatoba/node/wiring.py": {"log.exception"},  # a network that nobody sees to stops every task in it
    "src/hatoba/reconcile/runner.py": {"log.log", "log.exception"},  # a controller goes on
    "src/hatoba/store/feed.py": {"log.exception"},  # a subscriber must not keep the others waiting
    "src/hatoba/store/writer.py": {"self._failed"},  # ends the process: what is on the disk is unknown
}

# Who may know a library. Everybody else works with our own words.
BEHIND = {
    "boto3": (),
    "botocore": ("cli/daily.py", "gateway/room.py"),
    "cbor2": ("aws/protocols/",),
    "containerd": (),
    "cryptography": (
        "objects/sealing.py",
        "services/acm/x509.py",
        "services/ec2/sshkeys.py",
        "proxy/signin/",
        "services/elbv2/plan/x509.py",
        "services/elbv2/signing.py",
        "core/secret.py",
        "fleet/enrol.py",
        "node/session.py",
        "services/iam/plan/samlkeys.py",
        "services/iam/plan/sshkeys.py",
        "services/iam/plan/x509.py",
        "services/kms/crypto/",
        "services/sts/plan/jwt.py",
        "services/sts/plan/saml/",
    ),
    "awscrt": ("core/checksums.py",),
    "dns": ("dns/", "proxy/signin/names.py"),
    "envoy": ("proxy/",),
    "grpc": ("proxy/", "runtime/"),
    "httptools": ("gateway/http/", "runtime/distribution/"),
    "lxml": ("services/sts/plan/saml/",),
    "nftables": ("network/",),
    "pyroute2": ("network/",),
    "re2": ("node/logs/patterns.py",),
    "signxml": ("services/sts/plan/saml/",),
    "sqlite3": ("store/sqlite.py", "trail/disk.py"),
    "uvloop": ("app/process.py",),
    "wsproto": ("gateway/http/",),
}


def taken(wanted: set[str], endings: bool = False) -> set[str]:
    """Modules in which one of these is called (with `endings`: or ends a dotted name)."""
    found = set()
    for path in sources():
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call):
                called = dotted(node.func)
                if called in wanted or (endings and any(called.endswith(f".{each}") for each in wanted)):
                    found.add(name(path))
    return found


def test_time_is_handed_in() -> None:
    found = taken(TIME) | taken(TODAY, endings=True)
    assert found <= SOURCES_OF_TIME.keys()


def test_chance_is_handed_in() -> None:
    found = taken(CHANCE) | {name(path) for path in sources() if {"random", "secrets"} & imports(tree(path))}
    assert found <= SOURCES_OF_CHANCE.keys()


def catches_all(handler: ast.ExceptHandler) -> bool:
    types = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(each is None or dotted(each) in {"Exception", "BaseException"} for each in types)


def test_failures_are_not_swallowed() -> None:
    """Catching everything is for cleaning up and raising again, or for the few places that log and go on."""
    swallowed, used = [], Counter[str]()
    for path in sources():
        for node in ast.walk(tree(path)):
            if not isinstance(node, ast.ExceptHandler) or not catches_all(node):
                continue
            if isinstance(last := node.body[-1], ast.Raise) and last.exc is None:
                continue
            calls = {dotted(call.func) for call in ast.walk(node) if isinstance(call, ast.Call)}
            if calls & CATCH_ALL.get(name(path), set()):
                used[name(path)] += 1
            else:
                swallowed.append(f"{name(path)}:{node.lineno}")
    assert swallowed == []
    assert used.keys() == CATCH_ALL.keys()


def test_no_wait_loses_a_cancellation() -> None:
    """`asyncio.wait_for` may, until Python 3.12: who ends a task would wait for ever. There is `asyncio.timeout`."""
    waits = [
        f"{name(path)}:{node.lineno}"
        for path in sources()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and dotted(node.func) == "asyncio.wait_for"
    ]
    assert waits == []


def test_libraries_stand_behind_their_port() -> None:
    strays = []
    for path in sources():
        known = {module.partition(".")[0] for module in imports(tree(path))} & BEHIND.keys()
        place = name(path).removeprefix("src/hatoba/")
        strays += [f"{place} imports {library}" for library in sorted(known) if not place.startswith(BEHIND[library])]
    assert strays == []


def test_structs_are_frozen() -> None:
    """A value that was handed on is never changed by somebody else."""
    loose = set()
    for path in sources():
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ClassDef) and "msgspec.Struct" in {dotted(base) for base in node.bases}:
                given = {
                    word.arg for word in node.keywords if isinstance(word.value, ast.Constant) and word.value.value
                }
                if "frozen" not in given:
                    loose.add(node.name)
    assert loose <= {"Counts"}  # of one component, which alone adds to them


# Names under which other libraries call us: parsers, transports and protocols of asyncio.
CALLED_BY_NAME = re.compile(
    r"on_\w+|connection_(made|lost)|(data|datagram|eof|error)_received|(pause|resume)_writing|__\w+__"
)
# What is there for tests: the twins of what needs a machine, and time that stands still.
FOR_TESTS = ("simulated", "memory.py", "core/clock.py")


def mentioned(module: ast.Module) -> Iterator[str]:
    """Every name that is used in it, also as a word of a string: commands and columns are looked up by those."""
    for node in ast.walk(module):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 60:
            yield from re.findall(r"\w+", node.value)


def defined(body: list[ast.stmt]) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node
        if isinstance(node, ast.ClassDef):
            yield from defined(node.body)


def test_everything_is_called_by_somebody() -> None:
    """Tests do not count. Operations are called by their clients: whatever is decorated is somebody's."""
    used = {each for path in python() if not name(path).startswith("tests/") for each in mentioned(tree(path))}
    dead = [
        f"{name(path)}: {node.name}"
        for path in sources()
        for node in defined(tree(path).body)
        if node.name not in used and not node.decorator_list and not CALLED_BY_NAME.fullmatch(node.name)
    ]
    assert [each for each in dead if not any(place in each for place in FOR_TESTS)] == []


def test_parameters_are_used() -> None:
    """Of functions that nobody hands on as values: there is no shape that somebody else prescribes."""
    handed: set[str] = set()
    for path in sources():
        called = {id(node.func) for node in ast.walk(tree(path)) if isinstance(node, ast.Call)}
        uses = [node for node in ast.walk(tree(path)) if isinstance(node, ast.Name | ast.Attribute)]
        handed |= {dotted(node).rpartition(".")[2] for node in uses if id(node) not in called}
    unused = []
    for path in sources():
        for function in tree(path).body:
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) or function.decorator_list:
                continue
            given = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
            used = {node.id for part in function.body for node in ast.walk(part) if isinstance(node, ast.Name)}
            if function.name not in handed and not name(path).startswith("src/hatoba/cli/"):
                unused += [f"{name(path)}: {function.name}({each.arg})" for each in given if each.arg not in used]
    assert unused == []
