"""What validation costs: ingest with every resource checked by the profiles of an implementation guide, and flagged;
`$validate` of 10,000 of the same resources.

The guide is the International Patient Summary, which npm fetches; without npm there are no figures.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec

from bench import ingest
from bench.client import Call, drive
from bench.report import Figure
from bench.server import Server

GUIDE = "npm:hl7.fhir.uv.ips@2.0.0"
PROFILE = "http://hl7.org/fhir/uv/ips/StructureDefinition/{}-uv-ips"
VALIDATED, VALIDATED_AT = 10_000, 4
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
        return [flagged, Figure("kinds of issues that were flagged", counts, ""), await _validate(server, files)]
    finally:
        server.stop()


class _Entry(msgspec.Struct):
    resource: msgspec.Raw = msgspec.Raw(b"")


class _Bundle(msgspec.Struct):
    entry: list[_Entry] = []


async def _validate(server: Server, files: list[Path]) -> Figure:
    """CPU of a question: is this resource as R4 and the guide want it?"""
    bodies = [
        bytes(entry.resource) for file in files for entry in msgspec.json.decode(file.read_bytes(), type=_Bundle).entry
    ]
    calls = [Call("POST", f"/fhir/{_type_of(body)}/$validate", body) for body in bodies[:VALIDATED] if body]
    before = server.cpu_s()
    run = await drive(server.port, calls, VALIDATED_AT)
    cpu = server.cpu_ms_since(before, len(calls))
    note = f"{len(calls)} resources at {VALIDATED_AT}, {round(len(calls) / run.seconds)}/s, {run.errors} errors"
    return Figure("$validate", cpu, "ms CPU", note=note)


def _type_of(body: bytes) -> str:
    return str(msgspec.json.decode(body)["resourceType"])
