"""HL7's cases for validators: those of R4 whose outcome can be compared with ours, and what HL7's own validator says.

Enters: nothing. Leaves: runs: a resource, the definitions around it, a profile that is asked for, and whether HL7's
validator finds an error in it, beyond errors of the kinds that are no rules of R4 or need a terminology server.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from ecluse.core.errors import BadRequest, Issue
from ecluse.core.fhir import json
from ecluse.core.fhir.packages import KEPT, Definition
from ecluse.core.fhir.validation.report import report
from ecluse.core.fhir.xml.reading import to_json
from tests.fetched import CACHE
from tests.guides import Shelf
from tests.hl7_cases import folder
from tests.official import official_files

NOT_COMPARED = {
    "api": "other programs' interfaces",
    "cda": "not FHIR",
    "cdshooks": "not FHIR",
    "dsig": "signatures are not checked",
    "json5": "not FHIR's JSON",
    "logical": "logical models are not resources",
    "matchetype": "files with wildcards, to compare outputs with",
    "measure": "measures are not calculated",
    "package-versioning": "versions of packages that this test does not install",
    "scoring": "not FHIR",
    "sd": "snapshots are not generated anew to compare them",
    "security": "HL7's own policy about text that looks like a program",
    "shc": "not FHIR",
    "tx": "needs HL7's terminology server",
    "tx-advanced": "needs HL7's terminology server",
    "versions": "several versions of FHIR at once",
}
"""Modules of which no case is compared, with the reason."""

NO_RULES = (
    (r"Wrong Display Name|Unknown code|valid code from the system|not in the value set", "terminology"),
    (r"could not be found so is not allowed here", "unknown extensions are allowed"),
    (r"Example URLs are not allowed|must be stated using the", "HL7's own policy"),
    (r"fullUrl|in the bundle|isn't reachable|Multiple matches in bundle|Matching reference", "links between entries"),
    (
        r"Search results must|not an OperationOutcome|can only occur once|for the specified search|used in search sets",
        "bundles of answers",
    ),
    (r"Hyperlink|stylesheet|embedded HTML tag|xhtml (node|has|requires)|requires a section", "links and languages"),
    (r"Unable to resolve|Unknown profile|Can't find|Invalid Resource target type", "what is elsewhere"),
    (r"must be an absolute reference|references a value set, not a code system", "addresses of code systems"),
    (r"Attachment Size|Duplicate id value", "sizes and element ids"),
)
"""Errors of HL7's validator that do not count here, with what they are about."""


class Run(NamedTuple):
    """One validation. asked: the file of a profile, else ""; wrong: what HL7's validator finds"""

    name: str
    file: str
    around: tuple[str, ...]
    asked: str
    wrong: tuple[str, ...]


@cache
def runs() -> tuple[Run, ...]:
    """All runs that are compared."""
    cases = json.decode((_files() / "manifest.json").read_bytes())["test-cases"]
    found = (run for case in cases if _is_compared(case) for run in _runs(case))
    return tuple(run for run in found if all((_files() / name).exists() for name in run.around))


def _files() -> Path:
    return folder() / "validator"


def _is_compared(case: dict[str, Any]) -> bool:
    is_r4 = str(case.get("version", "")).startswith("4.0") and case.get("use-test") is not False
    needs_more = case.get("packages") or case.get("logical") or case.get("module") in NOT_COMPARED
    return is_r4 and not needs_more and case["file"].endswith((".json", ".xml"))


def _runs(case: dict[str, Any]) -> Iterator[Run]:
    around = (*case.get("supporting", ()), *case.get("profiles", ()))
    if (wrong := _errors(case)) is not None:
        yield Run(case["name"], case["file"], around, "", wrong)
    profile = case.get("profile", {})
    if not profile.get("packages") and (wrong := _errors(profile)) is not None:
        more = (*around, *profile.get("supporting", ()), profile["source"])
        yield Run(f"{case['name']} by profile", case["file"], more, profile["source"], wrong)


def _errors(expected: dict[str, Any]) -> tuple[str, ...] | None:
    """The errors that HL7's validator finds and that count here, None when it was not asked."""
    given = expected.get("java")
    if isinstance(given, str):
        path = _files() / "outcomes" / given
        given = {"outcome": json.decode(path.read_bytes())} if path.exists() else None
    if given is None or "outcome" not in given:
        return None
    issues = given["outcome"].get("issue", ())
    texts = (one.get("details", {}).get("text", "") for one in issues if one["severity"] in ("error", "fatal"))
    return tuple(text for text in texts if not any(re.search(pattern, text) for pattern, _ in NO_RULES))


def errors(run: Run) -> list[Issue]:
    """The errors that we find."""
    try:
        body = _body(run.file)
        kind = json.decode(body).get("resourceType", "")
    except BadRequest as error:
        return list(error.coded)
    except ValueError:
        kind = "Patient"
    issues, resource = report(kind, body)
    if resource is not None:
        asked = [json.decode(_body(run.asked))["url"]] if run.asked else []
        issues = issues + Shelf([*_around(run.around), *_of_r4()]).issues(resource, *asked)
    return [issue for issue in issues if issue.severity == "error"]


def _body(name: str) -> bytes:
    data = (_files() / name).read_bytes()
    return to_json(data) if name.endswith(".xml") else data


def _around(names: tuple[str, ...]) -> Iterator[Definition]:
    """The definitions in these files, which may be bundles."""
    for name in names:
        held = json.decode(_body(name))
        for one in [entry["resource"] for entry in held["entry"]] if held["resourceType"] == "Bundle" else [held]:
            if one["resourceType"] in KEPT and one.get("url"):
                describes = one["type"] if one["resourceType"] == "StructureDefinition" else ""
                yield Definition(one["resourceType"], one["url"], one.get("version", ""), describes, json.encode(one))


@cache
def _of_r4() -> tuple[Definition, ...]:
    """R4's own profiles."""
    official_files()
    found = []
    for path in (CACHE / "package").glob("StructureDefinition-*.json"):
        one = json.decode(path.read_bytes())
        if one.get("derivation") == "constraint":
            found.append(
                Definition("StructureDefinition", one["url"], one.get("version", ""), one["type"], path.read_bytes())
            )
    return tuple(found)
