"""One RSS and one report, whole, for people to read; docs/synth.md says how to write them anew."""

from __future__ import annotations

from pathlib import Path

from ecluse.core.fhir import json
from tests.unit.cli.synth.conftest import File, Made, texts

GOLDEN = Path(__file__).parents[3] / "golden/synth"
SITE, NAME = "nord", "patient-00013"


def _file(made: Made) -> File:
    return next(file for file in made.files if (file.site, file.name) == (SITE, NAME))


def test_the_first_rss_is_the_golden_one(made: Made) -> None:
    claim = next(_file(made).of("Claim"))
    assert claim == json.decode((GOLDEN / "rss.json").read_bytes())


def test_the_reports_of_the_first_stay_are_the_golden_ones(made: Made) -> None:
    said = [text for resource, text in texts(_file(made)) if resource["resourceType"] != "Composition"]
    assert "\n\n=====\n\n".join(said) + "\n" == (GOLDEN / "reports.txt").read_text(encoding="utf-8")
