"""The functions that a caller of the C code calls, and the pass over all populations behind them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tern2lava.export.c.model import Model
from tern2lava.export.c.readouts import Score
from tern2lava.export.c.spikes import Kept, Source
from tern2lava.export.c.tables import Tables


def parameters(inputs: Sequence[Source]) -> str:
    """What PREFIX_step is handed beside the state."""
    return ", ".join(f"const {each.given.name} *{argument(each)}" for each in inputs)


def argument(source: Source) -> str:
    """The name of an input's values in C."""
    return f"in_{source.id}"


def called_functions(model: Model, tables: Tables) -> list[str]:
    """PREFIX_reset, PREFIX_step, PREFIX_drain where there is a latency, and what reads each readout."""
    lines = _reset(model, tables) + _advance(model) + _run(model) + _step(model) + _drain(model)
    return lines + [line for each in model.scores for line in _scores(model, each, tables)]


def block(lines: Sequence[str], by: int = 1) -> list[str]:
    """Lines of C, indented."""
    return ["    " * by + line if line else line for line in lines]


def _function(head: str, body: Sequence[str]) -> list[str]:
    counted = any(re.search(r"\bi\b", line) for line in body)
    return [head, "{", *(["    uint32_t i;"] if counted else []), *block(body), "}", ""]


def _reset(model: Model, tables: Tables) -> list[str]:
    body = ["zero(m, sizeof *m);"]
    for made in model.cells:
        if made.has_v and made.population.v_init.any():
            first = made.first(tables)
            body += [
                f"for (i = 0; i < {made.source.size}; i++)",
                f"    m->v_{made.id}[i] = ({made.v_type.name}){first};",
            ]
    for each in model.scores:
        if each.formed and each.first:
            worst = f"{each.kind.name.removesuffix('_t').upper()}_{'MIN' if each.first < 0 else 'MAX'}"
            body += [f"for (i = 0; i < {each.source.size}; i++)", f"    m->{each.array}[i] = {worst};"]
    return _function(f"void {model.prefix}_reset({model.prefix}_t *m)", body)


def _advance(model: Model) -> list[str]:
    body = [line for source in model.sources.values() for line in source.advance()]
    if not body:
        return []
    return ["/* The oldest row of what is sent makes room for this call's. */",
            *_function(f"static void advance({model.prefix}_t *m)", body)]  # fmt: skip


def _run(model: Model) -> list[str]:
    """All populations, sources first; of those with a latency only while they are in the window of a sample."""
    body = []
    for made in model.cells:
        call = f"step_{made.id}(m);"
        if not model.plan.latency:
            body.append(call)
            continue
        begin = model.plan.begins[made.population.name]
        inside = (f"m->calls >= {begin} && " if begin else "") + f"m->drained <= {begin}"
        body += [f"if ({inside}) {{", f"    {call}", "} else {", *block(made.source.clear()), "}"]
    if model.most is not None:
        body.append("m->calls++;")
    elif model.counts_calls:
        body += [f"if (m->calls < {model.plan.latency})", "    m->calls++;"]
    return _function(f"static void run({model.prefix}_t *m)", body)


def _step(model: Model) -> list[str]:
    upper, body = model.prefix.upper(), []
    for each in model.inputs:
        if each.kept is Kept.BITS or (each.given.low, each.given.high) == (each.low, each.high):
            continue
        name = f"{argument(each)}[i]"
        low = f"{name} < {each.low} || " if each.given.low < each.low else ""
        high = f"{name} > {each.high}" if each.given.high > each.high else ""
        body += [f"for (i = 0; i < {each.size}; i++)", f"    if ({(low + high).removesuffix(' || ')})"]
        body.append(f"        return {upper}_BAD_INPUT;")
    refused = [f"m->calls >= {model.most}"] if model.most is not None else []
    refused += ["m->drained > 0"] if model.plan.latency else []
    if refused:
        body += [f"if ({' || '.join(refused)})", f"    return {upper}_TOO_MANY_STEPS;"]
    body += ["advance(m);"] if _advance(model) else []
    for each in model.inputs:
        value = f"{argument(each)}[i]"
        if each.kept is Kept.VALUES:
            body += [f"for (i = 0; i < {each.size}; i++)", *block(each.write(value))]
            continue
        written = block(each.write(value))
        body += [*each.clear(), f"for (i = 0; i < {each.size}; i++) {{", *written, "}"]
    body += ["run(m);", f"return {upper}_OK;"]
    return _function(f"int {model.prefix}_step({model.prefix}_t *m, {parameters(model.inputs)})", body)


def _drain(model: Model) -> list[str]:
    if not model.plan.latency:
        return []
    upper = model.prefix.upper()
    body = [f"if (m->drained >= {model.plan.latency})", f"    return {upper}_TOO_MANY_STEPS;", "m->drained++;"]
    body += ["advance(m);"] if _advance(model) else []
    body += [line for each in model.inputs for line in each.clear()]
    return _function(f"int {model.prefix}_drain({model.prefix}_t *m)", [*body, "run(m);", f"return {upper}_OK;"])


def _scores(model: Model, each: Score, tables: Tables) -> list[str]:
    if not each.formed:
        return []
    prefix, kind, array = model.prefix, each.kind.name, f"m->{each.array}"
    one = f"number_{each.id}(m, i)"
    if each.classes is None:
        offset = "" if each.offset is None else tables.add(f"offset_{each.id}", each.offset)
        inner = [f"return {array}[i];" if each.offset is None else f"return sum_64({array}[i], {offset}[i]);"]
    else:
        classes = tables.add(f"classes_{each.id}", each.classes)
        first = "0" if each.offset is None else f"{tables.add(f'offset_{each.id}', each.offset)}[i]"
        inner = [
            f"int64_t sum = {first};", "uint32_t j;", f"for (j = 0; j < {each.source.size}; j++)",
            f"    sum = sum_64(sum, times_64({classes}[i * {each.source.size} + j], {array}[j]));", "return sum;",
        ]  # fmt: skip
    lines = [f"static {kind} number_{each.id}(const {prefix}_t *m, uint32_t i)", "{", *block(inner), "}", ""]
    lines += _function(
        f"void {prefix}_scores_{each.id}(const {prefix}_t *m, {kind} *numbers)",
        [f"for (i = 0; i < {each.counts}; i++)", f"    numbers[i] = {one};"],
    )
    if each.ordered:
        lines += _function(
            f"uint32_t {prefix}_class_{each.id}(const {prefix}_t *m)",
            [
                f"{kind} most = number_{each.id}(m, 0);", "uint32_t found = 0;",
                f"for (i = 1; i < {each.counts}; i++) {{", f"    const {kind} number = {one};",
                "    if (number > most) {", "        most = number;", "        found = i;", "    }", "}",
                "return found;",
            ],
        )  # fmt: skip
    return lines
