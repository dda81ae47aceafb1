"""A place in an ordered result, as it stands in a link.

Enters: the last row of a page, or the text of a link. Leaves: the other. The text holds all that is needed to go on
from there, so that no server keeps anything between two pages. It says nothing that the page did not say, and can
choose nothing but where to begin: the conditions stand beside it in the link.
Spec: http://hl7.org/fhir/R4/http.html#paging
"""

from __future__ import annotations

import binascii
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, NamedTuple

import msgspec

from ecluse.core.errors import BadRequest

Key = str | datetime | Decimal | None
"""What a resource is ordered by; None when it has no value."""
Ordinal = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Text = Annotated[str, msgspec.Meta(pattern=r"^[^\x00]*\Z")]

_KINDS: dict[str, Any] = {"_lastUpdated": datetime, "date": datetime, "quantity": Decimal}
"""The type of the keys of each kind of order that is none of texts."""


class Cursor(NamedTuple):
    """The last resource of a page: a check sum of the order, its keys in that order, and its own key."""

    order: int
    keys: tuple[Key, ...]
    pk: int

    @property
    def text(self) -> str:
        """The cursor as it stands in a link."""
        written = _Written(self.order, tuple(key if key is None else str(key) for key in self.keys), self.pk)
        return urlsafe_b64encode(msgspec.msgpack.encode(written)).rstrip(b"=").decode()


class _Written(msgspec.Struct, frozen=True, array_like=True):
    order: int
    keys: tuple[Text | None, ...]
    pk: Ordinal


def order_of(sort: Sequence[Any]) -> int:
    """The check sum of an order."""
    return zlib.crc32(repr([tuple(key) for key in sort]).encode())


def after(sort: Sequence[Any], row: Mapping[str, Any]) -> Cursor:
    """The cursor that continues after this row of a page. sort: the keys of the order; row: with `pk`, `k0`, `k1` …"""
    return Cursor(order_of(sort), tuple(_aware(row[f"k{n}"]) for n in range(len(sort))), row["pk"])


def cursor(text: str, sort: Sequence[Any]) -> Cursor:
    """The cursor of a link.

    Raises: BadRequest (400) when it is none of this server's, or of a search in another order"""
    try:
        found = msgspec.msgpack.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=_Written)
        read = found.order == order_of(sort) and len(found.keys) == len(sort)
        keys = [_key(key, one.by) for key, one in zip(found.keys, sort, strict=True)] if read else []
    except (msgspec.MsgspecError, binascii.Error, ValueError, ArithmeticError):
        raise BadRequest(
            "_cursor: follow the `next` link of a page as it is.", diagnostics=f'found "{text[:80]}"'
        ) from None
    if not read:
        raise BadRequest("_cursor: this link belongs to a search in another order; start again without it.")
    return Cursor(found.order, tuple(keys), found.pk)


def _key(text: str | None, by: str) -> Key:
    kind = _KINDS.get(by)
    if text is None or kind is None:
        return text
    found: datetime | Decimal = msgspec.convert(text.replace(" ", "T") if kind is datetime else text, kind)
    return _aware(found)


def _aware(key: Any) -> Key:
    """asyncpg's infinities have no zone."""
    return key.replace(tzinfo=UTC) if isinstance(key, datetime) and key.tzinfo is None else key
