"""The JSON schema of report.json, which docs/report.schema.json publishes."""

from __future__ import annotations

import json
from typing import Any

from tern2lava.report.model import SCHEMA, Report

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def report_schema() -> dict[str, Any]:
    """The schema of this version's reports: what `report --json` prints, and report.json in a bundle, which has its
    seal as one more key."""
    found = Report.model_json_schema(mode="serialization")
    properties = dict(found.pop("properties"))
    properties["schema_version"] = {**properties["schema_version"], "const": SCHEMA}
    properties["digest"] = {
        "type": "string", "pattern": "^[0-9a-f]{64}$",
        "description": "In the file of a bundle alone: the SHA-256 of all before it (docs/bundle.md).",
    }  # fmt: skip
    return {
        "$schema": DIALECT, "title": f"tern2lava report, schema {SCHEMA}", **_without(found, "title"),
        "properties": properties,
    }  # fmt: skip


def _without(found: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name != key}


def schema_text() -> str:
    """The schema as the text that is published."""
    return json.dumps(report_schema(), indent=1, ensure_ascii=False) + "\n"
