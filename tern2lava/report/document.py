"""The keys of report.json as Markdown, from their descriptions in the report's model."""

from __future__ import annotations

from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from tern2lava.report.model import Pair, Report

HEADING = "## Every key"


def report_reference() -> str:
    """The section on every key, which ends docs/report.md: one table per block of the report, outermost first."""
    parts = [HEADING]
    for path, block in blocks(Report):
        heading = f"### `{path}`" if path else "### The report itself"
        parts += [heading, (block.__doc__ or "").strip(), "| key | holds | meaning |\n|---|---|---|\n" + _rows(block)]
    return "\n\n".join(parts) + "\n"


def blocks(block: type[BaseModel], path: str = "") -> list[tuple[str, type[BaseModel]]]:
    """(path, model) of `block` and of every block inside it; [] in a path stands for the items of a list."""
    result = [(path, block)]
    for name, field in block.model_fields.items():
        inner, many = _inner(field.annotation)
        if inner is not None:
            result += blocks(inner, f"{path}{'.' if path else ''}{name}{'[]' if many else ''}")
    return result


def _rows(block: type[BaseModel]) -> str:
    fields = block.model_fields.items()
    return "\n".join(f"| `{name}` | {_holds(field)} | {field.description} |" for name, field in fields)


def _inner(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """The block that a field holds, if it holds any, and whether in a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    for part in get_args(annotation):
        found, _ = _inner(part)
        if found is not None:
            return found, get_origin(annotation) is list
    return None, False


def _holds(field: FieldInfo) -> str:
    """What a value is, in JSON's words."""
    return _json_type(field.annotation)


def _json_type(annotation: Any) -> str:
    if annotation == Pair:
        return "[used, max]"
    if get_origin(annotation) in (UnionType, Union):
        return " or ".join("null" if part is NoneType else _json_type(part) for part in get_args(annotation))
    if get_origin(annotation) is list:
        return f"list of {_json_type(get_args(annotation)[0])}s"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "block"
    names = {int: "whole number", float: "number", str: "text", bool: "true or false"}
    return names[annotation]
