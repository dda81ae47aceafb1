"""Files of virtual patients: a folder for each site, what others refer to first.

Enters: how many, seed, sites, last day. Leaves: organizations.json, practitioners.json and one bundle a patient in
each folder, one written before the next is made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import msgspec

from ecluse.cli.synth.codes import Json
from ecluse.cli.synth.hospital import hospital, organizations, practitioners
from ecluse.cli.synth.patients import bundles

_encoder = msgspec.json.Encoder(decimal_format="number")


def encode(resource: Json) -> bytes:
    """JSON with one line for each entry of a bundle; decimals keep their digits."""
    head = {name: value for name, value in resource.items() if name != "entry"}
    entries = b",\n".join(map(_encoder.encode, resource["entry"]))
    return _encoder.encode(head)[:-1] + b',"entry":[\n' + entries + b"\n]}\n"


@dataclass(frozen=True, slots=True)
class Run:
    """What is asked for. until: last day of the files"""

    patients: int
    seed: int
    sites: Sequence[str]
    until: date


def write(folder: Path, run: Run, done: Callable[[int], object]) -> int:
    """How many resources were written. done: called after each patient with the resources of their bundles"""
    hospitals = [hospital(site, index) for index, site in enumerate(run.sites)]
    written = 0
    for place in hospitals:
        (folder / place.slug).mkdir(parents=True, exist_ok=True)
        for name, bundle in (("organizations", organizations(place)), ("practitioners", practitioners(place))):
            (folder / place.slug / f"{name}.json").write_bytes(encode(bundle))
            written += len(bundle["entry"])
    for number in range(1, run.patients + 1):
        count = 0
        for place, bundle in bundles(run.seed, number, hospitals, run.until):
            (folder / place.slug / f"patient-{number:05d}.json").write_bytes(encode(bundle))
            count += len(bundle["entry"])
        written += count
        done(count)
    return written
