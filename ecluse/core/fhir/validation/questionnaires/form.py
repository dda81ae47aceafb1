"""What the checks of one response know: its Questionnaire, the run that takes the findings, how complete it has to be.

Enters: a response and its Questionnaire. Leaves: a `Form`, passed to every check.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ecluse.core.fhir.validation.profiles.run import Run
from ecluse.core.fhir.validation.questionnaires.questions import Question, Value

if TYPE_CHECKING:
    from ecluse.core.fhir.validation.profiles.profiles import Profiles

FINISHED = frozenset({"completed", "amended"})
"""Statuses in which nothing may be missing."""


@dataclass(frozen=True, slots=True)
class Form:
    """A response under its Questionnaire. questions: of its top level; everywhere: every linkId that it has; answers:
    those below a part of the response, by that part's id() and by linkId, as far as they were asked for"""

    profiles: Profiles
    run: Run
    questionnaire: dict[str, Any]
    questions: tuple[Question, ...]
    everywhere: dict[str, Question]
    response: dict[str, Any]
    answers: dict[int, dict[str, list[Value]]] = field(default_factory=dict)

    @property
    def incomplete(self) -> str:
        """The severity of an answer that is missing."""
        return "error" if self.response.get("status") in FINISHED else "warning"

    def unchecked(self, what: str) -> None:
        """Notes what could not be checked."""
        self.run.unchecked[what] = None
