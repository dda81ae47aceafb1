"""Ingest with every resource checked by the profiles of an implementation guide, and flagged.

The guide is the International Patient Summary, which npm fetches; without npm there are no figures.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from bench import ingest
from bench.report import Figure
from bench.server import Server

GUIDE = "npm:hl7.fhir.uv.ips@2.0.0"
PROFILE = "http://hl7.org/fhir/uv/ips/StructureDefinition/{}-uv-ips"
TYPES = (
    *("AllergyIntolerance", "Condition", "DiagnosticReport", "ImagingStudy", "Immunization", "Medication"),
    *("MedicationRequest", "Organization", "Patient", "Practitioner", "PractitionerRole", "Procedure", "Specimen"),
)
PROFILES = {name: name for name in TYPES} | {"Observation": "Observation-results-laboratory-pathology"}
SETTINGS = {
    "ECLUSE_VALIDATION": "profiles+flag",
    "ECLUSE_PROFILES": " ".join(f"{name}={PROFILE.format(profile)}" for name, profile in PROFILES.items()),
    "ECLUSE_LOG_LEVEL": "warning",
}


async def figures(data: Path, files: list[Path]) -> list[Figure]:
    """Ingest at the same concurrency as beside the limit, on a server of its own."""
    if shutil.which("npm") is None:
        return []
    server = Server(data, SETTINGS, "serve")
    server.ecluse("ig", "install", GUIDE)
    server.start()
    try:
        flagged = await ingest.alone(server, files, f"ingest at {ingest.AT_THE_LIMIT}, checked by IPS and flagged")
        counts = server.ecluse("issues", "count", "--json").count("\n")
        return [flagged, Figure("kinds of issues that were flagged", counts, "")]
    finally:
        server.stop()
