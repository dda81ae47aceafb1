"""The master key: made once, kept secret, never defaulted."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from consumers.hub.keys import MasterKeyRefused, check_value, derive, master_key, project_keys
from ecluse.core.settings import Settings


def test_the_first_start_makes_a_key_that_only_this_user_can_read(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    key = master_key(settings)
    file = tmp_path / "hub" / "master.key"
    assert len(key) == 32 and file.read_bytes() == key == master_key(settings)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [entry.name for entry in file.parent.iterdir()] == ["master.key"]
    assert master_key(Settings(data=tmp_path / "other")) != key


def test_processes_that_start_together_share_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: master_key(Settings(data=tmp_path)), range(16)))) == 1


@pytest.mark.parametrize(
    ("content", "mode", "why"),
    [
        (b"k" * 31, 0o600, "has 31 bytes; 32 or more are needed"),
        (b"k" * 32, 0o640, "is open to others: chmod 600"),
        (b"k" * 32, 0o604, "is open to others"),
        (None, 0o600, "cannot be read: No such file"),
    ],
)
def test_a_given_key_that_is_not_safe_is_refused(tmp_path: Path, content: bytes | None, mode: int, why: str) -> None:
    file = tmp_path / "master.key"
    if content is not None:
        file.write_bytes(content)
        file.chmod(mode)
    with pytest.raises(MasterKeyRefused, match=why):
        master_key(Settings(data=tmp_path, hub_master_key_file=file))


def test_a_given_key_is_used(tmp_path: Path) -> None:
    file = tmp_path / "given.key"
    file.touch(0o600)
    file.write_bytes(b"k" * 40)
    assert master_key(Settings(data=tmp_path, hub_master_key_file=file)) == b"k" * 40


def test_keys_differ_by_master_project_and_purpose() -> None:
    cases = [
        (m, p, u) for m in (b"m" * 32, b"n" * 32) for p in ("a", "b", "ab") for u in ("person", "record", "bperson")
    ]
    assert len({derive(*case) for case in cases}) == len(cases)
    one = project_keys(b"m" * 32, "a")
    assert len({one.person, one.resource, one.shift, one.record, one.digest}) == 5
    assert check_value(b"m" * 32, "a") not in {one.person.hex(), one.digest.hex()}


def test_derivation_is_hkdf_as_another_program_does_it() -> None:
    # openssl kdf -keylen 32 -kdfopt digest:SHA256 -kdfopt hexkey:$(printf 'm%.0s' {1..32} | xxd -p -c 100)
    #     -kdfopt hexinfo:$(printf 'ecluse hub 1\\0astma\\0person' | xxd -p -c 100) HKDF
    assert derive(b"m" * 32, "astma", "person").hex() == EXPECTED


EXPECTED = "a514cb8e0aefe5424b533ddbbb453fa1097d5f431722efd54dd4ff33d9f3c768"
