"""The text of main.c, which runs samples through the network on a computer."""

from __future__ import annotations

from string import Template

from tern2lava.export.c.calls import argument, block
from tern2lava.export.c.model import Model
from tern2lava.export.c.templates import HARNESS


def harness(model: Model, file: str) -> str:
    """main.c: samples from standard input, results on standard output."""
    prefix = model.prefix
    buffers, takes, prints, shows, calls = [], [], [], [], []
    for number, each in enumerate(model.inputs):
        name = argument(each)
        buffers.append(f"static {each.given.name} {name}[{each.size}];")
        takes.append(f"if (fread({name}, sizeof {name}, 1, stdin) != 1)")
        if number == 0:
            takes.append("    return step == 0 && feof(stdin) ? 0 : 1;")
        else:
            takes.append("    return 1;")
    for number, made in enumerate(model.cells):
        begin = model.plan.begins[made.population.name]
        calls += [f"if (step >= {begin} && step - {begin} < steps)", f"    show_{made.id}(trace);"]
        shown = [
            f"if (trace)\n        printf(\"t {number}\");",
            f"for (i = 0; i < {made.source.size}; i++) {{",
            f"    const long long spike = {prefix}_spike_{made.id}(&net, i);",
            "    mix((uint32_t)spike);",
            "    if (trace)",
            "        printf(\" %lld\", spike);",
            "}",
        ]  # fmt: skip
        if made.has_v:
            shown += [
                "if (trace)\n        printf(\" v\");",
                f"for (i = 0; i < {made.source.size}; i++) {{",
                f"    const long long v = {prefix}_potential_{made.id}(&net, i);",
                "    mix((uint32_t)v);",
                "    if (trace)",
                "        printf(\" %lld\", v);",
                "}",
            ]  # fmt: skip
        shown.append('if (trace)\n        printf("\\n");')
        shows += [f"static void show_{made.id}(int trace)", "{", "    uint32_t i;", *block(shown), "}", ""]
    shows += ["static void show(long step, long steps, int trace)", "{", *block(calls), "}", ""]
    for score in model.scores:
        if score.formed:
            buffers.append(f"static {score.kind.name} out_{score.id}[{score.counts}];")
            prints += [
                "{", "    uint32_t i;", f"    {prefix}_scores_{score.id}(&net, out_{score.id});",
                f"    for (i = 0; i < {score.counts}; i++)",
                f"        printf(\" %lld\", (long long)out_{score.id}[i]);", "}",
            ]  # fmt: skip
    drains = []
    if model.plan.latency:
        drains = [
            f"for (step = steps; step < steps + {model.plan.latency}; step++) {{",
            f"    if (failed({prefix}_drain(&net)))", "        return 1;", "    show(step, steps, trace);", "}",
        ]  # fmt: skip
    text = Template(HARNESS).substitute(
        file=file, prefix=prefix, upper=prefix.upper(), buffers="\n".join(buffers), shows="\n".join(shows),
        takes="\n".join(block(takes, 3)), handed=", ".join(argument(each) for each in model.inputs),
        drains="\n".join(block(drains, 2)), prints="\n".join(block(prints, 2)),
    )  # fmt: skip
    return "\n".join(line.rstrip() for line in text.split("\n"))
