"""Composites of R4: where their parts stand."""

from __future__ import annotations

from ecluse.core.fhir.definitions.search_parameters import parameters, paths
from ecluse.core.fhir.types import number_of
from mappers.search.composite import contexts, items_of

COMPOSITES = [(name, one.code) for name in number_of for one in parameters(name).values() if one.type == "composite"]


def parts(resource_type: str, code: str) -> list[tuple[str, bool, list[tuple[list[str], bool]]]]:
    return [
        (
            context.path,
            context.repeats,
            [([paths()[number].text for number in part.parameter.paths], part.together) for part in context.components],
        )
        for context in contexts(resource_type, code)
    ]


def test_every_composite_of_r4_has_a_context_with_all_its_parts() -> None:
    assert len(COMPOSITES) == 72
    for name, code in COMPOSITES:
        found = contexts(name, code)
        assert found, (name, code)
        for context in found:
            assert len(context.components) == len(parameters(name)[code].components)


def test_parts_of_the_resource_itself_only_have_to_stand_in_it() -> None:
    assert parts("Observation", "code-value-quantity") == [
        ("Observation", False, [(["Observation.code"], False), (["Observation.value.ofType(Quantity)"], False)])
    ]


def test_parts_of_a_repeating_element_have_to_stand_in_one_item() -> None:
    assert parts("Observation", "component-code-value-quantity") == [
        (
            "Observation.component",
            True,
            [(["Observation.component.code"], True), (["Observation.component.value.ofType(Quantity)"], True)],
        )
    ]
    assert len(parts("Observation", "combo-code-value-quantity")) == 2


def test_a_part_outside_of_the_item_only_has_to_stand_in_the_resource() -> None:
    ((_, repeats, components),) = parts("MolecularSequence", "chromosome-variant-coordinate")
    assert repeats
    assert [together for _, together in components] == [False, True, True]


def test_the_repeating_elements_of_a_type() -> None:
    assert items_of("Observation") == {"component"}
    assert items_of("DocumentReference") == {"relatesTo"}
    assert items_of("Patient") == frozenset()
