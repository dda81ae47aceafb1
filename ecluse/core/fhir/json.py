"""JSON text to Python values and back, with every number exactly as it was sent.

Enters: UTF-8 bytes. Leaves: dicts, lists, strings, ints, bools, None and, for each number that is no integer, a `msgspec.Raw` that
holds its lexeme, so that `1.00` is written as `1.00` again.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

_decoder = msgspec.json.Decoder(float_hook=msgspec.Raw)
_encoder = msgspec.json.Encoder()

decode = _decoder.decode
encode = _encoder.encode


def number(value: int | msgspec.Raw) -> Decimal:
    """The exact decimal of a number of a decoded resource."""
    return Decimal(value) if isinstance(value, int) else Decimal(bytes(value).decode())


def plain(value: Any) -> Any:
    """The same value with `Decimal` in place of each lexeme, for code that calculates."""
    if isinstance(value, dict):
        return {name: plain(member) for name, member in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return number(value) if isinstance(value, msgspec.Raw) else value
