"""The page as one HTML text: verdicts as they stand, everything else drawn by its own script from one JSON text.

Nothing of it is fetched, and its security policy forbids to: scripts and styles run by their digests alone, so that a
name that became markup would still run nothing.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Iterable
from html import escape
from importlib import resources
from typing import Any

from tern2lava.errors import one_line
from tern2lava.report.model import Report, VerdictRow, Verification
from tern2lava.report.page.document import Subject, page_document
from tern2lava.report.page.explained import explanations
from tern2lava.report.page.sentences import Sentence, three_sentences

SCRIPTS = (
    "base", "explain", "cores_layout", "cores", "bars", "memory", "network", "traffic", "energy", "sample",
    "potentials", "lists", "main",
)  # fmt: skip
"""The page's script is these files of static/, one after the other, in one function."""
_IN_SCRIPTS = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})
_VERDICT = (
    *(f"verification.verdicts[].{key}" for key in ("name", "status", "required", "sentence")), "verification.met",
)  # fmt: skip
_MARKS = {"yes": ("✓", "yes"), "no": ("✗", "no"), "open": ("?", "not known")}


def page_html(subject: Subject) -> str:
    """The whole page."""
    return assemble(subject.report, subject.profile.system.cores, page_document(subject))


def assemble(report: Report, cores: int, document: dict[str, Any]) -> str:
    """The page of a report on a target of `cores` cores, whose script draws `document`."""
    style, script = _static("page.css"), _script()
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    parts = {
        "POLICY": escape(policy), "TITLE": escape(f"{one_line(report.source or 'graph')} on {report.target}"),
        "STYLE": style, "SCRIPT": script, "MADE": escape(_made(report)),
        "ANSWERS": "".join(map(_answer, three_sentences(report, cores))),
        "VERDICTS": _verdicts(report.verification),
        "VERDICTS_HELP": _help("the verdicts", _VERDICT),
        "DATA": json_in_script(document),
    }  # fmt: skip
    before, *rest = _static("page.html").split("{{")
    pieces = [before]
    for part in rest:
        name, _, after = part.partition("}}")
        pieces += [parts[name], after]
    return "".join(pieces)


def json_in_script(value: Any) -> str:
    """JSON that can stand in a script element, whatever names are in it: no tag can begin or end there."""
    text = json.dumps(_finite(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.translate(_IN_SCRIPTS)


def _finite(value: Any) -> Any:
    """`value` with null for numbers that JSON does not have."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value


def _answer(sentence: Sentence) -> str:
    sign, said = _MARKS[sentence.mark]
    return (
        f'<article class="answer {sentence.mark}"><h2>{escape(sentence.question)}</h2>'
        f'<p class="said"><span class="mark" role="img" aria-label="{said}">{sign}</span> {escape(sentence.answer)}</p>'
        f'<p class="sentence">{escape(one_line(sentence.text))}</p>{_help(sentence.question, sentence.keys)}</article>'
    )


def _verdicts(found: Verification | None) -> str:
    """The five verdicts as a table; a line where nothing was verified."""
    if found is None:
        return '<p class="hint">No verdicts yet: <code>tern2lava verify BUNDLE --data FILE</code> adds them.</p>'
    rows = "".join(map(_verdict, found.verdicts))
    head = "".join(f'<th scope="col">{text}</th>' for text in ("Verdict", "", "What was found", "What is required"))
    accuracy = ""
    if found.accuracy_integer is not None and found.accuracy_float is not None:
        accuracy = (
            f"<p>Accuracy on the same samples: compiled {100 * found.accuracy_integer:.2f} %, float model "
            f"{100 * found.accuracy_float:.2f} %. "
            f"{_help('accuracy', ('verification.accuracy_integer', 'verification.accuracy_float'))}</p>"
        )
    table = f'<table class="verdicts"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
    return f'<div class="scroll">{table}</div>{accuracy}{_executions(found)}'


def _executions(found: Verification) -> str:
    """What executed the program, and how many of its values were compared; folded away."""
    if not found.executions:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{escape(row.name)}</th><td>{escape(row.what)}</td><td class="num">{row.samples:,}</td>'
        f'<td class="num">{f"{row.values:,}" if row.values else ""}</td></tr>'
        for row in found.executions
    )
    head = "".join(
        f'<th scope="col"{number and " class=num"}>{title}{_help(title, (f"verification.executions[].{key}",))}</th>'
        for title, key, number in (
            ("Name", "name", ""), ("What", "what", ""), ("Samples", "samples", "n"), ("Values equal", "values", "n"),
        )
    )  # fmt: skip
    return (
        '<details class="more"><summary>Executions, each held against the integers in every spike and state</summary>'
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></details>'
    )


def _verdict(row: VerdictRow) -> str:
    mark = "no" if row.met is False else "yes" if row.status in ("equal", "within") else "open"
    sign, said = _MARKS[mark]
    return (
        f'<tr class="{mark}"><th scope="row">{escape(row.name.capitalize())}</th>'
        f'<td><span class="mark" role="img" aria-label="{said}">{sign}</span></td>'
        f"<td>{escape(one_line(row.sentence))}</td><td>{escape(row.required or 'nothing')}</td></tr>"
    )


def _help(what: str, keys: Iterable[str]) -> str:
    """What is meant, one click away: the words of the report's model and the keys of report.json."""
    terms = "".join(
        f"<dt><code>{escape(key)}</code></dt><dd>{escape(text)}</dd>" for key, text in explanations(keys).items()
    )
    return (
        f'<details class="help"><summary aria-label="What the figures of {escape(what)} mean">?</summary>'
        f'<div class="pop"><p>From report.json:</p><dl>{terms}</dl></div></details>'
    )


def _made(report: Report) -> str:
    bundle = f", bundle {report.bundle[:12]}" if report.bundle is not None else ""
    return f"tern2lava {report.version}{bundle}"


def _script() -> str:
    parts = "\n".join(_static(f"{name}.js") for name in SCRIPTS)
    return f'(() => {{\n"use strict";\n{parts}\n}})();\n'


def _static(name: str) -> str:
    return (resources.files("tern2lava.report.page") / "static" / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """How a security policy names an inline script or style."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode()
