"""The recipient's side: lines of a feed, opened in order, and what is there after them."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from consumers.hub import reading
from consumers.hub.feed import Row
from consumers.hub.seal import Place, SealBroken, holder
from ecluse.cli.commands.hub import hub
from tests.unit.consumers.hub.given import OTHER_PRIVATE, PRIVATE, PUBLIC, sealed


def row(seq: int, key: str, version: int, op: str = "recorded", project: str = "asthme") -> Row:
    content = {"op": op, "type": "Observation", "id": f"id-{key}", "version": version}
    content["resource"] = {"resourceType": "Observation"} if op == "recorded" else None
    record = sealed(json.dumps(content).encode(), Place(project, key, 1, version))
    return Row(seq, key, 1, version, record)


def lines(*rows: Row) -> list[bytes]:
    return [reading.line("asthme", one) + b"\n" for one in rows]


def contents(*rows: Row) -> list[dict[str, Any]]:
    return [record.content for record in reading.read(lines(*rows), holder(PRIVATE))]


def test_lines_and_plain_records_are_read_in_order() -> None:
    one, two = row(1, "a", 1), row(2, "b", 1)
    assert [content["id"] for content in contents(one, two)] == ["id-a", "id-b"]
    plain = [one.record.encode() + b"\n", b"\n", two.record.encode()]
    assert [record.key for record in reading.read(plain, holder(PRIVATE))] == ["a", "b"]


def test_the_last_state_is_what_is_there_after_all_records() -> None:
    rows = [row(1, "b", 1), row(2, "a", 1), row(3, "a", 2), row(4, "c", 1), row(5, "c", 2, "deleted")]
    rows += [row(6, "d", 1, "withdrawn"), row(7, "e", 1, "withdrawn"), row(8, "e", 1)]
    found = reading.last_state(reading.read(lines(*rows), holder(PRIVATE)))
    assert [(content["id"], content["version"]) for content in found] == [("id-a", 2), ("id-b", 1), ("id-e", 1)]


def test_the_last_state_follows_the_sequence_numbers_not_the_lines() -> None:
    newer, older = row(2, "a", 2), row(1, "a", 1)
    found = reading.last_state(reading.read(lines(newer, older), holder(PRIVATE)))
    assert [content["version"] for content in found] == [2]


@pytest.mark.parametrize("change", [{"key": "b"}, {"version": 2}, {"epoch": 2}])
def test_a_record_in_the_place_of_another_is_refused(change: dict[str, Any]) -> None:
    swapped = row(1, "a", 1)._replace(**change)
    with pytest.raises(SealBroken, match=r"line 2: the record was sealed for another place: asthme/a 1\.1"):
        contents(row(1, "b", 1), swapped)


def test_a_record_of_another_project_is_refused() -> None:
    with pytest.raises(SealBroken, match="sealed for another place: covid/a"):
        contents(row(1, "a", 1, project="covid"))


def test_a_line_that_was_cut_is_told_with_its_number() -> None:
    whole = b"".join(lines(row(1, "a", 1), row(2, "b", 1)))
    with pytest.raises(SealBroken, match=r"line 2: not a line of a feed, or cut"):
        list(reading.read(whole[:-20].splitlines(keepends=True), holder(PRIVATE)))


def run(*words: str, given: bytes | None = None) -> Result:
    return CliRunner().invoke(hub, words, input=given)


def test_keygen_writes_a_private_key_for_its_owner_and_prints_the_public_one(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "recipient.jwk"
    for curve, kind in (("P-256", "EC"), ("X25519", "OKP")):
        out = file.with_stem(curve)
        result = run("keygen", "--out", str(out), "--curve", curve)
        assert result.exit_code == 0, result.output
        public = json.loads(result.stdout)
        assert public == json.loads(out.with_name(f"{curve}.pub.jwk").read_text())
        assert public["kty"] == kind and "d" not in public
        assert json.loads(out.read_text()) == public | {"d": json.loads(out.read_text())["d"]}
        assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_keygen_never_writes_over_a_key(tmp_path: Path) -> None:
    file = tmp_path / "recipient.jwk"
    file.write_text("mine")
    result = run("keygen", "--out", str(file))
    assert result.exit_code == 1 and "is there already" in result.stderr
    assert file.read_text() == "mine" and not file.with_name("recipient.pub.jwk").exists()


def test_decrypt_prints_content_from_standard_input_or_a_file(tmp_path: Path) -> None:
    key = tmp_path / "recipient.jwk"
    key.write_text(json.dumps(PRIVATE))
    feed = b"".join(lines(row(1, "a", 1), row(2, "a", 2, "deleted"), row(3, "b", 1)))
    result = run("decrypt", "--key", str(key), given=feed)
    assert [json.loads(text)["op"] for text in result.stdout.splitlines()] == ["recorded", "deleted", "recorded"]
    (tmp_path / "feed.ndjson").write_bytes(feed)
    result = run("decrypt", "--key", str(key), "--last-state", str(tmp_path / "feed.ndjson"))
    assert [json.loads(text)["id"] for text in result.stdout.splitlines()] == ["id-b"]


@pytest.mark.parametrize(
    ("key", "why"),
    [
        (json.dumps(PUBLIC), "this is a public key"),
        (json.dumps(OTHER_PRIVATE), "line 1: sealed for the key"),
        ("no json", "is not a JWK"),
        (None, "No such file"),
    ],
)
def test_decrypt_tells_in_one_line_what_is_wrong(tmp_path: Path, key: str | None, why: str) -> None:
    file = tmp_path / "recipient.jwk"
    if key is not None:
        file.write_text(key)
    result = run("decrypt", "--key", str(file), given=lines(row(1, "a", 1))[0])
    assert result.exit_code == 1
    assert result.stdout == "" and why in result.stderr and result.stderr.count("\n") == 1
