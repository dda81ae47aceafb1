"""Numbers keep the text they were sent with."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from ecluse.core.fhir.json import LONGEST_NUMBER, decode, decode_exactly, encode, is_bounded, number, plain


def test_a_decoded_value_is_encoded_as_it_was() -> None:
    for text in (b'{"a":[1.00,1E-22,-0.0,1,true,null,"\xc3\xa9"]}', b"[12345678901234567890123]", b"[0.1e+5]"):
        assert encode(decode(text)) == text


def test_minus_zero_is_kept_where_it_is_asked_for() -> None:
    text = b'{"a":-0,"b":[-0,-0.0,0,"-0"]}'
    assert encode(decode_exactly(text)) == text
    assert encode(decode_exactly(msgspec.Raw(b'{"a":"x-0}"}'))) == b'{"a":"x-0}"}'


def test_a_number_is_an_exact_decimal() -> None:
    low, high, whole = decode(b"[0.10, 1E+245, 7]")
    assert (number(low), number(high), number(whole)) == (Decimal("0.10"), Decimal("1E+245"), Decimal(7))
    assert plain(decode(b'{"a":[1.50,{"b":2}]}')) == {"a": [Decimal("1.50"), {"b": 2}]}


@pytest.mark.parametrize("text", ["1e1000", "1e-1000", "1." + "0" * LONGEST_NUMBER])
def test_numbers_that_nobody_can_calculate_with_are_refused(text: str) -> None:
    assert not is_bounded(text)
    with pytest.raises(msgspec.DecodeError):
        decode(text.encode())
