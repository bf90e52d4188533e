"""docs/report.md and the report's model say the same.

TERN2LAVA_GOLDEN=write puts the model's words into the document; its introduction is written by hand.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import tern2lava
from tern2lava.report.document import HEADING, blocks, report_reference
from tern2lava.report.model import Report

DOCUMENT = Path(tern2lava.__file__).parent.parent / "docs" / "report.md"


@pytest.mark.skipif(not DOCUMENT.exists(), reason="the documents are not beside the package")
def test_the_document_ends_with_the_keys_as_the_model_explains_them() -> None:
    introduction, _ = DOCUMENT.read_text(encoding="utf-8").split(HEADING)
    if os.environ.get("TERN2LAVA_GOLDEN") == "write":
        DOCUMENT.write_text(introduction + report_reference(), encoding="utf-8")
    introduction, reference = DOCUMENT.read_text(encoding="utf-8").split(HEADING)
    assert HEADING + reference == report_reference(), (
        "docs/report.md is not up to date; run this test with TERN2LAVA_GOLDEN=write"
    )
    assert len(introduction) > 1_000


def test_every_key_of_every_block_is_explained() -> None:
    reference = report_reference()
    seen = 0
    for path, block in blocks(Report):
        assert block.__doc__
        assert not path or f"### `{path}`" in reference
        for name, field in block.model_fields.items():
            assert field.description
            assert field.description.endswith(".")
            assert f"| `{name}` |" in reference
            seen += 1
    assert seen > 50


def test_the_keys_that_the_report_must_have_are_there() -> None:
    paths = {f"{path}.{name}".lstrip(".") for path, block in blocks(Report) for name in block.model_fields}
    assert {
        "cores[].id", "cores[].chip", "cores[].row", "cores[].col", "cores[].neurons", "cores[].synapse_bits",
        "cores[].in_axons", "cores[].out_axons", "cores_lower_bound", "memory.layers[].fp32_bits",
        "memory.layers[].int8_bits", "memory.layers[].ternary_bits", "memory.total.ratio_fp32", "verification.chain",
        "verification.equal", "verification.compared_values", "certificate[].verdict", "notes",
    } <= paths  # fmt: skip
