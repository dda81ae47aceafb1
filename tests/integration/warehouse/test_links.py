"""Children before parents, parents that change, go and come back: links follow, ids stay."""

from __future__ import annotations

from tests.integration.warehouse.feeding import Feeding, gone, told
from tests.integration.warehouse.stories import (
    CIM10,
    E1,
    E2,
    HOME,
    IN_E1,
    IN_E2,
    P1,
    PRESSURE,
    STAYS,
    concept,
    condition,
    encounter,
    observation,
    patient,
    prescription,
    reference,
)

VISIT = encounter("e1", P1, "2026-02-01T08:00:00Z", "2026-02-10")
PART = encounter("e2", P1, "2026-02-02", "2026-02-03", partOf=reference(E1))
LAB = observation("1", P1, "2026-02-02T10:00:00Z", **IN_E1)


async def test_an_observation_waits_for_its_patient_and_stands_when_the_patient_arrives(feeding: Feeding) -> None:
    await feeding.tell([LAB])
    assert await feeding.books() == [("Observation", "1", "waiting", "waiting for Patient")]
    assert await feeding.rows("measurement", "1") == []
    await feeding.tell([patient("p1")])
    assert await feeding.books() == [("Observation", "1", "mapped", ""), ("Patient", "p1", "mapped", "")]
    assert len(await feeding.rows("measurement", "person_id")) == 1


async def test_an_observation_waits_again_when_its_patient_is_deleted(feeding: Feeding) -> None:
    await feeding.tell([patient("p1"), LAB], [gone(patient("p1"), 2)])
    assert await feeding.books() == [
        ("Observation", "1", "waiting", "waiting for Patient"),
        ("Patient", "p1", "removed", ""),
    ]
    for table in ("person", "measurement", "observation_period"):
        assert await feeding.rows(table, "1") == []


async def test_a_row_stands_without_its_visit_and_is_linked_when_the_visit_arrives(feeding: Feeding) -> None:
    await feeding.tell([patient("p1"), LAB])
    assert await feeding.rows("measurement", "visit_occurrence_id") == [(None,)]
    await feeding.tell([VISIT])
    assert await feeding.rows("measurement", "visit_occurrence_id") == await feeding.rows(
        "visit_occurrence", "visit_occurrence_id"
    )
    await feeding.tell([gone(VISIT, 2)])
    assert await feeding.rows("measurement", "visit_occurrence_id") == [(None,)]
    await feeding.tell([told(VISIT, 3)])
    assert await feeding.rows("measurement", "visit_occurrence_id") == await feeding.rows(
        "visit_occurrence", "visit_occurrence_id"
    )


async def test_ids_stay_when_a_resource_is_updated_or_told_again(feeding: Feeding) -> None:
    pressure = observation("2", P1, "2026-02-02", component=PRESSURE)
    await feeding.tell([patient("p1"), pressure])
    before = await feeding.rows("measurement", "measurement_id", "measurement_event_id", "measurement_source_value")
    changed = observation("2", P1, "2026-02-03", component=PRESSURE)
    await feeding.tell([told(changed, 2)], [told(changed, 2), told(patient("p1"), 1)])
    assert (
        await feeding.rows("measurement", "measurement_id", "measurement_event_id", "measurement_source_value")
        == before
    )
    panel = next(row[0] for row in before if row[2] == "718-7")
    assert {row[1] for row in before if row[2] != "718-7"} == {panel}


async def test_a_resource_entered_in_error_leaves_no_row(feeding: Feeding) -> None:
    await feeding.tell([patient("p1"), LAB], [told({**LAB, "status": "entered-in-error"}, 2)])
    assert await feeding.rows("measurement", "1") == []
    assert ("Observation", "1", "excluded", "status entered-in-error") in await feeding.books()


async def test_what_happened_in_a_part_of_a_visit_points_to_both(feeding: Feeding) -> None:
    inside = observation("1", P1, "2026-02-02", **IN_E2)
    await feeding.tell([patient("p1"), inside], [PART])
    assert ("Encounter", "e2", "waiting", "waiting for Encounter") in await feeding.books()
    await feeding.tell([VISIT])
    [(visit,)] = await feeding.rows("visit_occurrence", "visit_occurrence_id")
    [(detail,)] = await feeding.rows("visit_detail", "visit_detail_id")
    assert await feeding.rows("measurement", "visit_occurrence_id", "visit_detail_id") == [(visit, detail)]
    other = encounter("e4", P1, "2026-02-02", "2026-02-03")
    moved = encounter("e2", P1, "2026-02-02", "2026-02-03", partOf=reference("Encounter/e4"))
    await feeding.tell([other], [told(moved, 2)])
    [(now,)] = await feeding.rows("measurement", "visit_occurrence_id")
    assert now not in (None, visit)


async def test_a_visit_that_becomes_part_of_another_takes_its_rows_along(feeding: Feeding) -> None:
    whole = encounter("e2", P1, "2026-02-02", "2026-02-03")
    await feeding.tell([patient("p1"), VISIT, whole, observation("1", P1, "2026-02-02", **IN_E2)])
    await feeding.tell([told(PART, 2)])
    [(visit,)] = await feeding.rows("visit_occurrence", "visit_occurrence_id")
    [(detail,)] = await feeding.rows("visit_detail", "visit_detail_id")
    assert await feeding.rows("measurement", "visit_occurrence_id", "visit_detail_id") == [(visit, detail)]


async def test_visits_that_are_parts_of_each_other_wait(feeding: Feeding) -> None:
    await feeding.tell([patient("p1"), VISIT, PART], [told({**VISIT, "partOf": reference(E2)}, 2)])
    assert [row[2] for row in await feeding.books()] == ["waiting", "waiting", "mapped"]
    assert await feeding.rows("visit_occurrence", "1") + await feeding.rows("visit_detail", "1") == []


async def test_a_prescription_takes_the_code_of_its_medication_whenever_it_is_told(feeding: Feeding) -> None:
    system = "https://smt.esante.gouv.fr/terminologie-cip"
    medication = {"resourceType": "Medication", "id": "m", "code": concept("3400930000000", system)}
    await feeding.tell([patient("p1"), prescription("q", P1, "2026-02-03")])
    assert await feeding.rows("drug_exposure", "drug_source_value") == [(None,)]
    await feeding.tell([medication])
    assert await feeding.rows("drug_exposure", "drug_source_value") == [("3400930000000",)]
    await feeding.tell([told({**medication, "code": concept("3400931111111", system)}, 2)])
    assert await feeding.rows("drug_exposure", "drug_source_value") == [("3400931111111",)]
    await feeding.tell([gone(medication, 3)])
    assert await feeding.rows("drug_exposure", "drug_source_value") == [(None,)]


async def test_providers_and_places_are_linked_late_and_loosed_when_they_go(feeding: Feeding) -> None:
    doctor = {"resourceType": "Practitioner", "id": "d", "gender": "male"}
    ward = {"resourceType": "Location", "id": "l", "name": "Cardiologie", "address": HOME["address"][0]}
    visit = {**VISIT, "location": STAYS, "participant": [{"individual": reference("Practitioner/d")}]}
    await feeding.tell([patient("p1"), visit])
    assert await feeding.rows("visit_occurrence", "provider_id", "care_site_id") == [(None, None)]
    await feeding.tell([doctor], [ward])
    [provider], [site] = await feeding.rows("provider", "provider_id"), await feeding.rows("care_site", "care_site_id")
    assert await feeding.rows("visit_occurrence", "provider_id", "care_site_id") == [(*provider, *site)]
    assert await feeding.rows("visit_detail", "care_site_id") == [site]
    assert await feeding.rows("care_site", "location_id") == await feeding.rows("location", "location_id")
    await feeding.tell([gone(doctor, 2), gone(ward, 2)])
    assert await feeding.rows("visit_occurrence", "provider_id", "care_site_id") == [(None, None)]
    assert await feeding.rows("location", "1") == []


async def test_a_resource_that_changes_patient_takes_its_rows_along(feeding: Feeding) -> None:
    await feeding.tell([patient("p1"), patient("p2"), LAB], [told(observation("1", "Patient/p2", "2026-02-05"), 2)])
    [(person,)] = await feeding.rows("measurement", "person_id")
    assert await feeding.rows("observation_period", "person_id") == [(person,)]
    owner = await feeding.pool.fetchval("SELECT patient FROM omop_map.id_map WHERE omop_table = 'measurement'")
    assert owner == "p2"


async def test_the_observation_period_is_first_and_last_day_of_all_events(feeding: Feeding) -> None:
    days = ("observation_period_start_date::text", "observation_period_end_date::text")
    await feeding.tell([patient("p1"), condition("c", P1, "2020-05")], [VISIT])
    assert await feeding.rows("observation_period", *days) == [("2020-05-01", "2026-02-10")]
    await feeding.tell([told(condition("c", P1, "2026-02-03"), 2)])
    assert await feeding.rows("observation_period", *days) == [("2026-02-01", "2026-02-10")]
    await feeding.tell([gone(VISIT, 2), told(patient("p1", deceasedDateTime="2026-03-01"), 2)])
    assert await feeding.rows("observation_period", *days) == [("2026-02-03", "2026-03-01")]


async def test_a_death_without_a_date_is_no_death_and_the_books_say_so(feeding: Feeding) -> None:
    await feeding.tell([patient("p1", deceasedBoolean=True)])
    assert await feeding.books() == [("Patient", "p1", "mapped", "death without a date")]
    assert await feeding.rows("death", "1") == []
    await feeding.tell([told(patient("p1", deceasedDateTime="2026-03-01T10:00:00+01:00"), 2)])
    assert await feeding.rows("death", "death_date::text", "death_datetime::text") == [
        ("2026-03-01", "2026-03-01 09:00:00")
    ]


async def test_two_sites_with_the_same_ids_do_not_meet(feeding: Feeding) -> None:
    await feeding.tell([told(patient("p1"), site="north"), told(LAB, site="south")])
    assert ("Observation", "1", "waiting", "waiting for Patient") in await feeding.books()
    await feeding.tell([told(patient("p1"), site="south")])
    assert len(await feeding.rows("person", "1")) == 2
    assert len(await feeding.rows("measurement", "1")) == 1


async def test_unmapped_codes_are_concept_0_with_the_code_verbatim(feeding: Feeding) -> None:
    await feeding.tell([patient("p1"), condition("c", P1, "2026-02-03", code=concept("E11.9", CIM10))])
    found = await feeding.rows("condition_occurrence", "condition_concept_id", "condition_source_value")
    assert found == [(0, "E11.9")]
