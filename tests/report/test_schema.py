"""docs/report.schema.json is the schema of the reports that are written, and a report of another one is refused.

TERN2LAVA_GOLDEN=write writes the file; SCHEMA (report/model/report.py) says when its version has to change.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import tern2lava
from command_line import in_process
from drawn import Draw
from tern2lava import api
from tern2lava.bundle.seal import seal, unsealed
from tern2lava.errors import InputError
from tern2lava.hw_profiles import load_profile
from tern2lava.report.model import SCHEMA
from tern2lava.report.schema import report_schema, schema_text

DOCUMENT = Path(tern2lava.__file__).parent.parent / "docs" / "report.schema.json"


@pytest.fixture(scope="module")
def bundle(make_network: Draw, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("schema") / "build"
    api.compile(make_network(11, image=True)[0], load_profile("tiny"), out=folder)
    return folder


@pytest.mark.skipif(not DOCUMENT.parent.exists(), reason="the documents are not beside the package")
def test_the_published_schema_is_that_of_the_model() -> None:
    if os.environ.get("TERN2LAVA_GOLDEN") == "write":
        DOCUMENT.write_text(schema_text(), encoding="utf-8")
    assert DOCUMENT.read_text(encoding="utf-8") == schema_text(), (
        "docs/report.schema.json is not up to date; run this test with TERN2LAVA_GOLDEN=write, and change SCHEMA in "
        "report/model/report.py where a key was added, went or means something else since the last release"
    )


def test_the_file_of_a_bundle_and_what_report_prints_are_valid(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    run = in_process(monkeypatch, capsys)
    schema = json.loads(run("report", "--schema").stdout)
    assert schema == report_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    check = jsonschema.Draft202012Validator(schema)
    check.validate(json.loads((bundle / "report.json").read_text(encoding="utf-8")))
    printed = json.loads(run("report", bundle, "--json").stdout)
    check.validate(printed)
    assert not check.is_valid({**printed, "more": 1})
    assert not check.is_valid({**printed, "schema_version": "0.9"})
    assert not check.is_valid({key: value for key, value in printed.items() if key != "cores"})


@pytest.mark.parametrize(("other", "found"), [("0.9", "0.9"), ("2.0", "2.0"), (None, "none")])
def test_a_report_of_another_schema_is_refused_in_one_line(bundle: Path, other: str | None, found: str) -> None:
    path = bundle / "report.json"
    before = path.read_bytes()
    opened = unsealed(before)
    assert opened is not None
    report = {key: value for key, value in json.loads(opened[0]).items() if key != "schema_version"}
    report = report if other is None else {"schema_version": other, **report}
    path.write_text(seal(json.dumps(report, indent=1)), encoding="utf-8")
    try:
        with pytest.raises(
            InputError, match=rf"requires a report of schema {SCHEMA}, .*; found schema {found}; compile"
        ):
            api.report(bundle)
    finally:
        path.write_bytes(before)
