"""Sealed records: who opens them, and what no longer opens."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jwcrypto import jwe, jwk

from consumers.hub.seal import (
    MOST_RECORDS,
    Agreement,
    KeyRefused,
    Place,
    SealBroken,
    Sealer,
    generated,
    header_of,
    holder,
    recipient,
    unseal,
)
from tests.unit.consumers.hub.given import OTHER_PRIVATE, OTHER_PUBLIC, PRIVATE, PUBLIC, sealed

PLACE = Place("asthme", "abc", 1, 3)
CONTENT = b'{"op":"recorded","resource":{"value":4.50}}'
BOTH = [(PRIVATE, PUBLIC), (OTHER_PRIVATE, OTHER_PUBLIC)]


@pytest.mark.parametrize(("private", "public"), BOTH, ids=["P-256", "X25519"])
def test_the_recipient_opens_what_was_sealed(private: dict[str, Any], public: dict[str, Any]) -> None:
    opened = unseal(sealed(CONTENT, PLACE, public), holder(private))
    assert opened.place == PLACE
    assert opened.content["op"] == "recorded"


@pytest.mark.parametrize(("private", "public"), BOTH, ids=["P-256", "X25519"])
def test_another_library_opens_a_record_and_reads_the_same_header(
    private: dict[str, Any], public: dict[str, Any]
) -> None:
    record = sealed(CONTENT, PLACE, public)
    token = jwe.JWE(algs=["ECDH-ES+A256KW", "A256GCM"])
    token.deserialize(record, key=jwk.JWK.from_json(json.dumps(private)))
    assert token.payload == CONTENT
    header = json.loads(token.objects["protected"])
    assert header["kid"] == jwk.JWK.from_json(json.dumps(public)).thumbprint()
    assert (header["project"], header["key"], header["epoch"], header["version"]) == PLACE
    assert (header["alg"], header["enc"], header["typ"]) == ("ECDH-ES+A256KW", "A256GCM", "ecluse-hub+jwe")


def test_two_batches_of_one_content_share_nothing_but_their_place() -> None:
    one, two = (sealed(CONTENT, PLACE).split(".") for _ in range(2))
    assert all(a != b for a, b in zip(one, two, strict=True))


@pytest.mark.parametrize(("private", "public"), BOTH, ids=["P-256", "X25519"])
def test_records_of_a_batch_share_an_agreement_and_no_content_key(
    private: dict[str, Any], public: dict[str, Any]
) -> None:
    agreement = Agreement(recipient(public))
    records = [agreement.seal(CONTENT, PLACE._replace(version=version)) for version in range(300)]
    assert [unseal(record, holder(private)).place.version for record in records] == list(range(300))
    assert len({json.dumps(header_of(record)["epk"]) for record in records}) == 1
    # A wrapped key tells its key: AES-KW draws nothing.
    assert [len({record.split(".")[part] for record in records}) for part in range(1, 5)] == [300] * 4


def test_the_ephemeral_key_shows_a_point_and_nothing_else() -> None:
    assert set(header_of(sealed(CONTENT, PLACE))["epk"]) == {"kty", "crv", "x", "y"}
    assert set(header_of(sealed(CONTENT, PLACE, OTHER_PUBLIC))["epk"]) == {"kty", "crv", "x"}


def test_a_sealer_agrees_anew_when_it_forgot_and_after_a_batch_of_the_greatest_size() -> None:
    sealer = Sealer(recipient(PUBLIC))
    shown = []
    for number in range(MOST_RECORDS + 3):
        if number == 1:
            sealer.forget()
        shown.append(header_of(sealer.seal(CONTENT, PLACE))["epk"]["x"])
    assert len(set(shown)) == 3
    assert shown.count(shown[1]) == MOST_RECORDS and shown[-1] == shown[-2]


@pytest.mark.parametrize("part", range(5), ids=["header", "key", "iv", "ciphertext", "tag"])
def test_a_record_that_was_changed_does_not_open(part: int) -> None:
    parts = sealed(CONTENT, PLACE).split(".")
    parts[part] = parts[part][:5] + ("A" if parts[part][5] != "A" else "B") + parts[part][6:]
    with pytest.raises(SealBroken):
        unseal(".".join(parts), holder(PRIVATE))


@pytest.mark.parametrize("part", range(5), ids=["header", "key", "iv", "ciphertext", "tag"])
@pytest.mark.parametrize("together", [True, False], ids=["same batch", "another batch"])
def test_a_part_of_another_record_does_not_open(part: int, together: bool) -> None:
    first = Agreement(recipient(PUBLIC))
    second = first if together else Agreement(recipient(PUBLIC))
    one = first.seal(CONTENT, PLACE).split(".")
    two = second.seal(CONTENT, PLACE._replace(key="xyz", version=4)).split(".")
    one[part] = two[part]
    with pytest.raises(SealBroken):
        unseal(".".join(one), holder(PRIVATE))


@pytest.mark.parametrize("cut", [1, 10, 200])
def test_a_record_that_was_cut_does_not_open(cut: int) -> None:
    with pytest.raises(SealBroken):
        unseal(sealed(CONTENT, PLACE)[:-cut], holder(PRIVATE))


@pytest.mark.parametrize("text", ["", ".", "....", "a.b.c.d.e", "{}", "MOREAU", "é.é", "eyJ9.a.a.a.a"])
def test_what_is_no_record_is_told_as_such(text: str) -> None:
    with pytest.raises(SealBroken):
        unseal(text, holder(PRIVATE))


def test_a_record_for_another_key_names_both() -> None:
    other, _ = generated("P-256")
    record = sealed(CONTENT, PLACE)
    with pytest.raises(SealBroken, match=f"sealed for the key {PUBLIC['kid']}, this one is {other['kid']}"):
        unseal(record, holder(other))
    assert header_of(record)["kid"] == PUBLIC["kid"]


def test_a_record_of_another_kind_is_not_opened() -> None:
    header = {"alg": "ECDH-ES+A256KW", "enc": "A256GCM", "kid": PUBLIC["kid"], "typ": "JWT"}
    token = jwe.JWE(CONTENT, json.dumps(header), algs=["ECDH-ES+A256KW", "A256GCM"])
    token.add_recipient(jwk.JWK.from_json(json.dumps(PUBLIC)))
    with pytest.raises(SealBroken, match="typ is JWT"):
        unseal(token.serialize(compact=True), holder(PRIVATE))


def test_a_weaker_algorithm_is_not_opened() -> None:
    header = {
        "alg": "ECDH-ES",
        "enc": "A128CBC-HS256",
        "kid": PUBLIC["kid"],
        "typ": "ecluse-hub+jwe",
        **PLACE._asdict(),
    }
    token = jwe.JWE(CONTENT, json.dumps(header))
    token.add_recipient(jwk.JWK.from_json(json.dumps(PUBLIC)))
    with pytest.raises(SealBroken):
        unseal(token.serialize(compact=True), holder(PRIVATE))


def changed(key: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {name: value for name, value in (key | members).items() if value is not None}


@pytest.mark.parametrize(
    ("jwk", "why"),
    [
        (PRIVATE, "this is a private key"),
        (OTHER_PRIVATE, "this is a private key"),
        ({"kty": "RSA", "n": "AQAB", "e": "AQAB"}, "kty RSA, crv None"),
        ({"kty": "oct", "k": "AAAA"}, "kty oct"),
        ({"kty": "EC", "crv": "P-384", "x": "A", "y": "A"}, "crv P-384"),
        (changed(PUBLIC, use="sig"), "something else"),
        (changed(PUBLIC, alg="ES256"), "something else"),
        (changed(PUBLIC, x="A" * 43), "not a point of P-256"),
        (changed(PUBLIC, y=None), "not a point of P-256"),
        (changed(PUBLIC, x=5), "not a point of P-256"),
        ({"kty": "OKP", "crv": "X25519", "x": "A" * 43}, "not a point of X25519"),
        (changed(OTHER_PUBLIC, x=OTHER_PUBLIC["x"][:-4] + "AAAA"), "kid is not the thumbprint"),
        ("text", "a JWK is an object"),
        (None, "a JWK is an object"),
    ],
)
def test_a_key_that_will_not_do_is_refused_before_anything_is_sealed(jwk: Any, why: str) -> None:
    with pytest.raises(KeyRefused, match=why):
        recipient(jwk)


def test_a_public_key_opens_nothing() -> None:
    with pytest.raises(KeyRefused, match="public key"):
        holder(PUBLIC)
