// One sample in the float model and in integers: which neurons spike when, and where the two part first.

const CELLS = { 1: ["ink", "both"], 2: ["float", "float model alone"], 3: ["integer", "integers alone"], 4: ["no", "other signs"], 5: ["grey1", "both, -1"] };

function samplePart() {
  const found = D.sample;
  const keys = ["verification.arithmetic.share", "verification.arithmetic.populations[].missing", "verification.arithmetic.populations[].extra"];
  if (!found) {
    part("sample", "A sample, spike by spike", keys, "", h("p", { class: "hint" }, "No sample was run for this page. ",
      h("code", {}, "tern2lava report BUNDLE --html --data FILE --sample N"), " shows one in the float model and in integers side by side."));
    return;
  }
  const state = { population: Math.max(0, found.first ? found.populations.findIndex((row) => row.name === found.first[0]) : 0), row: 0 };
  const canvas = h("canvas", { id: "raster", role: "img" });
  const plot = h("div", { id: "potentials", class: "chart" });
  const numbers = h("div", {});
  const populations = h("select", { id: "raster-population", onchange: (event) => go(Number(event.target.value)) },
    found.populations.map((row, at) => h("option", { value: at }, `${row.name}${row.differ ? ` (${counted(row.differ, "difference")})` : ""}`)));
  const neurons = h("select", { id: "raster-neuron", onchange: (event) => { state.row = Number(event.target.value); draw(); } });
  const caption = h("p", { class: "hint" });
  const first = found.first;
  const here = () => found.populations[state.population];
  const where = `Sample ${whole(found.number)}, counted from 0, of ${counted(found.samples, "sample")} ${found.source}`;
  const classes = found.predicted[0] === null ? "" : ` Predicted class: float model ${found.predicted[0]}, integers ${found.predicted[1]}${found.label === null ? "" : `; label ${found.label}`}.`;
  part("sample", "A sample, spike by spike", keys, `${where}: the float model and the integers side by side, ${found.begin
    || found.end < found.steps ? `steps ${found.begin + 1} to ${found.end} of ${found.steps}` : counted(found.steps, "step")}.${classes}`,
  h("p", { id: "first-difference" }, first ? h("span", {}, h("b", {}, "First difference: "), `step ${first[1]}, population ${first[0]}, neuron ${whole(first[2])}. `,
    h("button", { type: "button", class: "controls", onclick: () => toFirst() }, "Show it")) : "Every spike of this sample is the same in both."),
  h("div", { class: "head controls" }, h("label", {}, "Population ", populations), h("label", {}, "Neuron ", neurons)),
  h("figure", {}, h("div", { class: "chart" }, canvas), caption), h("div", { class: "legend" },
    Object.entries(CELLS).slice(0, 3).map(([, [paint, text]]) => h("span", { class: "key" }, s("svg", { width: 12, height: 12, "aria-hidden": "true" }, s("rect", { width: 12, height: 12, fill: `var(--${paint})` })), text))),
  h("h3", { class: "sub" }, "Potential of the chosen neuron, where it meets its threshold"), plot,
  more("The chosen neuron as a table", numbers));

  function go(population, row = 0) {
    [state.population, state.row] = [population, row];
    populations.value = String(population);
    neurons.replaceChildren(...here().shown.map((neuron, at) => h("option", { value: at }, whole(neuron))));
    draw();
  }

  function toFirst() {
    const population = found.populations.findIndex((row) => row.name === first[0]);
    go(population, Math.max(0, found.populations[population].shown.indexOf(first[2])));
  }

  const side = 12;
  function draw() {
    const rows = here().raster;
    const steps = found.end - found.begin;
    const wide = Math.max(240, canvas.parentElement.clientWidth || 800);
    const cell = { x: Math.max(1, Math.min(64, (wide - side) / steps)), y: Math.max(3, Math.min(16, 420 / rows.length)) };
    const context = sized(canvas, side + cell.x * steps, cell.y * rows.length + 2);
    const paints = Object.fromEntries(Object.entries(CELLS).map(([code, [name]]) => [code, colour(name)]));
    const ground = [colour("sunken"), colour("surface")];
    rows.forEach((row, at) => {
      context.fillStyle = ground[at % 2];
      context.fillRect(side, at * cell.y, cell.x * steps, cell.y);
      for (let step = 0; step < steps; step += 1) {
        if (row[step] === "0") continue;
        context.fillStyle = paints[row[step]];
        context.fillRect(side + step * cell.x + (cell.x > 4 ? 0.5 : 0), at * cell.y + 0.5, Math.max(1, cell.x - (cell.x > 4 ? 1 : 0)), Math.max(1, cell.y - 1));
      }
    });
    context.fillStyle = colour("accent");
    context.beginPath();
    context.moveTo(1, (state.row + 0.5) * cell.y - 5);
    context.lineTo(9, (state.row + 0.5) * cell.y);
    context.lineTo(1, (state.row + 0.5) * cell.y + 5);
    context.fill();
    if (first && first[0] === here().name && here().shown.includes(first[2])) {
      const at = [side + (first[1] - 1 - found.begin) * cell.x, here().shown.indexOf(first[2]) * cell.y];
      context.strokeStyle = colour("no");
      context.lineWidth = 2;
      context.strokeRect(at[0] - 2, at[1] - 2, cell.x + 4, cell.y + 4);
    }
    neurons.value = String(state.row);
    canvas.setAttribute("aria-label", `Spikes of ${rows.length} neurons of ${here().name} over ${steps} steps: ${here().spikes[0]} in the float model, ${here().spikes[1]} in integers, ${here().differ} differ`);
    canvas.dataset.cell = `${cell.x},${cell.y}`;
    caption.textContent = `${here().name}: ${whole(rows.length)} of its ${whole(here().neurons)} neurons${rows.length < here().neurons ? ", those that differ first, then some of those that spike" : ""}; a row is a neuron, a column a step. ${counted(here().spikes[0], "spike")} in the float model, ${whole(here().spikes[1])} in integers; ${whole(here().differ)} differ.`;
    plot.replaceChildren(potentials(found, here(), state.row, first));
    numbers.replaceChildren(potentialTable(found, here(), state.row));
  }

  const point = (event) => {
    const edge = canvas.getBoundingClientRect();
    const [x, y] = canvas.dataset.cell.split(",").map(Number);
    return [Math.floor((event.clientY - edge.top) / y), Math.floor((event.clientX - edge.left - side) / x)];
  };
  canvas.addEventListener("pointermove", (event) => {
    const [row, step] = point(event);
    const code = here().raster[row]?.[step];
    showTip(event, code === undefined ? "" : `neuron ${whole(here().shown[row])}, step ${found.begin + step + 1}: ${CELLS[code]?.[1] ?? "no spike"}`);
  });
  canvas.addEventListener("pointerleave", (event) => showTip(event, ""));
  canvas.addEventListener("click", (event) => {
    const [row] = point(event);
    if (row >= 0 && row < here().raster.length) [state.row] = [row];
    draw();
  });
  drawn(() => (neurons.childElementCount ? draw() : first ? toFirst() : go(0)));
}
