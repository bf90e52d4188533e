"""README's picture: a trained network of the demonstration, its weights, its integers and the cores that it takes.

    uv run --group dev python docs/site/picture.py     writes docs/images/flow-light.svg and flow-dark.svg

Everything in it is computed: the weights are those of the checkpoint, the integers and their error bounds those of the
certificate, the cores those of the mapping onto `tiny`, a target for examples. The placement is the one along a curve,
which draws no random numbers.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np

import tern2lava
from tern2lava.compiler.ir.graph import Dense
from tern2lava.report.model import Report

FOLDER = Path(__file__).resolve().parents[1] / "images"
COLOURS = {
    "light": {"ink": "#1f2328", "soft": "#59636e", "line": "#d1d9e0", "cell": "#f6f8fa", "plus": "#0969da",
              "minus": "#bc4c00", "lif1": "#54aeff", "lif2": "#4ac26b", "lif3": "#d4a72c"},
    "dark": {"ink": "#f0f6fc", "soft": "#9198a1", "line": "#3d444d", "cell": "#151b23", "plus": "#4493f8",
             "minus": "#db6d28", "lif1": "#1f6feb", "lif2": "#238636", "lif3": "#9e6a03"},
}  # fmt: skip
WIDTH, HEIGHT = 960, 268
TOP = 64
FONT = "ui-sans-serif, system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"


def text(x: float, y: float, words: str, colour: str, size: int = 12, anchor: str = "start", weight: int = 400) -> str:
    """A line of text."""
    return (
        f'<text x="{x:g}" y="{y:g}" fill="{colour}" font-size="{size}" text-anchor="{anchor}" font-weight="{weight}">'
        f"{words}</text>"
    )


def cell(x: float, y: float, side: float, fill: str, line: str, said: str = "") -> str:
    """A square, with a tooltip."""
    title = f"<title>{said}</title>" if said else ""
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{side:g}" height="{side:g}" rx="2" fill="{fill}" stroke="{line}">'
        f"{title}</rect>"
    )


def weights(codes: np.ndarray, x: float, colours: dict[str, str]) -> list[str]:
    """The corner of a matrix of ternary codes."""
    fills = {1: colours["plus"], 0: colours["cell"], -1: colours["minus"]}
    return [
        cell(x + 14 * column, TOP + 14 * row, 12, fills[int(code)], colours["line"])
        for row, line in enumerate(codes)
        for column, code in enumerate(line)
    ]


def cores(report: Report, x: float, colours: dict[str, str]) -> list[str]:
    """The map of the cores, chip beside chip."""
    used = {(core.chip, core.row, core.col): core for core in report.cores}
    parts = []
    for chip in (0, 1):
        left = x + 132 * chip
        for row in range(4):
            for column in range(4):
                core = used.get((chip, row, column))
                fill = colours["cell"] if core is None else colours[core.populations[0]]
                said = f"chip {chip}, row {row}, column {column}: " + (
                    "free" if core is None else f"{core.populations[0]}, {core.neurons[0]} of {core.neurons[1]} neurons"
                )
                parts.append(cell(left + 30 * column, TOP + 30 * row, 26, fill, colours["line"], said))
        parts.append(text(left + 58, TOP + 134, f"chip {chip}", colours["soft"], 11, "middle"))
    return parts


def draw(codes: np.ndarray, report: Report, colours: dict[str, str]) -> str:
    """The picture as SVG."""
    ink, soft = colours["ink"], colours["soft"]
    lefts = (16, 232, 462, 768)
    heads = ("Trained, ternary", "Exact integers", "Cores of a chip", "Five verdicts")
    parts = [
        text(x, 28, f"{number}  {head}", ink, 15, weight=600)
        for number, (x, head) in enumerate(zip(lefts, heads, strict=True), 1)
    ]
    below = (
        "-1, 0 or +1 times a scale",
        "with a bound on their error",
        "as its profile models them",
        "none implies another",
    )
    parts += [text(x, 46, words, soft) for x, words in zip(lefts, below, strict=True)]
    parts += weights(codes, lefts[0], colours)
    for number, row in enumerate(report.certificate):
        y = TOP + 14 + 50 * number
        bound = "" if not row.eps_relative else f", by {row.eps_relative:.1e} thresholds"
        neurons = next(p.neurons for p in report.populations if p.name == row.population)
        parts.append(text(lefts[1], y, f"{row.population}: {neurons:,} neurons", ink, 13))
        parts.append(text(lefts[1], y + 17, f"{row.verdict}{bound}", soft, 11))
    parts += cores(report, lefts[2], colours)
    for number, population in enumerate(report.populations):
        x = lefts[2] + 80 * number
        parts += [cell(x, TOP + 150, 12, colours[population.name], colours["line"])]
        parts += [text(x + 17, TOP + 160, f"{population.name}: {population.cores}", soft, 11)]
    asked = (
        "images: the program?",
        "execution: Lava agrees?",
        "arithmetic: spikes lost?",
        "ranges: no overflow?",
        "reading: your network?",
    )
    parts += [text(lefts[3], TOP + 14 + 27 * number, words, ink, 13) for number, words in enumerate(asked)]
    for x in lefts[1:]:
        parts.append(f'<path d="M{x - 22} 20 l8 6 l-8 6" fill="none" stroke="{soft}" stroke-width="1.5"/>')
    note = f"The demonstration's convolutional network on {len(report.cores)} cores of the example target tiny."
    parts.append(text(WIDTH / 2, HEIGHT - 10, note, soft, 11, "middle"))
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="{FONT}" role="img" '
        'aria-label="From ternary weights to exact integers, to the cores of a chip, to five verdicts">'
    )
    return "\n".join([head, *parts, "</svg>", ""])


def pictures() -> dict[str, str]:
    """The picture by the name of its file."""
    with resources.as_file(resources.files("tern2lava.demo")) as folder:
        graph = tern2lava.load(folder / "conv.pt", folder / "conv.yaml")
    options = tern2lava.MapOptions(placement="hilbert")
    report = tern2lava.compile(graph, "tiny", map_options=options).report
    (layer,) = graph.of_kind(Dense)
    codes = np.sign(np.asarray(layer.weight)[:10, :13])
    return {f"flow-{name}.svg": draw(codes, report, colours) for name, colours in COLOURS.items()}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, picture in pictures().items():
        (FOLDER / name).write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    main()
