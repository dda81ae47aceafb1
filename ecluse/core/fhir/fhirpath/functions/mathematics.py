"""Functions of numbers.

Spec: http://hl7.org/fhirpath/N1/#math
"""

from __future__ import annotations

import decimal
import math
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Any

from ecluse.core.fhir.fhirpath.failures import FhirPathError
from ecluse.core.fhir.fhirpath.functions.registry import of_value
from ecluse.core.fhir.fhirpath.quantity import Quantity

NUMBERS = (int, Decimal)
_MOST_DIGITS = 30


@of_value("abs", (int, Decimal, Quantity))
def absolute(value: Any) -> Any:
    """Without its sign."""
    return value._replace(value=abs(value.value)) if isinstance(value, Quantity) else abs(value)


@of_value("ceiling", NUMBERS)
def ceiling(value: Any) -> int:
    """The least whole number that is not less."""
    return int(Decimal(value).to_integral_value(ROUND_CEILING))


@of_value("floor", NUMBERS)
def floor(value: Any) -> int:
    """The greatest whole number that is not greater."""
    return int(Decimal(value).to_integral_value(ROUND_FLOOR))


@of_value("truncate", NUMBERS)
def truncate(value: Any) -> int:
    """Without its fraction."""
    return int(value)


@of_value("round", NUMBERS, 0, 1)
def rounded(value: Any, digits: int = 0) -> Any:
    """To so many digits after the point, a half away from zero."""
    if not isinstance(digits, int) or not 0 <= digits <= _MOST_DIGITS:
        raise FhirPathError(f"round takes a number of digits from 0 to {_MOST_DIGITS}.")
    if isinstance(value, int):
        return value
    return value.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


@of_value("sqrt", NUMBERS)
def square_root(value: Any) -> Decimal | None:
    """The square root; of a negative number there is none."""
    return Decimal(value).sqrt() if value >= 0 else None


@of_value("exp", NUMBERS)
def exponential(value: Any) -> Decimal | None:
    """e to the power of it."""
    return _finite(Decimal(value).exp() if abs(value) < 10_000 else None)


@of_value("ln", NUMBERS)
def natural_logarithm(value: Any) -> Decimal | None:
    """The natural logarithm; of what is not above zero there is none."""
    return Decimal(value).ln() if value > 0 else None


@of_value("log", NUMBERS, 1)
def logarithm(value: Any, base: Any) -> Decimal | None:
    """The logarithm to a base."""
    if value <= 0 or not isinstance(base, NUMBERS) or base <= 0 or base == 1:
        return None
    found = math.log(value) / math.log(base)
    return Decimal(repr(round(found, 12)))


@of_value("power", NUMBERS, 1)
def power(value: Any, exponent: Any) -> Any:
    """To the power of the exponent; None when that is no real number, or too large."""
    if not isinstance(exponent, NUMBERS) or not -1_000 <= exponent <= 1_000:
        return None
    if type(value) is int and type(exponent) is int and exponent >= 0 and abs(value) < 1_000_000:
        return value**exponent
    try:
        return _finite(Decimal(value) ** exponent)
    except decimal.InvalidOperation:
        return None


def _finite(value: Decimal | None) -> Decimal | None:
    return value if value is not None and value.is_finite() else None
