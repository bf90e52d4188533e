"""The site of docs/ has every page in its navigation, links that lead somewhere, references that follow the code."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
import typer
import yaml

import tern2lava
from places import ROOT
from tern2lava.cli import app

pytest.importorskip("mkdocs", reason="mkdocs is not installed")
HOOKS = ROOT / "docs" / "site"


def hook(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"site_{name}", HOOKS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pages(entry: Any) -> Iterator[str]:
    """The pages of a part of the navigation."""
    if isinstance(entry, str):
        yield entry
    else:
        for part in entry.values() if isinstance(entry, dict) else entry:
            yield from pages(part)


def test_every_page_is_in_the_navigation_once() -> None:
    nav = list(pages(yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"]))
    docs = ROOT / "docs"
    written = {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")}
    outside = {site for site in hook("outside").OUTSIDE.values() if site.endswith(".md")}
    generated = {hook("commands").PAGE, hook("functions").PAGE, *hook("notebooks").pages()}
    assert sorted(nav) == sorted(written | outside | generated)


def test_links_are_turned_to_where_the_pages_lie_and_named_pages_become_links() -> None:
    linked = hook("outside").linked
    known = {"index.md", "data.md", "a/b.md", "images/x.svg", "benchmarks/results/prove.md"}
    turned = '[d](data.md), [p](benchmarks/results/prove.md#x) <img src="images/x.svg"> [w](https://x.y/docs/data.md)'
    written = turned.replace("](data", "](docs/data").replace('"images', '"docs/images')
    assert linked(written, "index.md", known) == turned
    assert linked("[p](../../benchmarks/results/prove.md) [d](../data.md)", "a/b.md", known) == (
        "[p](../benchmarks/results/prove.md) [d](../data.md)"
    )
    assert linked("see (docs/data.md), not docs/other.md", "a/b.md", known) == (
        "see ([docs/data.md](../data.md)), not docs/other.md"
    )
    code = "`docs/data.md`\n\n```\ndocs/data.md\n```\n"
    assert linked(code, "a/b.md", known) == code


@pytest.mark.parametrize(
    "element",
    [
        '<script defer src="https://unpkg.com/x"></script>', "<img alt=x src=//x.y/z.png>",
        '<link rel="stylesheet" href="https://fonts.googleapis.com/css">',
    ],
)  # fmt: skip
def test_a_page_that_loads_something_from_elsewhere_ends_the_build(element: str) -> None:
    from mkdocs.exceptions import PluginError

    class Page:
        class file:  # noqa: N801
            src_uri = "x.md"

    offline = hook("offline")
    fine = '<link rel="canonical" href="https://x.y"><a href="https://x.y">y</a><script src="assets/x.js"></script>'
    assert offline.on_post_page(fine, Page, None) == fine
    with pytest.raises(PluginError, match=r"x\.md: requires that nothing is loaded from elsewhere"):
        offline.on_post_page(fine + element, Page, None)


def test_the_reference_of_commands_has_every_command_and_option() -> None:
    text = hook("commands").reference()
    group: Any = typer.main.get_command(app)
    for name, command in group.commands.items():
        assert f"\n## {name}\n" in text
        part = text.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        for param in command.params:
            assert param.opts[-1] in part or param.param_type_name == "argument", (name, param.opts)
        assert f"tern2lava {name} " in part
        assert "--help" in part


def test_the_reference_of_functions_has_every_public_name() -> None:
    text = hook("functions").reference()
    assert sorted(tern2lava.__all__) == sorted(
        line.partition("heading: tern2lava.")[2] for line in text.splitlines() if "heading:" in line
    )
    assert "::: tern2lava.api.verifying.verify\n" in text
