// What the weights of each layer take: once, in plain formats and as their entropy; and on the cores.

for (const row of [...D.layers, D.total]) row.held_bits = 8 * row.held_weights;
const FORMS = [["fp32_bits", "fp32, once", "grey1", "frame"], ["int8_bits", "int8, once", "integer", "frame"], ["ternary_bits", "codes, once", "float", "ring"],
  ["entropy_bits", "entropy, once", "ink", "line"], ["held_bits", "int8, as many copies as on the cores", "integer", "square"],
  ["stored_bits", "stored on the cores", "float", "dot"]];

function mark(shape, x, y, name) {
  const paint = `var(--${name})`;
  if (shape === "frame") return s("rect", { x: x - 5, y: y - 5, width: 10, height: 10, fill: "var(--surface)", stroke: paint, "stroke-width": 2 });
  if (shape === "square") return s("rect", { x: x - 5, y: y - 5, width: 10, height: 10, fill: paint });
  if (shape === "ring") return s("circle", { cx: x, cy: y, r: 5.5, fill: "var(--surface)", stroke: paint, "stroke-width": 3 });
  if (shape === "line") return s("rect", { x: x - 1.5, y: y - 9, width: 3, height: 18, fill: paint });
  return s("circle", { cx: x, cy: y, r: 5.5, fill: paint });
}

function memoryPart() {
  let way = "each";
  const box = h("div", { class: "chart" });
  const layers = D.layers.filter((layer) => layer.weights > 0);
  const button = (key, title) => h("button", { type: "button", "aria-pressed": String(way === key), onclick: () => { way = key; draw(); } }, title);
  const controls = h("div", { class: "head controls", role: "group", "aria-label": "Unit of the chart" });

  function draw() {
    controls.replaceChildren(button("each", "Bits per weight"), button("size", "Size"));
    const value = (layer, key) => (way === "each" ? layer[key] / layer.weights : layer[key]);
    const all = layers.flatMap((layer) => FORMS.map(([key]) => value(layer, key))).filter((found) => found > 0);
    const low = Math.floor(Math.log2(Math.min(...all)));
    const high = Math.ceil(Math.log2(Math.max(...all)));
    const side = Math.min(170, Math.max(90, (box.clientWidth || 800) * 0.2));
    const wide = Math.max(300, (box.clientWidth || 800));
    const x = (found) => side + 12 + ((Math.log2(found) - low) / Math.max(1, high - low)) * (wide - side - 40);
    const tall = 30 * layers.length + 30;
    const every = Math.max(1, Math.ceil((high - low) / Math.floor((wide - side) / 70)));
    const axis = [];
    for (let at = low; at <= high; at += every) {
      axis.push(s("line", { class: "grid", x1: x(2 ** at), x2: x(2 ** at), y1: 4, y2: tall - 24 }),
        s("text", { class: "faint", x: x(2 ** at), y: tall - 6, "text-anchor": "middle", "font-size": 12 }, way === "each" ? num(2 ** at) : bytes(2 ** at)));
    }
    const rows = layers.flatMap((layer, at) => {
      const y = 30 * at + 18;
      const name = layer.name.length > side / 8 ? `${layer.name.slice(0, Math.floor(side / 8) - 1)}…` : layer.name;
      const marks = FORMS.filter(([key]) => layer[key] > 0).map(([key, title, paint, shape]) => {
        const found = mark(shape, x(value(layer, key)), y, paint);
        found.append(s("title", {}, `${layer.name}, ${title}: ${bytes(layer[key])}, ${num(layer[key] / layer.weights)} bits per weight`));
        return found;
      });
      return [s("text", { x: 0, y: y + 4, "font-size": 13 }, name, s("title", {}, layer.name)),
        s("line", { class: "grid", x1: x(2 ** low), x2: x(2 ** high), y1: y, y2: y }), marks];
    });
    box.replaceChildren(s("svg", { width: wide, viewBox: `0 0 ${wide} ${tall}`, role: "img",
      "aria-label": `Memory of each layer in ${way === "each" ? "bits per weight" : "bytes"}; the table below has the numbers` }, axis, rows));
  }

  const keys = FORMS.map(([key]) => `memory.layers[].${key === "held_bits" ? "held_weights" : key}`);
  part("memory", "Memory of each layer", [...keys, "memory.layers[].copies", "memory.layers[].zeros", "memory.layers[].weights"],
    "Like is held with like: hollow marks and lines are every weight once, nothing else; the full dot is what the cores really hold, with headers, padding and copies, and the full square as many copies in int8, without any overhead.",
    controls, layers.length ? box : h("p", { class: "hint" }, "There are no weights."),
    h("div", { class: "legend" }, FORMS.map(([, title, paint, shape]) => h("span", { class: "key" },
      s("svg", { width: 16, height: 18, "aria-hidden": "true" }, mark(shape, 8, 9, paint)), title))),
    twinTable(), more("Memory as a table", memoryTable()));
  if (layers.length) drawn(draw);
}

function memoryTable() {
  const columns = [["Layer", false, null], ["Weights", true, ["memory.layers[].weights"]], ["Zeros", true, ["memory.layers[].zeros"]],
    ["fp32", true, ["memory.layers[].fp32_bits"]], ["int8", true, ["memory.layers[].int8_bits"]], ["Codes", true, ["memory.layers[].ternary_bits"]],
    ["Entropy", true, ["memory.layers[].entropy_bits"]], ["rANS file", true, ["memory.layers[].transport_bits"]], ["Stored", true, ["memory.layers[].stored_bits"]], ["As many in int8", true, ["memory.layers[].held_weights", "memory.layers[].ratio_int8"]],
    ["Copies", true, ["memory.layers[].copies"]], ["Cores", true, ["memory.layers[].cores"]], ["How", false, ["memory.layers[].sharing", "memory.layers[].encodings"]]];
  const sizes = (row) => ["fp32_bits", "int8_bits", "ternary_bits", "entropy_bits", "transport_bits", "stored_bits", "held_bits"].map((key) => bytes(row[key]));
  const rows = D.layers.map((layer) => [layer.name, whole(layer.weights), percent(layer.zeros), ...sizes(layer), num(Number(layer.copies.toFixed(1))), whole(layer.cores), `${layer.sharing}, ${layer.encodings.join(" ")}`]);
  const total = D.total;
  return h("div", {}, table("By layer", columns, rows, ["All", whole(total.weights), "", ...sizes(total), "", whole(cores.id.length), ""]),
    h("p", {}, `All cores: synapses ${bytes(total.stored_bits)}, axon tables and routes ${bytes(total.axon_bits)}, neuron parameters ${bytes(total.parameter_bits)}, neuron states ${bytes(total.state_bits)}; images ${bytes(total.image_bits)}.`));
}

// The network and its twins with 8-bit weights, each really mapped.
function twinTable() {
  if (!D.twins.length) return h("p", { class: "hint" }, "tern2lava report BUNDLE --compare-bits 8 --html maps the same network with 8-bit weights too, and shows both side by side.");
  const rows = D.twins.map((twin) => twin.cores === null ? [twin.name, num(twin.weight_bits), "does not fit", "", "", ""]
    : [twin.name, num(twin.weight_bits), whole(twin.cores), whole(twin.chips), bytes(twin.stored_bits), bytes(twin.image_bits)]);
  return table(`Mapped onto ${D.target}, like with like`, [["Weights", false, ["twins[].name"]], ["Bits", true, null], ["Cores", true, ["twins[].cores"]],
    ["Chips", true, null], ["Synaptic memory", true, ["twins[].stored_bits"]], ["Images", true, null]], rows);
}
