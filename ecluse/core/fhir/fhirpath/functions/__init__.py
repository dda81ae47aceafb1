"""All functions of FHIRPath, registered by name when this package is imported."""

from ecluse.core.fhir.fhirpath.functions import (
    conversion,
    existence,
    filtering,
    mathematics,
    of_fhir,
    precision,
    strings,
)
from ecluse.core.fhir.fhirpath.functions.registry import FUNCTIONS

__all__ = ["FUNCTIONS", "conversion", "existence", "filtering", "mathematics", "of_fhir", "precision", "strings"]
