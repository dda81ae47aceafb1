"""Lines of NDJSON, read in any cuts: each once, in order, from wherever a reader begins."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from fhir_server.bulk import lines
from fhir_server.bulk.lines import Line

LONGEST = 20
PIECE = st.one_of(
    st.binary(max_size=40).map(lambda data: data.replace(b"\n", b"")), st.sampled_from([b"", b" \t", b"\r", b"{}"])
)


def every(path: Path, most: int = lines.MOST_LINES) -> list[Line]:
    """All lines of a file, so many at a time at most."""
    found: list[Line] = []
    start, number = 0, 0
    while batch := lines.batch(path, start, number, LONGEST)[:most]:
        found += batch
        start, number = batch[-1].end, batch[-1].number
    return found


@given(st.lists(PIECE, max_size=30), st.booleans(), st.integers(1, 5))
def test_each_line_comes_once_whatever_the_cuts(pieces: list[bytes], ended: bool, most: int) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(b"\n".join(pieces) + (b"\n" if ended else b""))
        wanted = []
        for number, piece in enumerate(pieces, 1):
            newline = number < len(pieces) or ended
            too_long = len(piece) > LONGEST and not (newline and len(piece) == LONGEST)
            text = piece.removeprefix(lines.BYTE_ORDER_MARK).strip()
            if too_long or text:
                wanted.append((number, None if too_long else text))
        assert [(line.number, line.text) for line in every(path, most)] == wanted


def test_a_line_that_is_too_long_is_named_and_the_next_is_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"first\n" + b"x" * 3_000_000 + b"\nlast")
    assert [(line.number, line.text) for line in every(path)] == [(1, b"first"), (2, None), (3, b"last")]


def test_a_batch_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"{}\n" * 2000)
    assert len(lines.batch(path, 0, 0, LONGEST)) == lines.MOST_LINES
    path.write_bytes((b"x" * (1 << 20) + b"\n") * 10)
    assert len(lines.batch(path, 0, 0, 1 << 21)) == lines.MOST_BYTES >> 20
