"""Records that the recipient alone can open.

Enters: a plaintext and its place in a feed, or a sealed record and the recipient's private key. Leaves: the other one.
A record is a compact JWE, ECDH-ES+A256KW on P-256 or X25519 with A256GCM. Its protected header says project, feed key,
epoch, version and recipient, and is authenticated with the content: a record that is cut, changed or put in another's
place does not open. Each record has a content key of its own; the key that wraps it is agreed once a batch.
Spec: https://www.rfc-editor.org/rfc/rfc7516, https://www.rfc-editor.org/rfc/rfc7518#section-4.6,
https://www.rfc-editor.org/rfc/rfc7638 for `kid`
"""

from __future__ import annotations

import os
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any, NamedTuple

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.hazmat.primitives.keywrap import aes_key_wrap
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey

from ecluse.core.errors import EcluseError

TYP = "ecluse-hub+jwe"
ALG, ENC = "ECDH-ES+A256KW", "A256GCM"
CURVES: dict[tuple[str, str], type[ECKey | OKPKey]] = {("EC", "P-256"): ECKey, ("OKP", "X25519"): OKPKey}

KEY_BYTES, IV_BYTES, TAG_BYTES = 32, 12, 16
MOST_RECORDS = 1000
"""Of one agreement; a larger batch has another one after them."""

THUMBPRINT = 43
"""Characters of a SHA-256 thumbprint; a `kid` of another length is somebody's own name for the key."""

# The private names of the header are allowed by not checking names; the algorithms are checked all the same.
_registry = jwe.JWERegistry(algorithms=[ALG, ENC], strict_check_header=False)

# RFC 7518, 4.6.2: AlgorithmID, no PartyUInfo, no PartyVInfo, bits of the key.
_KDF_INFO = struct.pack(f">I{len(ALG)}sIII", len(ALG), ALG.encode(), 0, 0, 8 * KEY_BYTES)


class KeyRefused(EcluseError):
    """The key is not one that records can be sealed for or opened with."""


class SealBroken(EcluseError):
    """The record was not sealed for this key, or is not as it was sealed."""


class Place(NamedTuple):
    """Where a record stands: it opens nowhere else."""

    project: str
    key: str
    epoch: int
    version: int


class Recipient(NamedTuple):
    """A key and its thumbprint."""

    key: ECKey | OKPKey
    kid: str


class Opened(NamedTuple):
    """The content of a record, and where it says that it stands."""

    place: Place
    content: dict[str, Any]


def recipient(jwk: Any) -> Recipient:
    """The recipient of a project, from a public JWK.

    Raises: KeyRefused when it is private, of another kind, or meant for something else
    """
    key = _key(jwk)
    if key.is_private:
        raise KeyRefused("this is a private key: give the public one, and keep the private one away from this machine")
    return Recipient(key, key.thumbprint())


def holder(jwk: Any) -> Recipient:
    """The recipient as they see themselves, from their private JWK.

    Raises: KeyRefused when it is public or of another kind
    """
    key = _key(jwk)
    if not key.is_private:
        raise KeyRefused("this is a public key: records are opened with the private one")
    return Recipient(key, key.thumbprint())


def generated(curve: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A new key as private and public JWK. curve: P-256 or X25519"""
    made = OKPKey.generate_key("X25519") if curve == "X25519" else ECKey.generate_key("P-256")
    kid = {"kid": made.thumbprint(), "use": "enc", "alg": ALG}
    return {**made.as_dict(private=True), **kid}, {**made.as_dict(private=False), **kid}


class Agreement:
    """One ECDH-ES agreement with a recipient: the ephemeral key that headers show, and the key that it gives, which
    wraps content keys. Whoever has that one opens what was sealed under it."""

    def __init__(self, recipient: Recipient) -> None:
        theirs: Any = recipient.key
        ephemeral = type(theirs).generate_key(theirs.curve_name)
        shared = ephemeral.exchange_derive_key(theirs)
        self._wrapping = ConcatKDFHash(SHA256(), KEY_BYTES, otherinfo=_KDF_INFO).derive(shared)
        epk = ephemeral.as_dict(private=False)
        self._header = {"alg": ALG, "enc": ENC, "typ": TYP, "kid": recipient.kid, "epk": epk}

    def seal(self, content: bytes, place: Place) -> str:
        """The sealed record of a content, under a fresh content key."""
        key, iv = os.urandom(KEY_BYTES), os.urandom(IV_BYTES)
        header = _base64(msgspec.json.encode({**self._header, **place._asdict()}))
        sealed = AESGCM(key).encrypt(iv, content, header)
        told = (aes_key_wrap(self._wrapping, key), iv, sealed[:-TAG_BYTES], sealed[-TAG_BYTES:])
        return b".".join([header, *map(_base64, told)]).decode()


class Sealer:
    """Seals for one recipient, with one agreement until it is told to forget it."""

    def __init__(self, recipient: Recipient) -> None:
        self._recipient = recipient
        self._agreement: Agreement | None = None
        self._left = 0

    def seal(self, content: bytes, place: Place) -> str:
        """The sealed record of a content."""
        if self._agreement is None or not self._left:
            self._agreement, self._left = Agreement(self._recipient), MOST_RECORDS
        self._left -= 1
        return self._agreement.seal(content, place)

    def forget(self) -> None:
        """The batch is over: nobody here can open its records any more."""
        self._agreement = None


def unseal(record: str, holder: Recipient) -> Opened:
    """The content of a record.

    Raises: SealBroken
    """
    header = header_of(record)
    if header.get("kid") != holder.kid:
        raise SealBroken(f"sealed for the key {header.get('kid')}, this one is {holder.kid}")
    if header.get("typ") != TYP:
        raise SealBroken(f"not a record of a feed: typ is {header.get('typ')}")
    try:
        opened = jwe.decrypt_compact(record, holder.key, registry=_registry)
        place = msgspec.convert([opened.protected.get(name) for name in Place._fields], Place)
        return Opened(place, msgspec.json.decode(opened.plaintext or b""))
    except (JoseError, ValueError, msgspec.MsgspecError) as error:
        raise SealBroken("it is not as it was sealed: cut, changed, or not for this key") from error


def header_of(record: str) -> dict[str, Any]:
    """The protected header of a record, not yet known to be genuine.

    Raises: SealBroken when the record has none
    """
    part, dot, _ = record.partition(".")
    try:
        header = msgspec.json.decode(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, msgspec.MsgspecError) as error:
        raise SealBroken("not a sealed record: its header cannot be read") from error
    if not dot or not isinstance(header, dict):
        raise SealBroken("not a sealed record: five parts with dots between are expected")
    return header


def _key(jwk: Any) -> ECKey | OKPKey:
    if not isinstance(jwk, dict):
        raise KeyRefused("a JWK is an object")
    kind = (jwk.get("kty"), jwk.get("crv"))
    if kind not in CURVES:
        raise KeyRefused(f"kty {kind[0]}, crv {kind[1]}: a JWK with EC and P-256, or OKP and X25519, is expected")
    if jwk.get("use", "enc") != "enc" or not str(jwk.get("alg", ALG)).startswith("ECDH-ES"):
        raise KeyRefused(f"the key says that it is for something else: use is enc, alg is {ALG}")
    try:
        key = CURVES[kind].import_key({name: jwk[name] for name in ("kty", "crv", "x", "y", "d") if name in jwk})
        # A point outside the curve, or one that gives every sender the same secret, shows here, not at a first record.
        Agreement(Recipient(key, ""))
    except (JoseError, ValueError, TypeError) as error:
        raise KeyRefused(f"the key is not a point of {kind[1]}") from error
    if len(str(jwk.get("kid", ""))) == THUMBPRINT and jwk["kid"] != key.thumbprint():
        raise KeyRefused("kid is not the thumbprint of this key: one of them was changed on its way")
    return key


def _base64(octets: bytes) -> bytes:
    return urlsafe_b64encode(octets).rstrip(b"=")
