"""A Flag for each potassium above 6 mmol/l, as it is stored: `python icu_alerts.py BOOTSTRAP FHIR_BASE [PREFIX]`."""

import asyncio
import sqlite3
import sys

from ecluse_client import Event, Fhir, Newest, subscribe


def flag(event: Event) -> dict | None:
    found = event.resource or {}  # nothing when it is gone; an Observation may be of nobody, or without a value
    codes = {coding.get("code") for coding in found.get("code", {}).get("coding", ())}
    if "subject" not in found or "2823-3" not in codes or found.get("valueQuantity", {}).get("value", 0) <= 6:
        return None
    text, own = f"Potassium {found['valueQuantity']['value']} mmol/l", [{"system": "urn:icu", "value": event.id}]
    told = {"identifier": own, "status": "active", "code": {"text": text}, "subject": found["subject"]}
    return {"resourceType": "Flag", **told}


async def main(bootstrap: str, base: str, prefix: str = "") -> None:
    newest = Newest(database := sqlite3.connect("icu_alerts.sqlite"))
    async with Fhir(base) as fhir:
        async for event in subscribe("Observation", group="icu-alerts", bootstrap=bootstrap, prefix=prefix):
            with database:  # both stand, that it was handled and what came of it, or neither
                if newest.take(event) and (alert := flag(event)):
                    await fhir.create(alert, if_none_exist=f"identifier=urn:icu|{event.id}")


asyncio.run(main(*sys.argv[1:]))
