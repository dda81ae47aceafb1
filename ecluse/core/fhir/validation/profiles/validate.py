"""Everything that is wrong with a resource by its profiles, at once.

Enters: an accepted resource, the profiles that the caller or the server asks for. Leaves: issues. Which profiles apply:
those asked for; those that `meta.profile` names, of the resource and of each resource inside it; and of each extension
the definition of its url. A QuestionnaireResponse is held against its Questionnaire too.
Spec: http://hl7.org/fhir/R4/resource.html#Meta.profile
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ecluse.core.errors import Issue
from ecluse.core.fhir.fhirpath.nodes import Node, root
from ecluse.core.fhir.scan import MOST_ISSUES
from ecluse.core.fhir.validation.profiles.context import check_context
from ecluse.core.fhir.validation.profiles.extensions import Chain, extensions, is_part, node_at
from ecluse.core.fhir.validation.profiles.library import is_base_type
from ecluse.core.fhir.validation.profiles.profiles import Profiles
from ecluse.core.fhir.validation.profiles.run import Item, Run, bundled
from ecluse.core.fhir.validation.profiles.value_sets import Answers
from ecluse.core.fhir.validation.questionnaires.definition import check_questionnaire
from ecluse.core.fhir.validation.questionnaires.response import check_response


def profile_issues(
    profiles: Profiles,
    resource: dict[str, Any],
    asked: Sequence[str] = (),
    place: str = "",
    answers: Answers | None = None,
) -> list[Issue]:
    """The issues of a resource, errors first.

    asked: canonicals that apply besides those the resource names; place: "Bundle.entry[3].resource"; answers: of a
    terminology server, None when there is none to ask
    Raises: NotLoaded when the library has to fetch definitions first, NotAnswered when questions have to be asked
    """
    kind = resource["resourceType"]
    run = Run(resource, "", bundled(resource) if kind == "Bundle" else {}, answers=answers)
    place = place or kind
    for canonical in asked:
        _apply(profiles, run, Item(resource, None, kind, place), canonical, place)
    for own, at in _resources(resource, place):
        _declared(profiles, run, own, at)
        if own["resourceType"] == "QuestionnaireResponse":
            check_response(profiles, run, own, at)
        elif own["resourceType"] == "Questionnaire":
            check_questionnaire(run, own, at)
    top = root(resource, place)
    for extension, way in extensions(resource):
        if not is_base_type(extension["url"]):
            _extension(profiles, run, top, extension["url"], way)
        if ":" not in extension["url"] and not is_part(way):
            text = "Write the whole address of this extension, http://…: only parts of an extension have short ones."
            run.add(f"{node_at(top, way).location}.url", text, "value", f"found {extension['url'][:200]}")
    if answers is not None:
        answers.settle()
    return _told(run, place)


def _extension(profiles: Profiles, run: Run, top: Node, url: str, way: Chain) -> None:
    """Checks an extension against its definition, and whether it stands where that allows it."""
    known, usage = profiles.type_of(url) == "Extension", profiles.usage(url)
    if not known and usage is None:
        return
    node = node_at(top, way)
    if known:
        profiles.check(run, Item(node.value, None, "Extension", node.location), url)
    if usage is not None:
        check_context(profiles, run, node, usage)


def _resources(resource: dict[str, Any], place: str) -> Iterator[tuple[dict[str, Any], str]]:
    """A resource and those inside it, each with its place."""
    yield resource, place
    for index, one in enumerate(resource.get("contained", ())):
        yield one, f"{place}.contained[{index}]"
    for name in {"Bundle": ("entry",), "Parameters": ("parameter",)}.get(resource["resourceType"], ()):
        for index, holder in enumerate(resource.get(name, ())):
            if isinstance(holder.get("resource"), dict):
                yield from _resources(holder["resource"], f"{place}.{name}[{index}].resource")


def _declared(profiles: Profiles, run: Run, resource: dict[str, Any], place: str) -> None:
    """The profiles that a resource names itself."""
    for index, canonical in enumerate(resource.get("meta", {}).get("profile", ())):
        if isinstance(canonical, str):
            item = Item(resource, None, resource["resourceType"], place)
            _apply(profiles, run, item, canonical, f"{place}.meta.profile[{index}]")


def _apply(profiles: Profiles, run: Run, item: Item, canonical: str, place: str) -> None:
    """Checks a resource against one profile. place: where the profile is named"""
    kind = profiles.type_of(canonical)
    if not kind:
        text = (
            "Nobody installed this profile here, so it was not checked: install its package with `ecluse ig install`."
        )
        run.add(place, text, "not-found", f"found {canonical}", "warning")
    elif kind not in (item.kind, "Resource", "DomainResource"):
        text = f"Name a profile that is made for {item.kind}: this one is for {kind}."
        run.add(place, text, "value", f"found {canonical}")
    else:
        if "|" in canonical and not is_base_type(canonical) and profiles.library.settled(canonical) != canonical:
            text = (
                "This version of the profile is not installed here; the one that is was taken: install it or name that."
            )
            run.add(place, text, "not-found", f"found {canonical}", "warning")
        profiles.check(run, item, canonical)


def _told(run: Run, place: str) -> list[Issue]:
    """Each finding once, errors first, and at the end what was not checked."""
    once: dict[tuple[str, str, str], Issue] = {}
    for issue in run.issues:
        once.setdefault((issue.expression, issue.text, issue.severity), issue)
    ranked = sorted(once.values(), key=lambda issue: RANK[issue.severity])
    if len(ranked) > MOST_ISSUES:
        text = f"Only the first {MOST_ISSUES} problems are listed."
        ranked = [*ranked[:MOST_ISSUES], Issue.information(text, place)]
    if run.unchecked:
        text = "Parts of the profiles were not checked."
        ranked.append(Issue(text, place, f"not checked: {'; '.join(run.unchecked)}", "not-supported", "information"))
    return ranked


RANK: Mapping[str, int] = {"fatal": 0, "error": 1, "warning": 2, "information": 3}


def placed(issue: Issue, place: str) -> Issue:
    """The issue of a resource, told from where the resource stands."""
    return replace(issue, expression=place + issue.expression.removeprefix(issue.expression.partition(".")[0]))
