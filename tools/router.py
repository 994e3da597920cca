"""A log router for tests: an image with a small receiver of Fluentd's forward protocol, written in Python.

Debian, PyPI and npm have no Fluent Bit. The receiver reads its socket's path from the configuration that FireLens gives
it, acknowledges chunks that ask for it, and prints each record with its tag as a line of JSON. `files` is what the
image needs beside busybox: the receiver, the machine's Python and the modules that the receiver imports.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tools.images import busybox_files

COMMAND = ("/usr/bin/python3", "-S", "-E", "-u", "/receiver.py")
_IMPORTS = (
    "import encodings.utf_8, encodings.ascii, encodings.latin_1, json, os, re, signal, socket, struct, sys, threading"
)
# What an interpreter that has imported them has open: modules, shared libraries.
_FILES = (
    "print(*{m.__file__ for m in sys.modules.values() if getattr(m, '__file__', None)}, "
    "*{line.split()[-1] for line in open('/proc/self/maps') if '.so' in line}, sep='\\n')"
)

RECEIVER = r'''
import json, os, re, signal, socket, struct, sys, threading

CONFIGURATIONS = "/fluent-bit/etc/fluent-bit.conf", "/fluentd/etc/fluent.conf"
lock = threading.Lock()


class Reader:
    """MessagePack from a stream: what the forward protocol needs of it."""

    def __init__(self, stream):
        self.stream = stream

    def take(self, count):
        data = self.stream.read(count)
        if len(data) < count:
            raise EOFError
        return data

    def number(self, code):
        return struct.unpack(code, self.take(struct.calcsize(code)))[0]

    def next(self):
        kind = self.take(1)[0]
        if kind < 0x80:
            return kind
        if kind < 0x90:
            return self.map(kind & 15)
        if kind < 0xA0:
            return self.list(kind & 15)
        if kind < 0xC0:
            return self.take(kind & 31).decode()
        simple = {0xC0: None, 0xC2: False, 0xC3: True}
        if kind in simple:
            return simple[kind]
        numbers = {0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q", 0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q"}
        if kind in numbers:
            return self.number(numbers[kind])
        if kind == 0xD7:
            assert self.number(">b") == 0
            seconds, nanoseconds = struct.unpack(">II", self.take(8))
            return seconds + nanoseconds / 1e9
        if 0xD9 <= kind <= 0xDB:
            return self.take(self.number({0xD9: ">B", 0xDA: ">H", 0xDB: ">I"}[kind])).decode()
        if kind in (0xDC, 0xDD):
            return self.list(self.number(">H" if kind == 0xDC else ">I"))
        if kind in (0xDE, 0xDF):
            return self.map(self.number(">H" if kind == 0xDE else ">I"))
        return kind - 256

    def list(self, count):
        return [self.next() for _ in range(count)]

    def map(self, count):
        return {self.next(): self.next() for _ in range(count)}


def serve(connection):
    reader = Reader(connection.makefile("rb"))
    try:
        while True:
            tag, entries, about = reader.next()
            with lock:
                for time, record in entries:
                    print(json.dumps({"tag": tag, "time": time, **record}), flush=True)
            if "chunk" in about:
                chunk = about["chunk"].encode()
                connection.sendall(b"\x81\xa3ack\xd9" + bytes([len(chunk)]) + chunk)
    except (EOFError, OSError):
        connection.close()


def listen(family, where):
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(where)
    listener.listen(64)
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


def main():
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    path = next(path for path in CONFIGURATIONS if os.path.exists(path))
    text = open(path).read()
    print("CONFIG " + json.dumps(text), flush=True)
    print("SECRETS " + json.dumps({name: os.environ[name] for name in re.findall(r"\$\{(\w+)\}", text)}), flush=True)
    where = re.search(r"(?:unix_path|path) (\S+)", text)[1]
    if os.path.exists(where):
        os.unlink(where)
    host = re.search(r"(?:Listen|bind) (\S+)", text)
    if host:
        threading.Thread(target=listen, args=(socket.AF_INET, (host[1], 24224)), daemon=True).start()
    listen(socket.AF_UNIX, where)


main()
'''


def files() -> dict[str, bytes | str]:
    """The image's files, for `Instance.push`."""
    python = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    command = [str(python), "-S", "-E", "-c", f"{_IMPORTS}; {_FILES}"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    loaders = [*Path("/lib64").glob("ld-*.so*"), *Path("/lib").glob("ld-*.so*")]
    wanted = dict.fromkeys([python, *map(Path, listed), *loaders])
    found: dict[str, bytes | str] = {str(path).lstrip("/"): path.read_bytes() for path in wanted}
    return busybox_files() | found | {"usr/bin/python3": f"-> {python}", "receiver.py": RECEIVER}
