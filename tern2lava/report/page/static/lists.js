// Firing rates, roundings and notes.

function ratesPart() {
  const keys = ["rate_float", "rate_integer", "float_spikes", "integer_spikes", "missing", "extra", "share"].map((key) => `verification.arithmetic.populations[].${key}`);
  const of = (key) => [`verification.arithmetic.populations[].${key}`];
  if (!D.rates.length) {
    part("rates", "Firing rates", keys, "", h("p", { class: "hint" }, "No data were run: ", h("code", {}, "tern2lava verify BUNDLE --data FILE"), " counts spikes of every population in both."));
    return;
  }
  const most = Math.max(...D.rates.flatMap((row) => [row.rate_float, row.rate_integer]), 1e-9);
  const rows = D.rates.slice(0, 300).map((row) => [row.name, h("div", {}, bar(row.rate_float / most, { name: "float", label: `float model ${num(row.rate_float)}` }),
    bar(row.rate_integer / most, { name: "integer", label: `integers ${num(row.rate_integer)}` })), row.rate_float.toFixed(4), row.rate_integer.toFixed(4), whole(row.missing), whole(row.extra), percent(row.share)]);
  part("rates", "Firing rates", keys, "Spikes per neuron and step on the data that were verified: the float model above, the integers below.",
    table("By population", [["Population", false, null], ["", false, null], ["Float model", true, of("rate_float")], ["Integers", true, of("rate_integer")],
      ["Missing", true, of("missing")], ["Extra", true, of("extra")], ["Differ", true, of("share")]], rows));
}

function roundingsPart() {
  const keys = ["quantity", "inexact", "worst", "median", "real", "became"].map((key) => `roundings[].${key}`);
  const exact = `${whole(D.exact_quantities)} ${D.exact_quantities === 1 ? "quantity is" : "quantities are"} exact`;
  if (!D.roundings.length) {
    part("roundings", "Roundings", [...keys, "exact_quantities"], "", h("p", {}, `Nothing was rounded: all ${exact}.`));
    return;
  }
  const worst = Math.max(...D.roundings.map((row) => row.worst ?? 0)) || 1;
  const line = (row) => [row.population, row.quantity, whole(row.inexact), bar((row.worst ?? 0) / worst, { name: "float", label: percent(row.worst) }),
    percent(row.worst), percent(row.median), row.real === null ? "" : String(Number(row.real.toPrecision(6))), row.became === null ? "" : String(Number(row.became.toPrecision(6)))];
  const columns = [["Population", false, null], ["Quantity", false, ["roundings[].quantity"]], ["Neurons", true, ["roundings[].inexact"]], ["", false, null],
    ["Worst", true, ["roundings[].worst"]], ["Median", true, ["roundings[].median"]], ["Value", true, ["roundings[].real"]], ["Became", true, ["roundings[].became"]]];
  const [first, rest] = [D.roundings.slice(0, 12), D.roundings.slice(12)];
  part("roundings", "Roundings, worst first", [...keys, "exact_quantities"],
    `What the integers do not hold exactly, as a share of the value; of the worst neuron the value and what it became. ${exact}.`,
    table("Rounded to integers", columns, first.map(line)),
    rest.length ? more(`${whole(rest.length)} more, all smaller`, table("The others", columns, rest.map(line))) : null,
    D.roundings_left ? h("p", { class: "hint" }, `${whole(D.roundings_left)} more are in report.json (roundings).`) : null);
}

function notesPart() {
  const notes = D.notes.length ? h("ul", { class: "plain" }, D.notes.map((note) => h("li", {}, note))) : h("p", {}, "No other approximation was made on the way.");
  part("notes", "Notes", ["notes", "assumptions"], "Every other approximation and assumption that was made of the network, in their order.", notes,
    D.notes_left ? h("p", { class: "hint" }, `${whole(D.notes_left)} more are in report.json (notes).`) : null,
    D.assumptions.length ? more(`${counted(D.assumptions.length, "number")} of ${D.target} ${D.assumptions.length === 1 ? "is" : "are"} assumed, not published`,
      h("ul", { class: "plain" }, D.assumptions.map((line) => h("li", {}, line)))) : null);
}
