"""What the package says of itself: its docstrings are sentences with a noun, a number and a unit."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import tern2lava

PACKAGE = Path(tern2lava.__file__).parent


def test_no_docstring_begins_with_nothing_and_no_quantity_is_called_so_many() -> None:
    found = [
        f"{path.relative_to(PACKAGE)}: {match[0]}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for match in re.finditer(r'"""Nothing;|\bso\s(?:\s*#\s)?many\b', path.read_text(), re.IGNORECASE)
    ]
    assert found == []


ENTRY = re.compile(r"\| (?P<word>[^|]+) \| (?P<sentence>[^|]+) \| `(?P<file>[^`]+)`: `(?P<name>[^`]+)` \|")
ROOT = Path(__file__).parents[1]
GLOSSARY = ROOT / "docs" / "glossary.md"
ENTRIES = [match.groupdict() for match in ENTRY.finditer(GLOSSARY.read_text())]


def test_the_glossary_has_some_forty_words_each_once_with_one_sentence() -> None:
    rows = [line for line in GLOSSARY.read_text().splitlines() if line.startswith("| ") and "what it is" not in line]
    assert len(rows) == len(ENTRIES)
    words = [entry["word"] for entry in ENTRIES]
    assert len(words) == len(set(words))
    assert 40 <= len(words) <= 60
    assert [entry["word"] for entry in ENTRIES if not entry["sentence"].endswith(".")] == []


def test_what_the_glossary_names_in_code_is_there() -> None:
    missing = [
        f"{e['word']}: {e['file']}: {e['name']}" for e in ENTRIES if not _defines(PACKAGE / e["file"], e["name"])
    ]
    assert missing == []


def test_each_word_of_the_glossary_is_used_in_the_docs_or_the_code() -> None:
    pages = [ROOT / "README.md", *(page for page in sorted((ROOT / "docs").glob("*.md")) if page != GLOSSARY)]
    files = [path for end in ("*.py", "*.yaml") for path in sorted(PACKAGE.rglob(end))]
    text = re.sub(r"\s+", " ", " ".join(path.read_text() for path in (*pages, *files)))
    unused = [
        e["word"]
        for e in ENTRIES
        if not re.search(rf"(?<![\w-]){re.escape(e['word'])}s?(?![\w-])", text, re.IGNORECASE)
    ]
    assert unused == []


def _defines(file: Path, name: str) -> bool:
    """Whether a module has a function, class or variable `name`, or a class a member of it (Class.member)."""
    body: list[ast.stmt] = ast.parse(file.read_text()).body if file.is_file() else []
    for part in name.split("."):
        found = [node for node in body if part in _names(node)]
        if not found:
            return False
        body = getattr(found[0], "body", [])
    return True


def _names(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


# {} is what is put in: a part of the message, or the message of another error that is passed on.
_TEMPLATE = re.compile(r"requires .+; found .+; .+|requires .+; \{\}|(map_options\.)?\{\}(; .+|, which .+; .+)?")
# Damage in core images and routes, which tern2lava alone writes.
_OTHER_TEMPLATE = ("compiler/image", "sim/cores")


def test_an_input_error_says_what_is_required_what_was_found_and_what_to_do() -> None:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if name.startswith(_OTHER_TEMPLATE):
            continue
        for call in ast.walk(ast.parse(path.read_text())):
            text = _text(call.args[1]) if isinstance(call, ast.Call) and len(call.args) == 2 and _raises(call) else ""
            if text and not _TEMPLATE.fullmatch(text):
                found.append(f"{name}: {text}")
    assert found == []


def _raises(call: ast.Call) -> bool:
    name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    return name in ("InputError", "error")


def _text(node: ast.expr) -> str:
    """A text with {} for what is put in; empty for what is no text."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return ""
