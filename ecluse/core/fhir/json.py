"""JSON text to Python values and back, with every number exactly as it was sent.

Enters: UTF-8 bytes. Leaves: dicts, lists, strings, ints, bools, None and, for each number that is no integer, a
`msgspec.Raw` that holds its lexeme, so that `1.00` is written as `1.00` again.
"""

from __future__ import annotations

import json as standard
import re
from decimal import Decimal
from typing import Any

import msgspec

LONGEST_NUMBER = 4300
"""Characters of a number; Python reads no longer integers."""

_DECIMAL = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?")
_MINUS_ZERO = re.compile(rb"-0(?=[ \t\r\n,}\]])")


def is_bounded(lexeme: str) -> bool:
    """Whether a number is one to calculate with: at most LONGEST_NUMBER characters, an exponent within ±999."""
    return len(lexeme) <= LONGEST_NUMBER and _DECIMAL.fullmatch(lexeme) is not None


def _lexeme(text: str) -> msgspec.Raw:
    if (len(text) > LONGEST_NUMBER or "e" in text or "E" in text) and not is_bounded(text):
        raise ValueError("number out of bounds")
    return msgspec.Raw(text)


_decoder = msgspec.json.Decoder(float_hook=_lexeme)
_encoder = msgspec.json.Encoder()

decode = _decoder.decode
encode = _encoder.encode


def decode_exactly(data: bytes | msgspec.Raw) -> Any:
    """As `decode`, and `-0`, which no integer holds, is a lexeme too."""
    value = decode(data)
    if not _MINUS_ZERO.search(data):
        return value
    return standard.loads(bytes(data), parse_float=_lexeme, parse_int=_integer)


def _integer(text: str) -> int | msgspec.Raw:
    return msgspec.Raw(text) if text == "-0" else int(text)


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
