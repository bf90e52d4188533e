// The network as a graph: inputs above, outputs below; a node that is chosen shows its certificate and what it reads.

const VERDICTS = { EXACT: ["yes", "✓"], BOUNDED: ["integer", "≤"], CONDITIONAL: ["open", "!"], MEASURED: ["open", "~"] };
const BOX = { width: 210, height: 52, across: 26, down: 30 };

function clipped(text, length) {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

function networkPart() {
  const keys = ["populations[].shape", "populations[].neurons", "populations[].cores", "populations[].lag", "certificate[].verdict",
    "certificate[].eps_relative", "certificate[].ties", "certificate[].no_overflow", "certificate[].reason"];
  const side = h("div", { class: "side", id: "node" });
  const known = new Map(D.populations.map((row) => [row.name, row]));
  const graph = D.graph;
  part("network", "Network and certificates", keys,
    "What is proven of each population, for every input: EXACT, it spikes as the real dynamics; BOUNDED, its potentials differ by at most a bound while spikes are alike; CONDITIONAL, while accumulators stay within observed ranges; MEASURED, agreement is only observed.",
    graph ? h("div", { class: "split" }, h("div", { class: "graph", tabindex: "0", role: "region", "aria-label": "The network as a graph" },
      drawing(graph, known, (node) => side.replaceChildren(...nodeSide(node, graph, known)))), h("div", { "aria-live": "polite" }, side))
      : h("p", { class: "hint" }, `The network has ${counted(D.populations.length, "population")}, too many to be drawn; the table has them all.`),
    more("Populations and certificates as a table", certificateTable()));
  if (graph) side.replaceChildren(h("h3", {}, "No node chosen"), h("p", { class: "hint" }, "Click a node, or walk with the Tab key and press Enter."));
}

function drawing(graph, known, choose) {
  const ranks = [];
  for (const node of graph.nodes) (ranks[node.rank] ??= []).push(node);
  const most = Math.max(...ranks.map((rank) => rank.length));
  const width = most * (BOX.width + BOX.across) + 130;
  const height = ranks.length * (BOX.height + BOX.down);
  const place = new Map();
  ranks.forEach((rank, y) => rank.forEach((node, x) => place.set(node.name, {
    x: width / 2 + (x - (rank.length - 1) / 2) * (BOX.width + BOX.across), y: y * (BOX.height + BOX.down) + 2 })));
  let beside = 0;
  const edges = graph.edges.map((edge) => {
    const [from, to] = [place.get(edge.from), place.get(edge.to)];
    const [y1, y2] = [from.y + BOX.height, to.y - 3];
    const right = BOX.width / 2;
    let path = `M${from.x},${y1} C${from.x},${y1 + 18} ${to.x},${y2 - 17} ${to.x},${y2}`;
    if (edge.from === edge.to) path = `M${from.x + right},${from.y + 12} c34,-8 34,36 2,28`;
    else if (edge.back || y2 - y1 > BOX.down + 1) {
      // Round the boxes between, each such edge a little further out.
      const out = Math.max(from.x, to.x) + right + 12 + 8 * (beside++ % 5);
      const [start, end] = edge.back ? [from.y + 30, to.y + 30] : [from.y + 38, to.y + 14];
const turn = 7 * Math.sign(end - start);
      path = `M${from.x + right},${start} H${out - 7} Q${out},${start} ${out},${start + turn} V${end - turn} Q${out},${end} ${out - 7},${end} H${to.x + right + 3}`;
    }
    return s("path", { d: path, fill: "none", stroke: "var(--grey1)", "stroke-width": 1.5, "marker-end": "url(#arrow)", class: "edge", "data-ends": JSON.stringify([edge.from, edge.to]) },
      s("title", {}, [...edge.layers, ...edge.what].join(", ")));
  });
  const boxes = graph.nodes.map((node) => {
    const at = place.get(node.name);
    const row = known.get(node.name);
    const [paint, sign] = VERDICTS[row?.verdict] ?? ["grey1", ""];
    const shape = node.shape.length ? node.shape.join(" × ") : node.readout ?? "";
    const pick = () => {
      drawn_.querySelectorAll("[aria-pressed=true]").forEach((found) => found.setAttribute("aria-pressed", "false"));
      group.setAttribute("aria-pressed", "true");
      drawn_.querySelectorAll(".edge").forEach((edge) => edge.setAttribute("stroke", JSON.parse(edge.dataset.ends).includes(node.name) ? "var(--accent)" : "var(--grey1)"));
      choose(node);
    };
    const group = s("g", { class: "node", tabindex: "0", role: "button", "aria-pressed": "false", transform: `translate(${at.x - BOX.width / 2},${at.y})`,
      "aria-label": `${node.title}, ${shape}${row?.verdict ? `, ${row.verdict}` : ""}`, onclick: pick,
      onkeydown: (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); pick(); } } },
    s("rect", { width: BOX.width, height: BOX.height, rx: node.kind === "population" ? 7 : 25, class: "box" }),
    row?.verdict ? s("rect", { x: 0, y: 7, width: 4, height: BOX.height - 14, rx: 2, fill: `var(--${paint})` }) : null,
    s("text", { x: 16, y: 22, "font-size": 14, "font-weight": 600 }, clipped(node.title, 24), s("title", {}, node.title)),
    s("text", { x: 16, y: 40, "font-size": 12, class: "faint" }, node.relays > 0 ? counted(node.relays, "relay population") : shape),
    row?.verdict ? s("text", { x: BOX.width - 12, y: 40, "font-size": 11, "font-weight": 600, "text-anchor": "end", class: paint }, `${sign} ${row.verdict}`) : null);
    return group;
  });
  const drawn_ = s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, class: "net" },
    s("defs", {}, s("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto-start-reverse" },
      s("path", { d: "M0,0 L8,4 L0,8 z", fill: "var(--grey1)" }))), edges, boxes);
  return drawn_;
}

function bound(row) {
  if (row.eps === null || row.eps === undefined) return "no bound";
  return row.eps_relative === null ? `${num(row.eps)} weights` : `${num(row.eps_relative)} of the threshold`;
}

function nodeSide(node, graph, known) {
  const row = known.get(node.name);
  const reads = graph.edges.filter((edge) => edge.to === node.name);
  const list = h("dl", { class: "facts" });
  const say = (title, text) => text && list.append(h("dt", {}, title), h("dd", {}, text));
  say("Shape", node.shape.join(" × "));
  if (row) {
    say("Neurons", whole(row.neurons));
    say("Cores", whole(row.cores));
    say("Lag", `${counted(row.lag, "step")} behind the input`);
    if (row.verdict) {
      say("Certificate", `${row.verdict}, over ${counted(row.steps, "step")}`);
      say("Error bound", bound(row));
      say("Ties", row.ties);
      say("Overflow", row.no_overflow ? "never" : row.first_overflow ?? "possible");
      say("Why", row.reason);
    }
  }
  const weights = reads.map((edge) => h("li", {}, h("b", {}, edge.from), ` ${[edge.layers.join(", "), edge.what.join("; ")].filter(Boolean).join(": ")}`));
  return [h("h3", {}, node.title), list, ...(weights.length ? [h("p", {}, "It reads:"), h("ul", {}, weights)] : [])];
}

function certificateTable() {
  const shownRows = D.populations.slice(0, 300);
  const columns = [["Population", false, null], ["Shape", false, ["populations[].shape"]], ["Neurons", true, ["populations[].neurons"]], ["Cores", true, ["populations[].cores"]],
    ["Lag", true, ["populations[].lag"]], ["Verdict", false, ["certificate[].verdict"]], ["Error bound", true, ["certificate[].eps_relative"]],
    ["Ties", false, ["certificate[].ties"]], ["Overflow", false, ["certificate[].no_overflow", "certificate[].first_overflow"]], ["Why", false, ["certificate[].reason"]]];
  const rows = shownRows.map((row) => [row.name, row.shape.join(" × "), whole(row.neurons), whole(row.cores), whole(row.lag),
    ...(row.verdict ? [row.verdict, bound(row), row.ties, row.no_overflow ? "never" : row.first_overflow ?? "possible", row.reason]
      : ["relay", "", "", "", "passes partial sums on, which are exact"])]);
  const left = D.populations.length - shownRows.length;
  return h("div", {}, table(counted(D.populations.length, "population"), columns, rows),
    left > 0 ? h("p", { class: "hint" }, `${whole(left)} more are in report.json (populations, certificate).`) : null);
}
