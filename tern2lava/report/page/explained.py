"""What every figure of the page means: the words of the report's own model, by the key in report.json."""

from __future__ import annotations

from collections.abc import Iterable

from tern2lava.report.document import blocks
from tern2lava.report.model import Report


def explanations(keys: Iterable[str]) -> dict[str, str]:
    """The description of each key, as `cores[].neurons`, in the order given. Raises KeyError for one that the report
    does not have."""
    known = {
        f"{path}{'.' if path else ''}{name}": field.description or ""
        for path, block in blocks(Report)
        for name, field in block.model_fields.items()
    }
    return {key: known[key] for key in keys}
