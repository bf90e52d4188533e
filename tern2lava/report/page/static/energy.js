// Energy, latency and throughput as published numbers per event estimate them, one row for each publication.

const PREFIXES = [[1, ""], [1e-3, "m"], [1e-6, "µ"], [1e-9, "n"], [1e-12, "p"]];

// A quantity with its unit, as 3.2 nJ.
function quantity(value, unit) {
  if (value === null || value === undefined) return "not known";
  const [scale, prefix] = PREFIXES.find(([least]) => Math.abs(value) >= least) ?? PREFIXES[PREFIXES.length - 1];
  return value === 0 ? `0\u00a0${unit}` : `${num(value / scale)}\u00a0${prefix}${unit}`;
}

// A clause as a sentence of its own.
const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;

function between(least, most, unit) {
  const [low, high] = [quantity(least, unit), quantity(most, unit)];
  return low === high ? low : `${low} to ${high}`;
}

function energyPart() {
  const found = D.energy;
  if (!found) return;
  const key = (name) => `energy.estimates[].${name}`;
  const keys = ["energy.measured", "energy.timesteps", "energy.note", "energy.not_modelled", "energy.estimates[].table", "energy.estimates[].energy_least", "energy.estimates[].energy_most"];
  const events = found.measured ? `events counted on ${counted(found.samples, "sample")}` : "events expected of the rates that the mapping assumes or measured";
  const lead = `An estimate for one sample of ${counted(found.steps, "step")} (${counted(found.timesteps, "hardware timestep")}), from ${events}; nothing was measured on a chip.`;
  if (!found.estimates.length) {
    part("energy", "Energy and latency", keys, "", h("p", {}, sentence(found.note || "no energies per event are public for this target")));
    return;
  }
  const columns = [["Numbers of", false, [key("table")]], ["Dynamic energy", true, [key("energy_least"), key("energy_most")]], ["Static energy", true, [key("static_least"), key("static_most")]],
    ["Time of a sample", true, [key("latency_least"), key("latency_most")]], ["Samples a second", true, [key("throughput_least"), key("throughput_most")]]];
  const rows = found.estimates.map((one) => [one.table, between(one.energy_least, one.energy_most, "J"), between(one.static_least, one.static_most, "J"),
    between(one.latency_least, one.latency_most, "s"), one.throughput_least === null ? "not known" : [...new Set([num(one.throughput_least), num(one.throughput_most)])].join(" to ")]);
  const folded = found.estimates.map((one) => {
    const most = Math.max(...one.layers.map((layer) => layer.energy_most), 0) || 1;
    return more(`What ${one.table} is made of`,
      table("By event", [["Event", false, null], ["How often a sample", true, ["energy.estimates[].terms[].least", "energy.estimates[].terms[].most"]], ["One takes", false, ["energy.estimates[].terms[].price"]],
        ["Energy", true, null], ["How sure", false, ["energy.estimates[].terms[].kind"]], ["Source", false, ["energy.estimates[].terms[].source"]]],
      one.terms.map((term) => [term.event, [...new Set([num(term.least), num(term.most)])].join(" to "), term.price, between(term.energy_least, term.energy_most, "J"), term.kind, term.source])),
      table("By input and population", [["Name", false, null], ["", false, null], ["Dynamic energy", true, null]],
        one.layers.slice(0, 300).map((layer) => [layer.name, bar(layer.energy_most / most, { label: quantity(layer.energy_most, "J") }), between(layer.energy_least, layer.energy_most, "J")])),
      one.missing.length ? h("p", {}, `It has no energy of: ${one.missing.join(", ")}.`) : null);
  });
  part("energy", "Energy and latency", keys, lead, table("Each by the numbers of one publication, never mixed", columns, rows), ...folded,
    found.not_modelled.length ? more("What no estimate includes", h("ul", { class: "plain" }, found.not_modelled.map((line) => h("li", {}, line)))) : null);
}
