// The potential of a neuron in the float model and in integers, with its threshold, its spikes and the first difference.

function potentials(found, population, row, first) {
  const steps = found.end - found.begin;
  const [one, two] = [population.float[row], population.integer[row]];
  const threshold = population.threshold[row];
  const known = [...one, ...two, ...(threshold === null ? [] : [threshold])].filter((value) => value !== null);
  const [low, high] = [Math.min(...known, 0), Math.max(...known)];
  const wide = Math.max(300, document.getElementById("potentials")?.clientWidth || 800);
  const [left, top, tall] = [54, 40, 190];
  const x = (step) => left + ((step + 0.5) / steps) * (wide - left - 12);
  const y = (value) => top + (1 - (value - low) / (high - low || 1)) * tall;
  const line = (values, paint, dash, thick) => s("polyline", { points: values.map((value, step) => `${x(step).toFixed(1)},${y(value ?? 0).toFixed(1)}`).join(" "),
    fill: "none", stroke: `var(--${paint})`, "stroke-width": thick, "stroke-dasharray": dash, "stroke-linejoin": "round" });
  const ticks = (codes, at, paint, title) => [s("text", { x: left - 8, y: at + 5, "font-size": 11, "text-anchor": "end", class: "faint" }, title),
    [...population.raster[row]].map((code, step) => codes.includes(code) ? s("rect", { x: x(step) - 1.5, y: at - 5, width: 3, height: 11, fill: `var(--${paint})` }) : null)];
  const every = Math.max(1, Math.ceil(steps / Math.max(2, Math.floor((wide - left) / 60))));
  const axis = Array.from({ length: Math.ceil(steps / every) }, (_, at) => s("text", { x: x(at * every), y: top + tall + 20, "font-size": 11, "text-anchor": "middle", class: "faint" }, found.begin + at * every + 1));
  const levels = [low, high].map((value) => s("text", { x: left - 8, y: y(value) + 4, "font-size": 11, "text-anchor": "end", class: "faint" }, num(value)));
  const parted = first && first[0] === population.name && first[2] === population.shown[row] ? first[1] - 1 - found.begin : null;
  return h("figure", {}, s("svg", { width: wide, viewBox: `0 0 ${wide} ${top + tall + 28}`, role: "img",
    "aria-label": `Potential of neuron ${population.shown[row]} of ${population.name} in the float model and in integers; the table below has the numbers` },
  s("line", { class: "grid", x1: left, x2: wide - 12, y1: top + tall, y2: top + tall }), axis, levels,
  parted === null ? null : [s("rect", { x: x(parted) - 9, y: 2, width: 18, height: top + tall - 2, fill: "var(--no)", opacity: 0.14 }),
    s("text", { x: Math.min(Math.max(x(parted), left + 50), wide - 60), y: top + tall - 6, "font-size": 12, "font-weight": 600, "text-anchor": "middle", class: "no" }, "first difference")],
  threshold === null ? null : [s("line", { x1: left, x2: wide - 12, y1: y(threshold), y2: y(threshold), stroke: "var(--muted)", "stroke-dasharray": "5 4" }),
    s("text", { x: left - 8, y: y(threshold) + 4, "font-size": 11, "text-anchor": "end" }, num(threshold))],
  ticks("1245", 8, "float", "float"), ticks("1345", 22, "integer", "integers"),
  line(one, "float", null, 3.5), line(two, "integer", "4 3", 1.8)),
  h("div", { class: "legend" }, [["float", "float model", null], ["integer", "integers, in the same unit", "4 3"], ["muted", "threshold", "5 4"]].map(([paint, text, dash]) => h("span", { class: "key" },
    s("svg", { width: 26, height: 8, "aria-hidden": "true" }, s("line", { x1: 0, x2: 26, y1: 4, y2: 4, stroke: `var(--${paint})`, "stroke-width": 3, "stroke-dasharray": dash })), text))));
}

function potentialTable(found, population, row) {
  const spike = (codes, code) => (codes.includes(code) ? "spike" : "");
  const rows = population.float[row].map((value, step) => [whole(found.begin + step + 1), num(value), num(population.integer[row][step]),
    spike("1245", population.raster[row][step]), spike("1345", population.raster[row][step])]);
  return table(`Neuron ${whole(population.shown[row])} of ${population.name}, threshold ${num(population.threshold[row])}`,
    [["Step", true, null], ["Float model", true, null], ["Integers", true, null], ["Float spikes", false, null], ["Integer spikes", false, null]], rows);
}
