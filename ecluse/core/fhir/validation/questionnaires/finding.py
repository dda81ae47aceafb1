"""The Questionnaire of a response: contained, in the same bundle, in an installed package, or stored at the site.

Enters: a response. Leaves: its `Form`, or a finding that says why there is none.
Spec: http://hl7.org/fhir/R4/questionnaireresponse-definitions.html#QuestionnaireResponse.questionnaire
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecluse.core.errors import Unprocessable
from ecluse.core.fhir.dates import bounds
from ecluse.core.fhir.validation.profiles.run import Run
from ecluse.core.fhir.validation.questionnaires.form import Form
from ecluse.core.fhir.validation.questionnaires.questions import every, questions

if TYPE_CHECKING:
    from ecluse.core.fhir.validation.profiles.profiles import Profiles

UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, RecursionError)
"""What a Questionnaire raises that is none: packages are other people's files."""
NAME_IT = (
    "Name in questionnaire, by its url, the Questionnaire that these answers are for: they were held against none."
)
BRING_IT = (
    "Nobody here has this Questionnaire, so the answers were not checked: POST it as a Questionnaire, or install its "
    "package with `ecluse ig install`."
)
OTHER_VERSION = (
    "This version of the Questionnaire is not here; another one was taken: store or install it, or name that."
)


def asked_of(profiles: Profiles, run: Run, response: dict[str, Any], place: str) -> Form | None:
    """The response under its Questionnaire, in a run of its own; None when there is none, which is told.

    Raises: NotLoaded when the Questionnaire has to be fetched first"""
    canonical = response.get("questionnaire")
    if not isinstance(canonical, str):
        run.add(place, NAME_IT, "not-found", "found no questionnaire", "information")
        return None
    place = f"{place}.questionnaire"
    known, questionnaire = _look(profiles, run, response, canonical)
    if questionnaire is None:
        if known:
            run.add(place, BRING_IT, "not-found", f"found {canonical}", "warning")
        return None
    if questionnaire.get("resourceType") != "Questionnaire":
        text = "Name a Questionnaire here: this address is one of something else."
        run.add(place, text, "value", f"found {canonical}, which is a {questionnaire.get('resourceType')}")
        return None
    _check_version(run, questionnaire, canonical, place)
    _check_period(run, questionnaire, response, place.removesuffix(".questionnaire"))
    return _form(profiles, run, response, questionnaire, place)


def _form(
    profiles: Profiles, run: Run, response: dict[str, Any], questionnaire: dict[str, Any], place: str
) -> Form | None:
    try:
        asked = questions(questionnaire.get("item", []))
        everywhere = {question.link_id: question for question in reversed(list(every(asked)))}
    except UNREADABLE:
        unreadable(run, questionnaire)
        return None
    own = run.within(response).under(_named(questionnaire))
    return Form(profiles, own, questionnaire, asked, everywhere, response)


def unreadable(run: Run, questionnaire: dict[str, Any]) -> None:
    """Notes that nothing was checked by a Questionnaire."""
    run.unchecked[f"the Questionnaire {_named(questionnaire)}, which cannot be read"] = None


def _named(questionnaire: dict[str, Any]) -> str:
    """The canonical of a Questionnaire; of one without url `#id`."""
    url, version = questionnaire.get("url"), questionnaire.get("version")
    return f"{url}|{version}" if url and version else str(url or f"#{questionnaire.get('id', '')}")


def _look(profiles: Profiles, run: Run, response: dict[str, Any], canonical: str) -> tuple[bool, dict[str, Any] | None]:
    """Whether it is known what stands under a canonical, and what that is.

    Raises: NotLoaded"""
    if canonical.startswith("#"):
        holders = (response, run.root)
        inner = [one for holder in holders for one in holder.get("contained", ()) if one.get("id") == canonical[1:]]
        return True, inner[0] if inner else None
    beside = _bundled(run, canonical)
    if beside is not None:
        return True, beside
    exact = profiles.library.settled(canonical) == canonical and profiles.library.entry(canonical) is not None
    if exact or run.answers is None:
        return True, profiles.library.get(canonical)
    if canonical not in run.answers.questionnaires:
        run.answers.wanted.add(canonical)
        return False, None
    return True, run.answers.questionnaires[canonical] or profiles.library.get(canonical)


def _bundled(run: Run, canonical: str) -> dict[str, Any] | None:
    """A Questionnaire that stands in the same bundle."""
    url, _, version = canonical.partition("|")
    for one in run.bundle.values():
        if one.get("resourceType") == "Questionnaire" and one.get("url") == url and version in ("", one.get("version")):
            return one
    return None


def _check_version(run: Run, questionnaire: dict[str, Any], canonical: str, place: str) -> None:
    version = canonical.partition("|")[2]
    if version and questionnaire.get("version") != version:
        diagnostics = f"found {canonical}, here is {_named(questionnaire)}"
        run.add(place, OTHER_VERSION, "not-found", diagnostics, "warning")


def _check_period(run: Run, questionnaire: dict[str, Any], response: dict[str, Any], place: str) -> None:
    """A response is authored while its Questionnaire is in use."""
    period, authored = questionnaire.get("effectivePeriod", {}), response.get("authored")
    try:
        low, high = bounds(authored) if isinstance(authored, str) else (None, None)
        early = low is not None and high is not None and "start" in period and high <= bounds(period["start"])[0]
        late = low is not None and "end" in period and low >= bounds(period["end"])[1]
    except (Unprocessable, *UNREADABLE):
        return
    if early or late:
        words = "before its effectivePeriod begins" if early else "after its effectivePeriod ended"
        text = f"Answer the Questionnaire that is in use: this one was answered {words}."
        limit = period["start"] if early else period["end"]
        run.add(f"{place}.authored", text, "business-rule", f"found {authored}, there {limit}", "warning")
