"""mappers/terminology/publishers: files in the layouts of their publishers, with rows of our own."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ecluse.core.errors import BadRequest
from mappers.terminology.concept import Concept, Source
from mappers.terminology.publishers import ccam, cim10, local, loinc
from mappers.terminology.publishers.loinc import Release
from mappers.terminology.publishers.table import Table


def _table(*rows: Sequence[str], name: str = "file") -> Table:
    return Table(name, lambda: enumerate(rows, 1))


def _read(source: Source) -> dict[str, Concept]:
    return {one.code: one for one in source.concepts()}


def _cim10(*lines: str) -> Table:
    return _table(*(line.split("|") for line in lines), name="LIBCIM10MULTI.TXT")


A00 = "Q77   |3|NNN|3|MALADIE DES CARPES|Maladie des carpes"
A000 = "Q770  |0|ONO|0|MALADIE CARPES, LAC|Maladie des carpes, en lac"


def test_the_atihs_codes_get_their_point_and_their_parent() -> None:
    table = _cim10(A00, A000, "Q770+1|0|OOO|0|CARPES +|Avec fièvre", "T77+0 |0|OOO|0|X|Sans catégorie au-dessus")
    assert cim10.matches(table)
    source = cim10.source(table, "2025")
    assert (source.header["url"], source.header["version"]) == (
        "https://smt.esante.gouv.fr/terminologie-cim-10",
        "2025",
    )
    read = _read(source)
    assert {code: one.parents for code, one in read.items()} == {
        "Q77": (),
        "Q77.0": ("Q77",),
        "Q77.0+1": ("Q77.0",),
        "T77+0": (),
    }
    assert (read["Q77"].abstract, read["Q77.0"].abstract) == (True, False)
    assert read["Q77.0"].display == "Maladie des carpes, en lac"
    assert read["Q77.0"].designations == [{"language": "fr", "value": "MALADIE CARPES, LAC"}]
    told = {one["code"]: one.get("valueCode") or one["valueString"] for one in read["Q77.0"].properties}
    assert told == {"typeMcoHad": "0", "profilSmr": "ONO", "typePsy": "0", "compact": "Q770"}


def test_a_code_that_the_atih_took_away_is_inactive_and_keeps_its_label() -> None:
    (read,) = cim10.source(_cim10("Q778  |3|NNN|3|CARPES|*** SU09 *** Autres maladies des carpes")).concepts()
    assert (read.display, read.inactive, read.abstract) == ("Autres maladies des carpes", True, False)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("Q771|0|ONO|0|COURT", "line 2: a line has 6 fields"),
        ("771 |0|ONO|0|COURT|Long", "line 2: a code is a letter, two digits"),
        ("Q771|9|ONO|0|COURT|Long", "line 2: the type MCO/HAD"),
        ("Q771|0|ONO|0||", "line 2: the long label"),
        (A00, "line 2: this code stands twice"),
    ],
)
def test_a_wrong_line_of_the_atihs_file_is_named(line: str, words: str) -> None:
    with pytest.raises(BadRequest, match=f"LIBCIM10MULTI.TXT, {words}"):
        list(cim10.source(_cim10(A00, line)).concepts())


CCAM = [
    ["CCAM, version d'essai", "", "", ""],
    ["Code", "Texte", "Activité", "Phase"],
    ["1", "SYSTÈME INVENTÉ", "", ""],
    ["01.01", "ACTES DIAGNOSTIQUES", "", ""],
    ["", "Comprend : ce qui est inventé", "", ""],
    ["ZZZZ001", "Examen d'une carpe", "1", "0"],
    ["ZZZZ001", "Examen d'une carpe", "4", "0"],
    ["", "À l'exclusion de : tanche", "", ""],
    ["ZZZZ002", "Pose d'une écaille", "1", "0"],
]


def test_acts_stand_below_their_chapter_once_with_their_activities_and_notes() -> None:
    table = _table(*CCAM)
    found = ccam.found_header(table)
    assert found is not None
    read = _read(ccam.source(table, found, "77"))
    assert list(read) == ["01", "01.01", "ZZZZ001", "ZZZZ002"]
    assert (read["01"].parents, read["01.01"].parents, read["ZZZZ001"].parents) == ((), ("01",), ("01.01",))
    assert (read["01.01"].abstract, read["01.01"].definition) == (True, "Comprend : ce qui est inventé")
    assert read["ZZZZ001"].definition == "À l'exclusion de : tanche"
    activities = [one["valueCode"] for one in read["ZZZZ001"].properties if one["code"] == "activity"]
    assert activities == ["1", "4"]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (["ZZZ1", "Texte", "1", "0"], "line 10: a code is that of an act"),
        (["ZZZZ003", "", "1", "0"], "line 10: the text of this code is missing"),
        (["ZZZZ001", "Examen", "1", "0"], "line 10: this code stands twice"),
    ],
)
def test_a_wrong_line_of_the_ccam_is_named(row: list[str], words: str) -> None:
    table = _table(*CCAM, row)
    found = ccam.found_header(table)
    assert found is not None
    with pytest.raises(BadRequest, match=words):
        list(ccam.source(table, found).concepts())


def test_a_table_without_acts_is_no_ccam() -> None:
    assert ccam.found_header(_table(["code", "libelle"], ["A1", "Lit"])) is None


TERMS = [
    [
        *"LOINC_NUM COMPONENT PROPERTY TIME_ASPCT SYSTEM SCALE_TYP METHOD_TYP CLASS".split(),
        "VersionLastChanged",
        "DefinitionDescription",
        "STATUS",
        "SHORTNAME",
        "LONG_COMMON_NAME",
        "DisplayName",
    ],
    [
        "1-8",
        "Scales",
        "NCnc",
        "Pt",
        "Carp",
        "Qn",
        "",
        "FISH",
        "2.9",
        "How many.",
        "ACTIVE",
        "Scales Carp",
        "Scales of carp",
        "",
    ],
    ["2-6", "Fins", "NCnc", "Pt", "Carp", "Qn", "", "FISH", "2.81", "", "DEPRECATED", "", "Fins of carp", "Fins"],
]
FRENCH = [
    [
        "LOINC_NUM",
        "COMPONENT",
        "PROPERTY",
        "TIME_ASPCT",
        "SYSTEM",
        "SCALE_TYP",
        "METHOD_TYP",
        "LinguisticVariantDisplayName",
    ],
    ["1-8", "Écailles", "Nombre", "Instant", "Carpe", "Quantitatif", "", ""],
    ["2-6", "Nageoires", "", "", "", "", "", "Nageoires de carpe"],
]
TREE = [
    ["PATH_TO_ROOT", "SEQUENCE", "IMMEDIATE_PARENT", "CODE", "CODE_TEXT"],
    ["", "1", "", "LP1-0", "Fish"],
    ["LP1-0", "1", "LP1-0", "LP2-8", "Carp"],
    ["LP1-0.LP2-8", "1", "LP2-8", "1-8", "Scales of carp"],
]


def test_loinc_comes_with_its_axes_its_tree_and_its_translation() -> None:
    release = Release(_table(*TERMS), {"fr-FR": _table(*FRENCH)}, _table(*TREE))
    assert loinc.found_header(release.terms) is not None
    assert loinc.is_variant(release.variants["fr-FR"])
    source = loinc.source(release)
    assert (source.header["url"], source.header["version"]) == ("http://loinc.org", "2.81")
    read = _read(source)
    assert {code: one.parents for code, one in read.items()} == {
        "LP1-0": (),
        "LP2-8": ("LP1-0",),
        "1-8": ("LP2-8",),
        "2-6": (),
    }
    scales = read["1-8"]
    assert (scales.display, scales.definition, scales.inactive) == ("Scales of carp", "How many.", False)
    assert {"language": "fr-FR", "value": "Écailles:Nombre:Instant:Carpe:Quantitatif"} in scales.designations
    assert {"language": "fr-FR", "value": "Nageoires de carpe"} in read["2-6"].designations
    assert {"code": "SCALE_TYP", "valueString": "Qn"} in scales.properties
    assert read["2-6"].inactive


def test_a_wrong_number_of_loinc_is_named() -> None:
    rows = [*TERMS, ["carp", *TERMS[1][1:]]]
    with pytest.raises(BadRequest, match="line 4: a LOINC number is like 718-7"):
        list(loinc.source(Release(_table(*rows), {})).concepts())


def test_a_hospitals_own_table_needs_a_code_and_a_display() -> None:
    table = _table(
        ["Code", "Libellé", "Parent", "Inactif"],
        ["L1", "Lit", "", ""],
        ["L2", "Lit cassé", "L1", "oui"],
        ["", "", "", ""],
    )
    found = local.found_header(table)
    assert found is not None
    read = _read(local.source(table, found, "1", "urn:beds"))
    assert (read["L2"].parents, read["L2"].inactive, read["L1"].inactive) == (("L1",), True, False)
    for row, words in ((["L1", "Lit", "", ""], "stands twice"), (["", "Lit", "", ""], "the code is missing")):
        wrong = _table(["Code", "Libellé", "Parent", "Inactif"], ["L1", "Lit", "", ""], row)
        with pytest.raises(BadRequest, match=f"line 3: {'this code ' if 'twice' in words else ''}{words}"):
            list(local.source(wrong, found, "", "urn:beds").concepts())
