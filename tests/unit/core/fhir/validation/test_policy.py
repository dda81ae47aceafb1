"""Which rule a resource is checked by: the nearest one to its site and type."""

from __future__ import annotations

import pytest

from ecluse.core.fhir.validation.policy import Depth, Rule, read_policy, read_required, read_rule
from ecluse.core.settings import Settings, SettingsError

POLICY = read_policy("base, Observation=profiles north/*=structure north/Patient=profiles+flag")


@pytest.mark.parametrize(
    ("site", "kind", "rule"),
    [
        ("default", "Patient", Rule(Depth.BASE)),
        ("default", "Observation", Rule(Depth.PROFILES)),
        ("north", "Encounter", Rule(Depth.STRUCTURE)),
        ("north", "Observation", Rule(Depth.PROFILES)),
        ("north", "Patient", Rule(Depth.PROFILES, flag=True)),
    ],
)
def test_the_nearest_rule_counts(site: str, kind: str, rule: Rule) -> None:
    assert POLICY.rule(site, kind) == rule


def test_the_deepest_rule_says_what_a_process_needs() -> None:
    assert POLICY.deepest() is Depth.PROFILES
    assert read_policy("").deepest() is Depth.STRUCTURE


@pytest.mark.parametrize("text", ["deep", "profiles+", "Patients=base", "Patient=", "north/Patients=base"])
def test_a_rule_that_cannot_be_read_stops_the_start(text: str) -> None:
    with pytest.raises(ValueError, match=r"structure, base, profiles|no resource type"):
        read_policy(text)
    with pytest.raises(SettingsError, match="ECLUSE_VALIDATION"):
        Settings(validation=text)


def test_profiles_that_apply_without_being_named_are_listed_by_type() -> None:
    required = read_required("Patient=http://a Patient=http://b|2 north/Patient=http://c?d=e")
    assert required == {"Patient": ("http://a", "http://b|2"), "north/Patient": ("http://c?d=e",)}
    for text in ("http://a", "Patient", "Patients=http://a"):
        with pytest.raises(ValueError, match=r"Type=URL|no resource type"):
            read_required(text)


def test_flag_is_a_word_of_the_rule() -> None:
    assert read_rule("base+flag") == Rule(Depth.BASE, flag=True)
