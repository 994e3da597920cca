"""Records ↔ bytes (MessagePack), with sealed secrets; and the schema migrations at opening."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import msgspec

from hatoba.core.errors import Refused
from hatoba.core.keys import Key
from hatoba.core.records import Record
from hatoba.core.secret import Sealer, Secret
from hatoba.store.journal import Row
from hatoba.store.tables import Table

R = TypeVar("R", bound=Record)
_CONTEXT = b"record"

encode_key = msgspec.msgpack.Encoder().encode
decode_key = msgspec.msgpack.Decoder(Key).decode


class Codec:
    """Encodes and decodes the records of every table of one store."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer
        self._encoder = msgspec.msgpack.Encoder(enc_hook=self._seal)
        self.encode = self._encoder.encode

    def _seal(self, value: Any) -> Any:
        if isinstance(value, Secret):
            return self._sealer.seal(value.reveal().encode(), _CONTEXT)
        raise NotImplementedError(f"a record cannot hold a {type(value).__name__}")

    def _unseal(self, type_: type, value: Any) -> Any:
        if type_ is Secret:
            return Secret(self._sealer.unseal(value, _CONTEXT).decode())
        raise NotImplementedError(f"a record cannot hold a {type_.__name__}")

    def decoder(self, table: Table[R]) -> TableDecoder[R]:
        return TableDecoder(table, msgspec.msgpack.Decoder(table.type, dec_hook=self._unseal))


class TableDecoder(Generic[R]):
    def __init__(self, table: Table[R], decoder: msgspec.msgpack.Decoder[R]) -> None:
        self._table = table
        self.decode = decoder.decode

    def migrate(self, data: bytes, schema: int) -> bytes:
        """The row in today's schema. Sealed secrets pass through sealed."""
        row = msgspec.msgpack.decode(data)
        for step in range(schema, self._table.schema):
            row = self._table.migrations[step](row)
        return msgspec.msgpack.encode(row)


def check_schemas(tables: dict[str, Table[Any]], written: Mapping[str, int]) -> dict[str, int]:
    """The tables to migrate (name → schema they were written with). Raises `Refused` for rows of a newer Hatoba."""
    stale = {}
    for name, schema in written.items():
        table = tables.get(name)
        if table is None or schema > table.schema:
            known = "none" if table is None else str(table.schema)
            raise Refused(
                f"This data directory was written by a newer Hatoba: table {name} has schema {schema}, this version "
                f"knows {known}. Start it with the version that wrote it, or a later one."
            )
        if schema < table.schema:
            stale[name] = schema
    return stale


__all__ = ["Codec", "Row", "TableDecoder", "check_schemas", "decode_key", "encode_key"]
