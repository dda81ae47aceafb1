"""Findings as FHIR tells them.

Enters: issues. Leaves: an OperationOutcome, as a resource in memory.
Spec: http://hl7.org/fhir/R4/operationoutcome.html
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ecluse.core.errors import Issue


def operation_outcome(issues: Iterable[Issue], code: str = "processing") -> dict[str, Any]:
    """The OperationOutcome that tells these issues, in their order.

    code: the issue type of those that bring none
    Spec: http://hl7.org/fhir/R4/valueset-issue-type.html"""
    return {"resourceType": "OperationOutcome", "issue": [_issue(issue, code) for issue in issues]}


def _issue(issue: Issue, code: str) -> dict[str, Any]:
    told: dict[str, Any] = {"severity": issue.severity, "code": issue.code or code}
    if issue.text:
        told["details"] = {"text": issue.text}
    if issue.diagnostics or issue.profile:
        by = f"profile {issue.profile}" if issue.profile else ""
        told["diagnostics"] = "; ".join(filter(None, (issue.diagnostics, by)))
    if issue.expression:
        told["expression"] = [issue.expression]
    return told
