"""The validation of one request: which rule applies to which of its resources, and what was found.

Enters: accepted resources. Leaves: a refusal with all issues, or, where the rule says so, the issues beside the
resource until the write stores both in one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ecluse.core.errors import Issue, Unprocessable
from ecluse.core.fhir.validation import base
from ecluse.core.fhir.validation.policy import Depth, Policy, Rule
from ecluse.core.fhir.validation.profiles.library import Library
from ecluse.core.fhir.validation.profiles.profiles import Profiles
from ecluse.core.fhir.validation.profiles.validate import placed, profile_issues
from ecluse.core.fhir.validation.profiles.value_sets import Answers, NotAnswered
from ecluse.core.fhir.validation.sound import is_sound
from fhir_server.store.flags import Findings

HEADER = "x-ecluse-validation"
NO_PROFILES = Profiles(Library({}))
"""Where nothing is checked by profiles."""


@dataclass(frozen=True, slots=True)
class Validation:
    """What is asked of the resources of one request. asked: the rule that the request itself names; required: profiles
    that apply without being named, by "Type" and "site/Type" """

    site: str
    policy: Policy
    profiles: Profiles
    required: Mapping[str, tuple[str, ...]]
    asked: Rule | None = None
    findings: Findings = field(default_factory=Findings)
    answers: Answers = field(default_factory=Answers)
    addresses: Mapping[str, str] = field(default_factory=dict)
    collecting: bool = False

    def check(self, resource: dict[str, Any], place: str, extensions: bool = True) -> None:
        """Looks at an accepted resource. place: "Bundle.entry[3].resource", or its type; extensions: False when it
        surely holds none

        Raises: Unprocessable (422) with all issues; NotLoaded, NotAnswered when something has to be fetched or asked
        first
        """
        rule = self.asked or self.policy.rule(self.site, resource["resourceType"])
        if rule.depth is Depth.STRUCTURE:
            return
        try:
            issues = self.found(resource, rule.depth, extensions, warnings=rule.flag)
        except NotAnswered:
            if self.collecting:
                return
            raise
        if rule.flag:
            self.findings.note(resource, issues)
        elif any(issue.severity == "error" for issue in issues):
            raise Unprocessable(issues=[placed(issue, place) for issue in issues])

    def found(
        self, resource: dict[str, Any], depth: Depth, extensions: bool = True, *, warnings: bool = True
    ) -> list[Issue]:
        """The errors and warnings of a resource down to a depth, BASE or PROFILES. extensions: False when it surely
        holds none; warnings: False to leave out those of R4 itself

        Raises: NotLoaded, NotAnswered"""
        told = self.issues(resource) if depth is Depth.PROFILES else []  # first: it may have to begin again
        sound = is_sound(resource, self.addresses, extensions=extensions)
        issues: list[Issue] = []
        if warnings or not sound:
            issues = base.problems(
                resource, warnings=warnings, sound=sound, extensions=extensions, addresses=self.addresses
            )
        return issues + [issue for issue in told if issue.severity != "information"]

    def within(self, addresses: Mapping[str, str], questionnaires: Mapping[str, dict[str, Any]]) -> Validation:
        """The same, for the entries of a bundle, whose questions are collected until `settle`.

        addresses: fullUrl → resource type of what they write; questionnaires: those among it, by canonical"""
        self.answers.questionnaires |= questionnaires
        return replace(self, addresses=addresses, collecting=True)

    def settle(self) -> None:
        """Nothing, when no question is open.

        Raises: NotAnswered with those of all entries"""
        self.answers.settle()

    def issues(self, resource: dict[str, Any], asked: Sequence[str] = (), place: str = "") -> list[Issue]:
        """What is to be said of a resource by the profiles that apply, and by those asked for.

        Raises: NotLoaded, NotAnswered"""
        kind = resource["resourceType"]
        wanted = [*asked, *self.required.get(kind, ()), *self.required.get(f"{self.site}/{kind}", ())]
        return profile_issues(self.profiles, resource, wanted, place, self.answers)
