"""What a search finds, narrows and shows, on a real index."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecluse.core.errors import BadRequest
from ecluse.index.protocol import BadQuery, Entry, Filters, Hits
from ecluse.index.tantivy import Reader, Writer

HTA = "Hypertension artérielle essentielle, traitée par amlodipine. L'échographie est normale."
OEDEME = "Œdème des membres inférieurs, sans hypertension. Hépatite C connue. Sérologie µg/L."
ATTACK = "<script>alert(1)</script> toux <img src=x onerror=alert(2)> & </mark>"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of three reports."""
    home = tmp_path_factory.mktemp("data") / "index"
    writer = Writer(home)
    codes = ("34112-3", "http://loinc.org|34112-3")
    writer.add(
        [
            Entry(
                key="default/DocumentReference/d1",
                site="default",
                patient="p1",
                date="2026-03-01T09:00:00+01:00",
                title="Compte rendu",
                text=HTA,
                codes=codes,
                display="Compte rendu",
            ),
            Entry(
                key="lyon/DocumentReference/d2",
                site="lyon",
                patient="p2",
                date="2025-11",
                title="Courrier de sortie",
                text=OEDEME,
                codes=codes,
                display="Compte rendu",
            ),
            Entry(key="lyon/Composition/d3", site="lyon", title="<b>toux</b>", text=ATTACK),
        ]
    )
    writer.commit()
    writer.close()
    return home


@pytest.fixture(scope="module")
def reader(home: Path) -> Reader:
    """A reader of the three reports."""
    return Reader(home)


def search(reader: Reader, text: str, **filters: str) -> Hits:
    return reader.search(text, Filters(**filters), limit=10)


def found(reader: Reader, text: str, **filters: str) -> str:
    return " ".join(sorted(hit.key.rpartition("/")[2] for hit in search(reader, text, **filters).hits))


@pytest.mark.parametrize(
    ("text", "found_"),
    [
        ("arterielle", "d1"),
        ("ARTÉRIELLE", "d1"),
        ("arte\u0301rielle", "d1"),
        ("oedeme", "d2"),
        ("œdème", "d2"),
        ("échographie", "d1"),
        ("l'échographie", "d1"),
        ("l’echographie", "d1"),
        ("hépatite C", "d2"),
        ("hypertension", "d1 d2"),
        ("hypertension artérielle", "d1"),
        ('"hypertension artérielle"', "d1"),
        ("« hypertension artérielle »", "d1"),
        ('"artérielle hypertension"', ""),
        ("hypertension -amlodipine", "d2"),
        ('hypertension -"membres inférieurs"', "d1"),
        ("-amlodipine", "d2 d3"),
        ("amlodipine OU œdème", "d1 d2"),
        ("hypertension amlodipine OR hépatite", "d1 d2"),
        ("hypert*", "d1 d2"),
        ("amlod*", "d1"),
        ('"membres infé*"', "d2"),
        ("compte rendu", "d1 d2"),
        ("courrier", "d2"),
        ("hypertension de la", "d1 d2"),
        ("ug/l", "d2"),
        ("insuline", ""),
        ("a:b OR title:x", ""),
        ("*)(&|^~[]{}\\ hypertension", "star"),
        ("hyp*sion", "star"),
        ("h*", "prefix"),
        ('"hypertension', "quote"),
        ("OR hypertension", "or"),
        ("hypertension OU", "or"),
        ("hypertension OR -amlodipine", "or"),
        ("???", "empty"),
        ("", "nothing"),
        ("a" * 1001, "long"),
        ("a " * 40, "many"),
    ],
)
def test_a_search_finds_what_it_says(reader: Reader, text: str, found_: str) -> None:
    try:
        told = found(reader, text)
    except BadQuery as error:
        told = error.kind
        assert str(error).endswith((".", "hypert*", "diabétique", '"hypertension artérielle".'))
    assert told == found_


@pytest.mark.parametrize(
    ("filters", "found_"),
    [
        ({"site": "lyon"}, "d2"),
        ({"patient": "p1"}, "d1"),
        ({"patient": "Patient/p2"}, "d2"),
        ({"type": "34112-3"}, "d1 d2"),
        ({"type": "http://loinc.org|34112-3"}, "d1 d2"),
        ({"type": "DocumentReference", "site": "default"}, "d1"),
        ({"type": "Composition"}, ""),
        ({"patient": "p3"}, ""),
        ({"since": "2026"}, "d1"),
        ({"until": "2025"}, "d2"),
        ({"since": "2025-11-15", "until": "2025-11-20"}, "d2"),
        ({"since": "2026-03-01", "until": "2026-03-01"}, "d1"),
        ({"since": "2026-03-02"}, ""),
    ],
)
def test_filters_narrow_with_and_without_words(reader: Reader, filters: dict[str, str], found_: str) -> None:
    assert found(reader, "hypertension", **filters) == found_
    assert found(reader, "", **filters) == (found_ if filters != {"site": "lyon"} else "d2 d3") or "type" in filters


def test_a_report_without_date_is_in_no_period(reader: Reader) -> None:
    assert found(reader, "toux") == "d3"
    assert found(reader, "toux", since="0001") == found(reader, "toux", until="9999") == ""


def test_a_date_that_is_none_says_how_to_write_one(reader: Reader) -> None:
    with pytest.raises(BadRequest, match="YYYY-MM-DD"):
        found(reader, "hypertension", since="01/03/2026")


def test_a_snippet_shows_the_original_letters_and_marks_them(reader: Reader) -> None:
    (hit,) = search(reader, "oedeme hépatite").hits
    assert hit.snippet_html == (
        "<mark>Œdème</mark> des membres inférieurs, sans hypertension. <mark>Hépatite</mark> C connue. Sérologie µg/L."
    )


def test_a_snippet_carries_no_markup_of_the_report(reader: Reader) -> None:
    (hit,) = search(reader, "toux").hits
    assert hit.snippet_html == (
        "&lt;script&gt;alert(1)&lt;/script&gt; <mark>toux</mark> &lt;img src=x onerror=alert(2)&gt; &amp; &lt;/mark&gt;"
    )


def test_a_word_in_the_title_ranks_first(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    texts = {"a": ("Courrier", "scanner scanner scanner"), "b": ("Scanner", "normal"), "c": ("Courrier", "un scanner")}
    writer.add(Entry(key=f"s/Composition/{k}", site="s", title=t, text=x) for k, (t, x) in texts.items())
    writer.commit()
    writer.close()
    best = Reader(tmp_path).search("scanner", Filters(), limit=1).hits[0]
    assert best.key == "s/Composition/b"


def test_pages_follow_each_other_and_the_total_is_of_all(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    writer.add(Entry(key=f"s/Composition/{n}", site="s", text="toux " * (n + 1), date=f"20{n:02}") for n in range(25))
    writer.commit()
    writer.close()
    reader = Reader(tmp_path)
    for text, filters in (("toux", Filters()), ("", Filters(site="s"))):
        pages = [reader.search(text, filters, limit=10, offset=offset) for offset in (0, 10, 20)]
        assert {page.total for page in pages} == {25}
        assert len({hit.key for page in pages for hit in page.hits}) == 25
    assert [hit.date for hit in reader.search("", Filters(site="s"), limit=2).hits] == ["2024", "2023"]
    with pytest.raises(BadQuery, match="first 10000"):
        reader.search("toux", Filters(), limit=10, offset=9_991)


def test_a_reader_sees_each_commit_and_nothing_before_it(tmp_path: Path) -> None:
    writer, reader = Writer(tmp_path), Reader(tmp_path)
    for number in range(20):
        writer.add([Entry(key=f"s/Composition/{number}", site="s", text="toux")])
        assert reader.search("toux", Filters(), limit=1).total == number
        writer.commit()
        assert reader.search("toux", Filters(), limit=1).total == number + 1
    writer.delete(["s/Composition/3"])
    writer.rollback()
    writer.commit()
    assert reader.search("toux", Filters(), limit=1).total == 20
    writer.clear()
    assert reader.search("toux", Filters(), limit=1).total == 0
    writer.close()


def test_one_report_is_read_whole(reader: Reader) -> None:
    entry = reader.entry("default/DocumentReference/d1")
    assert entry is not None
    assert (entry.text, entry.patient) == (HTA, "p1")
    assert [entry.text[slice(*place)] for place in reader.highlighted("arterielle amlod*", entry.text)] == [
        "artérielle",
        "amlodipine",
    ]
    assert reader.entry("default/DocumentReference/none") is None
