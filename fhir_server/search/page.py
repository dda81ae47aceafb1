"""A page of search results as a bundle.

Enters: the query as understood and its rows. Leaves: the bytes of a searchset; stored bodies are copied into it, never
decoded. Spec: http://hl7.org/fhir/R4/search.html#Paging, http://hl7.org/fhir/R4/bundle.html#searchset"""

from __future__ import annotations

