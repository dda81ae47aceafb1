"""Numbers as OMOP takes them.

Enters: Quantity and plain numbers, each with its lexeme. Leaves: exact decimals, whole numbers within four bytes, the
text as sent. A number that no column takes is left out, never a failed insert.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from ecluse.core.fhir.json import number

INTEGER = 2_147_483_647
_DIGITS = 40
_PLAIN = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_NO_NUMBER = (bool, str)


def decimal(value: Any) -> Decimal | None:
    """The exact decimal, None when there is none or when it has more than 40 digits on a side."""
    if value is None or isinstance(value, _NO_NUMBER):
        return None
    text = lexeme(value) or ""
    if len(text) <= _DIGITS and _PLAIN.fullmatch(text):
        return Decimal(text)
    if len(text) > 4 * _DIGITS:
        return None
    try:
        found = number(value)
    except InvalidOperation:
        return None
    exponent = found.as_tuple().exponent
    fits = abs(found.adjusted()) <= _DIGITS and isinstance(exponent, int) and exponent >= -_DIGITS
    return found if fits else None


def integer(value: Any) -> int | None:
    """The whole number, None when there is none, when it has a fraction or does not fit in four bytes."""
    found = decimal(value)
    return int(found) if found is not None and found == found.to_integral_value() and abs(found) <= INTEGER else None


def amount(quantity: dict[str, Any] | None) -> Decimal | None:
    """The decimal value of a Quantity."""
    return decimal(quantity.get("value")) if quantity else None


def lexeme(value: Any) -> str | None:
    """The number exactly as it was sent."""
    if value is None:
        return None
    return bytes(value).decode() if isinstance(value, msgspec.Raw) else str(value)


def days(quantity: dict[str, Any] | None) -> int | None:
    """A Duration in whole days; a month has 30, a year 365. None when it is in other units or beyond a century."""
    factor = {"h": Decimal(1) / 24, "d": Decimal(1), "wk": Decimal(7), "mo": Decimal(30), "a": Decimal(365)}
    value = amount(quantity)
    code = (quantity or {}).get("code") or (quantity or {}).get("unit")
    scale = factor.get({"day": "d", "days": "d"}.get(str(code), str(code)))
    if value is None or scale is None or not 0 < value * scale <= 36_500:
        return None
    return max(1, int(value * scale))
