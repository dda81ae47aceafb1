"""Writes tests/golden/synth anew: `python -m tests.unit.cli.synth.golden`; read the difference before you keep it."""

from __future__ import annotations

import json as text_json
from pathlib import Path
from tempfile import TemporaryDirectory

from ecluse.cli.synth.write import Run, write
from ecluse.core.fhir import json
from tests.unit.cli.synth.conftest import PATIENTS, SITES, UNTIL, File, texts
from tests.unit.cli.synth.test_golden import GOLDEN, NAME, SITE


def main() -> None:
    """Writes rss.json and reports.txt."""
    with TemporaryDirectory() as folder:
        write(Path(folder), Run(PATIENTS, 7, SITES, UNTIL), lambda _: None)
        data = (Path(folder) / SITE / f"{NAME}.json").read_bytes()
    file = File(SITE, NAME, json.decode(data))
    claim = text_json.loads(json.encode(next(file.of("Claim"))))
    (GOLDEN / "rss.json").write_text(text_json.dumps(claim, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    said = [text for resource, text in texts(file) if resource["resourceType"] != "Composition"]
    (GOLDEN / "reports.txt").write_text("\n\n=====\n\n".join(said) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
