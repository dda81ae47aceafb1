"""What a feed's recipient runs: making a key, opening a feed.

Enters: a file for the key; lines of a feed. Leaves: a private file and a public one; the content of the records, one
line each.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO, Any

import msgspec

from consumers.hub import reading
from consumers.hub.keys import write_private
from consumers.hub.seal import KeyRefused, Recipient, generated, holder
from ecluse.core.errors import Conflict


def keygen(out: Path, curve: str) -> None:
    """Writes a private key that this user alone can read, and the public one beside it; prints the public one.

    Raises: Conflict when the file is there
    """
    private, public = generated(curve)
    public_file = out.with_suffix(f".pub{out.suffix}")
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        write_private(out, _json(private))
    except FileExistsError as error:
        raise Conflict(f"{out} is there already; a key that opens records is not written over.") from error
    public_file.write_bytes(_json(public))
    print(f"private key, for you alone: {out}\npublic key, for the project's file: {public_file}", file=sys.stderr)
    sys.stdout.write(_json(public).decode())


def decrypt(file: IO[bytes], key: Path, last_state: bool) -> None:
    """Prints the content of a feed.

    Raises: KeyRefused; SealBroken, with the line, after the content of the lines before
    """
    records = reading.read(file, _holder(key))
    contents = reading.last_state(records) if last_state else (record.content for record in records)
    for content in contents:
        sys.stdout.write(msgspec.json.encode(content).decode() + "\n")


def _holder(file: Path) -> Recipient:
    try:
        return holder(msgspec.json.decode(file.read_bytes()))
    except msgspec.DecodeError as error:
        raise KeyRefused(f"{file} is not a JWK") from error


def _json(jwk: dict[str, Any]) -> bytes:
    return msgspec.json.encode(jwk) + b"\n"
