"""Query strings, in pairs: what a client writes, what is understood."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote_plus, urlencode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecluse.core import clock
from ecluse.core.errors import BadRequest
from ecluse.core.fhir.types import number_of
from fhir_server.search.cursor import Cursor, after, cursor, order_of
from fhir_server.search.parse import parse, parse_criteria
from fhir_server.search.query import AnyOf, Clause, Condition, Linked, Linking, Missing, Not, Sort
from mappers.search.question import (
    Address,
    Beginning,
    Branch,
    Containing,
    Exact,
    Id,
    InSet,
    Moment,
    Subsumed,
    Target,
    Token,
    Under,
    Value,
    escaped,
    parts,
    plain,
)
from mappers.search.registry import served
from mappers.search.rows import limited
from mappers.search.token import of_type_key, system_key

BASE = "http://here/fhir"
PATIENT = number_of["Patient"]
ORGANIZATION = number_of["Organization"]
NOW = datetime(2026, 11, 24, tzinfo=UTC)
S = system_key("http://s")


def values(query: str, resource_type: str = "Patient") -> list[Value]:
    """The values of the only clause of a query."""
    (clause,) = parse(resource_type, query, base=BASE).conditions
    assert isinstance(clause, Clause)
    return list(clause.values)


def only(query: str, resource_type: str = "Patient") -> Condition:
    """The only condition of a query."""
    (found,) = parse(resource_type, query, base=BASE).conditions
    return found


def issues(query: str, resource_type: str = "Patient") -> list[str]:
    with pytest.raises(BadRequest) as raised:
        parse(resource_type, query, base=BASE)
    return [issue.text for issue in raised.value.issues]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("identifier=1", [Token(None, "1")]),
        ("identifier=http://s|1", [Token(S, "1")]),
        ("identifier=http%3A%2F%2Fs%7C1", [Token(S, "1")]),
        ("identifier=|1", [Token(0, "1")]),
        ("identifier=http://s|", [Token(S, None)]),
        ("identifier=1,2", [Token(None, "1"), Token(None, "2")]),
        ("identifier=1,1", [Token(None, "1")]),
        (r"identifier=a\,b\|c\$d\\", [Token(None, "a,b|c$d\\")]),
        (r"identifier=DOMAIN\user", [Token(None, r"DOMAIN\user")]),
        ("identifier=a+b", [Token(None, "a b")]),
        ("active=true", [Token(None, "true")]),
        ("gender=male", [Token(None, "male")]),
        (
            "gender=http://hl7.org/fhir/administrative-gender|male",
            [Token(system_key("http://hl7.org/fhir/administrative-gender"), "male"), Token(0, "male")],
        ),
        ("gender=http://s|male", [Token(S, "male")]),
        ("language=http://s|fr", [Token(S, "fr", "http://s")]),
        ("language=http://s|1-2", [Token(S, "1-2")]),
        (f"language=http://s|{'a' * 251}", [Token(S, limited("a" * 251))]),
        ("language=fr,|fr", [Token(None, "fr"), Token(0, "fr")]),
        ("name=Zœ", [Beginning("zoe")]),
        ("name=Jean-Pierre", [Beginning("jean pierre")]),
        ("_id=a,b.c-1", [Id("a"), Id("b.c-1")]),
        ("_profile=http://p|1", [Address("http://p|1")]),
        ("general-practitioner=1", [Target((100, 108, 109), "1")]),
    ],
)
def test_values_of_patients(query: str, expected: list[Value]) -> None:
    assert values(query) == expected


PATHS = {code: parameter.paths for code, parameter in served("Patient").items()}
FEMALE = Clause("gender", "token", PATHS["gender"], (Token(None, "female"),), 7)
GENDERS = ("http://hl7.org/fhir/administrative-gender",)
LED = PATHS["general-practitioner"]


def named(kind: str, text: str) -> Clause:
    return Clause("name", "string", served(kind)["name"].paths, (Beginning(text),), 3)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("gender:not=female", Not("gender", FEMALE)),
        ("name:missing=true", Missing("name", "string", PATHS["name"])),
        ("name:missing=false", Not("name", Missing("name", "string", PATHS["name"]))),
        ("_id:missing=true", AnyOf("_id", ())),
        ("name:exact=Zoé", Clause("name", "string", PATHS["name"], (Exact("zoe", "Zoé"),), 3)),
        ("name:contains=Zoé", Clause("name", "string", PATHS["name"], (Containing("zoe"),), 3)),
        ("gender:text=Fem", Clause("gender", "string", PATHS["gender"], (Beginning("fem"),), 7)),
        ("gender:in=http://v", Clause("gender", "token", PATHS["gender"], (InSet("http://v", GENDERS),), 7)),
        (
            "gender:below=http://s|a",
            Clause("gender", "token", PATHS["gender"], (Subsumed(False, "http://s", "a", GENDERS),), 7),
        ),
        (
            "identifier:of-type=http://s|a|1",
            Clause("identifier", "token", PATHS["identifier"], (Token(of_type_key("http://s", "a"), "1"),), 1),
        ),
        (
            "general-practitioner:identifier=http://s|1",
            Clause("general-practitioner", "token", LED, (Token(S, "1"),), 2),
        ),
        (
            "general-practitioner:Organization=1",
            Clause("general-practitioner", "reference", LED, (Target((ORGANIZATION,), "1"),), 2),
        ),
        (
            "general-practitioner:below=Organization/1",
            Clause("general-practitioner", "reference", LED, (Branch(False, ORGANIZATION, "1"),), 2),
        ),
        (
            "general-practitioner:Organization.name=x",
            Linked("general-practitioner", LED, "Organization", (named("Organization", "x"),)),
        ),
        (
            "general-practitioner.name=x",
            AnyOf(
                "general-practitioner",
                tuple(
                    Linked("general-practitioner", LED, kind, (named(kind, "x"),))
                    for kind in ("Organization", "Practitioner")
                ),
            ),
        ),
        (
            "_has:Observation:patient:_has:Provenance:target:_id=1",
            Linking(
                "_has",
                "Observation",
                served("Observation")["patient"].paths,
                (
                    Linking(
                        "_has",
                        "Provenance",
                        served("Provenance")["target"].paths,
                        (Clause("_id", "_id", (), (Id("1"),), 0),),
                    ),
                ),
            ),
        ),
        ("_list=1", Linking("_list", "List", served("List")["item"].paths, (Clause("_id", "_id", (), (Id("1"),), 0),))),
    ],
)
def test_modifiers_and_chains(query: str, expected: Condition) -> None:
    assert only(query) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("url:below=http://a/b/", [Under("http://a/b", signs=("/", "|"))]),
        ("url:below=http://a/b|1", [Under("http://a/b|1", signs=(".", "-"))]),
        (
            "url:above=http://a/b/c",
            [Address(text) for text in ("http://a", "http://a/", "http://a/b", "http://a/b/", "http://a/b/c")],
        ),
    ],
)
def test_addresses_above_and_below(query: str, expected: list[Value]) -> None:
    assert values(query, "ValueSet")[: len(expected)] == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("patient=1", [Target((PATIENT,), "1")]),
        ("patient=Patient/1", [Target((PATIENT,), "1"), Target((0,), f"{BASE}/Patient/1")]),
        ("patient=Patient/1/_history/2", [Target((PATIENT,), "1"), Target((0,), f"{BASE}/Patient/1")]),
        (f"patient={BASE}/Patient/1", [Target((PATIENT,), "1"), Target((0,), f"{BASE}/Patient/1")]),
        ("subject=1", [Target(tuple(number_of[name] for name in ("Device", "Group", "Location", "Patient")), "1")]),
        ("subject=http://there/Patient/1", [Target((0,), "http://there/Patient/1")]),
        ("subject=urn:uuid:1", [Target((0,), "urn:uuid:1")]),
        ("focus=1", [Target((), "1")]),
    ],
)
def test_values_of_references(query: str, expected: list[Value]) -> None:
    assert values(query, "Observation") == expected


def test_a_canonical_is_compared_as_a_whole() -> None:
    assert values("measure=Measure/1", "MeasureReport") == [Target((0,), "Measure/1")]


def day(*date: int) -> datetime:
    return datetime(*date, tzinfo=UTC)  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("birthdate=2000", Moment("eq", day(2000, 1, 1), day(2001, 1, 1))),
        ("birthdate=eq2000-02", Moment("eq", day(2000, 2, 1), day(2000, 3, 1))),
        ("birthdate=ge2000-02-03", Moment("ge", day(2000, 2, 3), day(2000, 2, 4))),
        ("birthdate=lt2000-02-03T10:11", Moment("lt", day(2000, 2, 3, 10, 11), day(2000, 2, 3, 10, 12))),
        ("birthdate=sa2000-02-03T10:11:12Z", Moment("sa", day(2000, 2, 3, 10, 11, 12), day(2000, 2, 3, 10, 11, 13))),
        (
            "birthdate=eb2000-02-03T10:11:12%2B02:00",
            Moment("eb", day(2000, 2, 3, 8, 11, 12), day(2000, 2, 3, 8, 11, 13)),
        ),
        (
            "birthdate=eb2000-02-03T10:11:12+02:00",
            Moment("eb", day(2000, 2, 3, 8, 11, 12), day(2000, 2, 3, 8, 11, 13)),
        ),
    ],
)
def test_dates(query: str, expected: Moment) -> None:
    assert values(query) == [expected]


def test_ap_widens_by_a_tenth_of_the_distance_from_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "_clock", lambda: day(2020, 1, 11))
    (found,) = values("birthdate=ap2020-01-01T00:00:00Z")
    assert isinstance(found, Moment)
    assert (day(2020, 1, 1) - found.low).total_seconds() == pytest.approx(86400, abs=1)
    assert (found.high - day(2020, 1, 1, 0, 0, 1)).total_seconds() == pytest.approx(86400, abs=1)


@pytest.mark.parametrize(
    ("query", "advice"),
    [
        ("birthdate=yesterday", "birthdate: write a date"),
        ("birthdate=gt", "birthdate: write a date"),
        ("birthdate=2000-13", "birthdate: write a date"),
        ("identifier=", "identifier: write code"),
        ("identifier=|", "identifier: write code"),
        ("identifier=a|b|c", "identifier: write code"),
        ("name=", "name: write the beginning"),
        ("name=" + "a" * 251, "name: write the beginning"),
        ("_id=a/b", "_id: write an id"),
        ("_id=", "_id: write an id"),
        ("_profile=", "_profile: write an absolute address"),
        ("general-practitioner=Patient/1", "the type is Organization, Practitioner or PractitionerRole"),
        ("general-practitioner=a b", "general-practitioner: write id"),
        ("_count=-1", "_count: write a number"),
        ("_count=many", "_count: write a number"),
        ("_count=1&_count=2", "_count: write it once"),
        ("_sort=nam", "_sort: write parameters of Patient, each after - for the last first, like name"),
        ("_sort=" + ",".join(["name"] * 9), "_sort: write at most 8 keys"),
        ("_total=yes", "_total: write one of none, estimate, accurate"),
        ("_summary=short", "_summary: write one of true, text, data, count, false"),
        ("_cursor=x", "_cursor: follow the `next` link"),
        ("name:exat=x", "name:exat is not served; name takes exact, "),
        ("gender:nope=x", "gender:nope is not served; gender takes "),
        ("gender.name=x", "gender is a token parameter; a chain goes on from a reference"),
        ("general-practitioner.nme=x", "general-practitioner.nme: Organization has no search parameter nme"),
        ("general-practitioner:Patients.name=x", "general-practitioner points to Organization, Practitioner"),
        ("general-practitioner:Patient=x", "general-practitioner points to Organization, Practitioner, "),
        ("_has:Observation:code=1", "write _has:Type:reference:parameter=value"),
        ("_has:Observation:patient:cod=1", "Observation has no search parameter cod; valid, nearest first: code"),
        ("_has:Observations:patient:code=1", "FHIR R4 has no resource type Observations"),
        ("_has:Observation:encounter:code=1", "Observation.encounter does not point to Patient; parameters that do"),
        ("name:missing=yes", "name:missing is true or false."),
        ("_filter=name pr yes", "_filter: name pr is true or false."),
        ("_list=$current-allergies", "keeps no functional lists"),
        ("_list:not=1", "_list takes the id of a List"),
        ("identifier:of-type=a|b", "write the type's system|code and the identifier's value"),
        ("gender:below=male", "write system|code"),
        ("link.link.link.link.link.link.link.link.link.name=x", "A chain has at most 8 links"),
        ("_text=x", "_text is not served"),
        ("age=1", "age is not served: R4 gives it no expression"),
        ("identifier=" + ",".join(map(str, range(1001))), "identifier: at most 1000 values"),
    ],
)
def test_what_cannot_be_obeyed_is_refused_with_what_can(query: str, advice: str) -> None:
    (text,) = issues(query)
    assert advice in text


def test_every_mistake_is_named_at_once() -> None:
    assert len(issues("gendre=x&birthdate=y&_count=z&name=Roux")) == 3


@pytest.mark.parametrize(
    ("query", "first"),
    [("gendre=x", "gender"), ("familly=x", "family"), ("birthDate=x", "birthdate"), ("_cuont=1", "_count")],
)
def test_an_unknown_name_is_answered_with_the_nearest_first(query: str, first: str) -> None:
    (text,) = issues(query)
    assert text.startswith(
        f"Patient has no search parameter {query.partition('=')[0]}; valid, nearest first: {first}, "
    )
    assert "general-practitioner" in text


def test_only_what_a_client_can_use_is_offered() -> None:
    (text,) = issues("gendre=x")
    offered = set(text.rstrip(".").partition("first: ")[2].split(", "))
    assert {"gender", "_count", "_sort", "_id"} <= offered
    assert not {"_cursor", "_included", "_explain"} & offered
    for query in ("general-practitioner:Organization.nme=x", "_has:Observation:patient:cod=1", "_has:List:foo:code=1"):
        (text,) = issues(query)
        assert "_id" in text and "_count" not in text


def test_lenient_handling_leaves_out_what_is_unknown_and_says_so() -> None:
    query = parse("Patient", "gendre=x&_text=y&name=Roux", lenient=True)
    assert [condition.code for condition in query.conditions] == ["name"]
    assert query.understood == (("name", "Roux"),)
    assert [text.split()[0] for text in query.ignored] == ["Patient", "_text"]


def test_lenient_handling_does_not_forgive_values_and_modifiers() -> None:
    for text in ("birthdate=yesterday", "name:exat=x"):
        with pytest.raises(BadRequest):
            parse("Patient", text, lenient=True)


def test_the_answer_s_own_parameters() -> None:
    query = parse("Patient", "_count=7&_sort=-_lastUpdated&_total=accurate&_format=json&_pretty=true&_summary=false")
    assert (query.count, query.sort, query.total, query.count_only) == (
        7,
        (Sort("_lastUpdated", True),),
        "accurate",
        False,
    )
    assert query.wants_total
    assert query.conditions == ()


@pytest.mark.parametrize(
    ("text", "count"), [("", 50), ("_count=0", 0), ("_count=1000", 1000), ("_count=999999999999", 1000)]
)
def test_the_page_is_bounded(text: str, count: int) -> None:
    assert parse("Patient", text).count == count


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("", False), ("_summary=count", True), ("_count=0", True), ("_total=none", False), ("_total=estimate", True)],
)
def test_when_a_total_is_part_of_the_answer(text: str, wanted: bool) -> None:
    assert parse("Patient", text).wants_total is wanted


def test_a_cursor_goes_on_in_the_order_of_its_search() -> None:
    first = parse("Patient", "_sort=_lastUpdated")
    place = after(first.sort, {"pk": 5, "k0": NOW})
    again = parse("Patient", f"_sort=_lastUpdated&_cursor={place.text}")
    assert again.cursor == Cursor(order_of(first.sort), (NOW,), 5)
    assert again.understood == (("_sort", "_lastUpdated"),)
    assert issues(f"_cursor={place.text}") == [
        "_cursor: this link belongs to a search in another order; start again without it."
    ]


def test_a_search_can_be_sorted_by_a_date() -> None:
    paths = served("Patient")["birthdate"].paths
    assert parse("Patient", "_sort=-birthdate").sort == (Sort("date", True, paths),)
    place = after(parse("Patient", "_sort=birthdate").sort, {"pk": 5, "k0": day(2000, 1, 1)})
    assert place.keys == (day(2000, 1, 1),)
    assert issues(f"_sort=death-date&_cursor={place.text}")


@pytest.mark.parametrize(
    "place",
    [
        (["a\0"], 5),
        (["a"], 2**63),
        (["a"], -1),
        (["a"], "5"),
        ([7], 5),
        ("a", 5),
    ],
)
def test_a_made_up_cursor_is_refused(place: tuple[Any, ...]) -> None:
    order = order_of(parse("Patient", "_sort=_id").sort)
    made = urlsafe_b64encode(msgspec.msgpack.encode((order, *place))).decode()
    assert issues(f"_sort=_id&_cursor={made}") == ["_cursor: follow the `next` link of a page as it is."]


@pytest.mark.parametrize("moment", ["", "yesterday", "2020-02-30T00:00:00Z", "12"])
def test_a_cursor_with_a_made_up_instant_is_refused(moment: str) -> None:
    order = order_of(parse("Patient", "_sort=birthdate").sort)
    made = urlsafe_b64encode(msgspec.msgpack.encode((order, [moment], 5))).decode()
    assert issues(f"_sort=birthdate&_cursor={made}") == ["_cursor: follow the `next` link of a page as it is."]


@given(st.one_of(st.none(), st.decimals(allow_nan=False, allow_infinity=False)), st.integers(0, 2**63 - 1))
def test_a_cursor_is_read_as_it_was_written(key: Decimal | None, pk: int) -> None:
    sort = (Sort("quantity", True, (1,)),)
    place = after(sort, {"pk": pk, "k0": key})
    assert cursor(place.text, sort) == place


@pytest.mark.parametrize("query", ["name=%00", "name=a%0Bb", "na%00me=x", "_cursor=%1f", "name=\ud800"])
def test_control_characters_are_refused(query: str) -> None:
    assert issues(query) == ["A search takes no control characters."]


def test_a_search_of_too_many_parameters_is_refused() -> None:
    assert issues("&".join(["name=a"] * 101)) == ["A search takes at most 100 parameters."]


def test_a_very_long_name_is_answered_at_once() -> None:
    (text,) = issues("x" * 1_000_000 + "=1")
    assert len(text) < 2_000


@given(st.text(max_size=40))
def test_no_cursor_text_breaks_the_server(text: str) -> None:
    with pytest.raises(BadRequest):
        parse("Patient", urlencode({"_cursor": text or "x"}))


@given(st.text(max_size=60))
def test_no_query_text_breaks_the_server(text: str) -> None:
    for query in (text, quote_plus(text), f"name={quote_plus(text)}", f"birthdate={quote_plus(text)}"):
        try:
            parse("Patient", query, base=BASE)
        except BadRequest as error:
            assert error.issues


@given(st.lists(st.text(max_size=12), min_size=1, max_size=4))
def test_escaped_values_are_read_as_they_were_meant(texts: list[str]) -> None:
    written = ",".join(map(escaped, texts))
    assert [plain(part) for part in parts(written, ",")] == texts


def test_criteria_need_a_condition() -> None:
    assert parse_criteria("Practitioner", "identifier=http://s|1").conditions[0][3] == (Token(S, "1"),)
    for text in ("", "_count=1"):
        with pytest.raises(BadRequest):
            parse_criteria("Practitioner", text)
    with pytest.raises(BadRequest):
        parse_criteria("Practitioner", "identifer=1")
    for text in ("identifier=1&_include=Practitioner:*", "identifier=1&_explain=true"):
        with pytest.raises(BadRequest, match="neither includes nor _explain"):
            parse_criteria("Practitioner", text)
