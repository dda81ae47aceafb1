"""fhir_server/store/compartment.py: what stored bodies refer to, and the paths of a compartment."""

from __future__ import annotations

from ecluse.core.fhir import json
from ecluse.core.fhir.definitions.search_parameters import paths
from ecluse.core.fhir.references import literal_references
from ecluse.core.fhir.types import number_of
from fhir_server.store import compartment
from mappers.search.reference import normalise
from tests.official import official_files


def test_it_reads_of_the_bytes_what_a_walk_over_the_resource_finds() -> None:
    compared = 0
    bodies = [path.read_bytes() for path in official_files()]
    for body in [body for body in bodies if b'"reference"' in body]:
        resource = json.decode(body)
        found = {normalise(one["reference"]) for one in literal_references(resource["resourceType"], resource)}
        expected = {(kind, target) for kind, target in found if kind and len(target) <= 64}
        told = compartment.addresses([json.encode(resource)])
        assert {one for one in told if one[0] != compartment.BINARY} == {
            one for one in expected if one[0] != compartment.BINARY
        }
        compared += len(expected)
    assert compared > 1000


def test_it_reads_attachments_with_and_without_the_address_of_the_server() -> None:
    bodies = [b'{"url":"Binary/a"}', b'{"url":"http://x/fhir/Binary/b"}', b'{"url":"http://x/Binaries/c"}']
    assert compartment.addresses(bodies) == {(compartment.BINARY, "a"), (compartment.BINARY, "b")}


def test_a_reference_inside_a_text_is_none() -> None:
    body = json.encode({"description": 'say "reference":"Patient/1"'})
    assert compartment.addresses([body]) == set()


def test_the_paths_of_a_compartment_belong_to_their_types() -> None:
    found = compartment._compartment_paths("Patient")
    kinds = {number: kind for kind, number in number_of.items()}
    assert all(paths()[path].resource_type == kinds[number] for number, path in found)
    assert {kinds[number] for number, _ in found} >= {"Observation", "Group", "Device", "Task", "Provenance"}
    assert "Slot" not in {kinds[number] for number, _ in found}


def test_each_date_of_care_is_a_date_parameter() -> None:
    assert {paths()[path].kind for path in compartment._care_paths()} == {"date"}
    assert len(compartment._care_paths()) > 50
