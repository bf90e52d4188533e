// The core map: a heat map by any resource; a core that is chosen shows its populations and routes.

const WAYS = [["fullest", "Fullest resource"], ["synapse_bits", "Synapse memory"], ["neurons", "Neurons"],
  ["in_axons", "Input axons"], ["out_axons", "Output axons"], ["router", "Spikes through the router"],
  ["population", "Population, first to last"]];
const map = { way: "fullest", chosen: -1, chip: null, shown: null };
const mostRouted = D.cores.router.reduce((most, found) => Math.max(most, found), 0);

// How far up the ramp a core is, 0 to 1.
function heat(at) {
  if (map.way === "router") return mostRouted ? D.cores.router[at] / mostRouted : 0;
  if (map.way === "population") return D.populations.length > 1 ? kindOf(at)[0][0] / (D.populations.length - 1) : 1;
  const resource = map.way === "fullest" ? fullestOf(at) : RESOURCES.findIndex(([key]) => key === map.way);
  return shareOf(at, resource);
}

function coreTitle(at) {
  const place = cores.place[at];
  return `Core ${whole(cores.id[at])}: chip ${place.chip}, row ${place.row}, column ${place.col}`;
}

function coreText(at) {
  const shares = RESOURCES.map(([, title], resource) => `${title.toLowerCase()} ${percent(shareOf(at, resource))}`);
  return `${coreTitle(at)}\n${populationsOf(kindOf(at)).join(", ")}\n${shares.join(", ")}`;
}

function coresPart() {
  const canvas = h("canvas", { id: "map", tabindex: "0", role: "application", "aria-roledescription": "core map",
    "aria-label": `Core map of ${D.target}, ${counted(cores.id.length, "core")}`, "aria-describedby": "map-keys" });
  const side = h("div", { class: "side", id: "core" });
  const said = h("div", { class: "visually-hidden", "aria-live": "polite", id: "core-said" });
  const select = h("select", { id: "way", "aria-label": "Colour cores by", onchange: (event) => { map.way = event.target.value; paint(); } },
    WAYS.map(([key, title]) => h("option", { value: key }, title)));
  const whole_ = h("button", { type: "button", id: "all-chips", hidden: true, onclick: () => zoom(null) }, "All chips");
  const legend = h("div", { class: "legend", id: "map-legend" });
  const box = h("div", { class: "map" }, canvas);
  const section = part("cores", "Core map", ["cores[].neurons", "cores[].synapse_bits", "cores[].in_axons", "cores[].out_axons",
    "cores[].id", "cores[].chip", "cores[].row", "cores[].col", "cores[].populations", "mapping.router"],
  `Each square is a core of the target's mesh, darker where it is fuller (lighter on black). ${usedChips.length > 1
    ? `${counted(usedChips.length, "chip")} hold cores; a click on one with small squares shows it alone. ` : ""}Choose a core to see what it holds and where its spikes go.`,
  h("div", { class: "head controls" }, h("label", {}, "Colour by ", select), whole_),
  h("div", { class: "split" }, h("div", {}, box, legend,
    h("p", { class: "visually-hidden", id: "map-keys" }, "Arrow keys go from core to core, Enter shows its chip alone, Escape shows all chips, Home and End go to the first and last core. The table below says the same.")),
  h("div", {}, side, said)),
  more("The cores as a table", coreTable()));

  function paint() {
    map.shown = layout(Math.max(200, box.clientWidth || 700), map.chip);
    const shown = map.shown;
    const context = sized(canvas, shown.width, shown.height);
    const line = shown.cell > 6 ? 1 : shown.cell > 3 ? 0.5 : 0;
    context.fillStyle = colour("empty");
    for (const corner of shown.corner.values()) context.fillRect(corner.x, corner.y, chipWidth * shown.cell, chipHeight * shown.cell);
    if (shown.cell > 6) emptyCells(context, shown);
    const paintOf = ramp();
    const near = nearTo(map.chosen);
    cores.place.forEach((place, at) => {
      const corner = shown.corner.get(place.chip);
      if (!corner) return;
      context.fillStyle = paintOf(heat(at));
      context.globalAlpha = near && !near.has(at) ? 0.35 : 1;
      context.fillRect(corner.x + place.x * shown.cell, corner.y + place.y * shown.cell, shown.cell - line, shown.cell - line);
    });
    context.globalAlpha = 1;
    if (map.chosen >= 0) wires(context, shown);
    legend.replaceChildren(...legendOf(paintOf));
    whole_.hidden = map.chip === null;
  }

  function choose(at, aloud = true) {
    map.chosen = at;
    paint();
    const there = at < 0 ? null : middle(map.shown, at);
    canvas.dataset.chosen = there ? `${Math.round(there.x)},${Math.round(there.y)}` : "";
    side.replaceChildren(...coreSide(at));
    if (aloud) said.textContent = at < 0 ? "No core is chosen" : coreText(at);
  }

  function zoom(chip) {
    map.chip = chip;
    if (chip !== null && (map.chosen < 0 || cores.place[map.chosen].chip !== chip)) map.chosen = cores.place.findIndex((place) => place.chip === chip);
    choose(map.chosen);
  }

  const point = (event) => {
    const edge = canvas.getBoundingClientRect();
    return coreAt(map.shown, event.clientX - edge.left, event.clientY - edge.top);
  };
  canvas.addEventListener("pointermove", (event) => {
    const { core, chip } = point(event);
    showTip(event, core >= 0 ? coreText(core) : chip === null ? "" : `Chip ${chip}: not used here`);
  });
  canvas.addEventListener("pointerleave", (event) => showTip(event, ""));
  canvas.addEventListener("click", (event) => {
    const { core, chip } = point(event);
    if (chip !== null && map.chip === null && usedChips.length > 1 && map.shown.cell < 9) return zoom(chip);
    choose(core);
  });
  canvas.addEventListener("keydown", (event) => {
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const shownCores = cores.place.map((place, at) => [place, at]).filter(([place]) => map.shown.corner.has(place.chip));
    const ends = { Home: shownCores[0], End: shownCores[shownCores.length - 1] };
    if (event.key in ways) choose(map.chosen < 0 ? shownCores[0][1] : nextCore(map.shown, map.chosen, ...ways[event.key]));
    else if (event.key in ends) choose(ends[event.key][1]);
    else if (event.key === "Enter" && map.chosen >= 0 && usedChips.length > 1) zoom(cores.place[map.chosen].chip);
    else if (event.key === "Escape" && map.chip !== null) zoom(null);
    else if (event.key === "Escape" && map.chosen >= 0) choose(-1);
    else return;
    event.preventDefault();
  });
  side.replaceChildren(...coreSide(-1));
  drawn(paint);
  return section;
}

// The chosen core and those that it sends to or receives from: the others step back. None where none is chosen.
function nearTo(at) {
  if (at < 0 || !routes) return null;
  return new Set([at, ...[...routes.out[at], ...routes.into[at]].flatMap(([, found]) => found)]);
}

// Outlines of the cores that a chip has and the network does not use.
function emptyCells(context, shown) {
  context.strokeStyle = colour("line");
  context.lineWidth = 1;
  for (const [, corner] of shown.corner) {
    for (let number = 0; number < mesh.per_chip; number += 1) {
      const router = Math.floor(number / mesh.slots);
      const x = (router % mesh.cols) * slotCols + ((number % mesh.slots) % slotCols);
      const y = Math.floor(router / mesh.cols) * slotRows + Math.floor((number % mesh.slots) / slotCols);
      context.strokeRect(corner.x + x * shown.cell + 0.5, corner.y + y * shown.cell + 0.5, shown.cell - 2, shown.cell - 2);
    }
  }
}

// The chosen core, the cores that it sends to and those that send to it.
function wires(context, shown) {
  const here = middle(shown, map.chosen);
  const ring = (at, name, wide) => {
    const there = middle(shown, at);
    if (!there) return;
    context.strokeStyle = colour(name);
    context.lineWidth = wide;
    context.strokeRect(there.x - shown.cell / 2 + wide / 2, there.y - shown.cell / 2 + wide / 2, Math.max(2, shown.cell - wide), Math.max(2, shown.cell - wide));
  };
  if (routes && here) {
    for (const [side, name, bend] of [[routes.into[map.chosen], "float", -0.12], [routes.out[map.chosen], "integer", 0.12]]) {
      const ends = [...new Set(side.flatMap(([, found]) => found))].filter((at) => at >= 0 && at !== map.chosen);
      ends.forEach((at) => ring(at, name, Math.max(1, Math.min(3, shown.cell / 8))));
      if (ends.length > 200) continue;
      for (const [paint, wide, alpha] of [[colour("surface"), 4, 0.55], [colour(name), 1.5, ends.length > 40 ? 0.5 : 1]]) {
        [context.strokeStyle, context.lineWidth, context.globalAlpha] = [paint, wide, alpha];
        for (const there of ends.map((at) => middle(shown, at)).filter(Boolean)) {
          context.beginPath();
          context.moveTo(here.x, here.y);
          context.quadraticCurveTo((here.x + there.x) / 2 + bend * (there.y - here.y), (here.y + there.y) / 2 - bend * (there.x - here.x), there.x, there.y);
          context.stroke();
        }
      }
      context.globalAlpha = 1;
    }
  }
  ring(map.chosen, "ink", Math.max(2, Math.min(4, shown.cell / 6)));
}

function legendOf(paintOf) {
  const ends = map.way === "router" ? ["0", `${num(mostRouted)} spikes a step`]
    : map.way === "population" ? [D.populations[0]?.name ?? "first", D.populations[D.populations.length - 1]?.name ?? "last"] : ["empty", "full"];
  const scale = s("svg", { width: 150, height: 12, "aria-hidden": "true" },
    Array.from({ length: 30 }, (_, at) => s("rect", { x: at * 5, width: 5.5, height: 12, fill: paintOf(at / 29) })));
  const key = (name, text) => h("span", { class: "key" }, s("svg", { width: 14, height: 14, "aria-hidden": "true" },
    s("rect", { x: 1.5, y: 1.5, width: 11, height: 11, fill: "none", stroke: colour(name), "stroke-width": 2.5 })), text);
  return [h("span", { class: "key" }, ends[0], scale, ends[1]),
    ...(map.chosen >= 0 && routes ? [key("ink", "chosen"), key("integer", "receives its spikes"), key("float", "sends to it")] : [])];
}

// What is said of the chosen core beside the map.
function coreSide(at) {
  if (at < 0) return [h("h3", {}, "No core chosen"), h("p", { class: "hint" }, "Click a square, or go to the map with the Tab key and walk with the arrow keys.")];
  const kind = kindOf(at);
  const rows = RESOURCES.map(([key, title], resource) => [title, key === "synapse_bits" ? bytes(usedOf(at, resource)) : whole(usedOf(at, resource)), percent(shareOf(at, resource))]);
  return [h("h3", {}, coreTitle(at)), h("p", {}, "Populations:"), h("ul", {}, populationsOf(kind).map((name) => h("li", {}, name))),
    table("What it uses", [["", false, null], ["Used", true, null], ["Of a core", true, null]], rows),
    h("p", {}, `Image ${bytes(kind[8])}, neuron states ${bytes(kind[7])}. ${num(D.cores.router[at])} spikes a step pass its router.`),
    ...routeLists(at)];
}

function routeLists(at) {
  if (!routes) return [h("p", { class: "hint" }, `There are ${whole(D.routes.count)} routes, too many for those of each core to be on this page; they are in the core images.`)];
  const list = (title, rows) => rows.length ? [h("p", {}, title), h("ul", {}, rows.map(([population, found]) => h("li", {},
    `${D.routes.names[population]}, ${found[0] === -1 ? "from the host" : counted(found.length, "core")}`)))] : [];
  const to = list("Its spikes go to:", routes.out[at]);
  const from = list("It receives spikes of:", routes.into[at]);
  return [...(to.length ? to : [h("p", {}, "Its spikes go to no core: the host reads them.")]), ...from];
}

// Like cores in one row, at most 300 rows.
function coreTable() {
  const number = new Map();
  cores.kind.forEach((kind) => number.set(kind, (number.get(kind) || 0) + 1));
  const kinds = [...number].slice(0, 300);
  const of = (kind, resource) => `${resource === 1 ? bytes(D.cores.kinds[kind][2]) : whole(D.cores.kinds[kind][1 + resource])} (${percent(D.cores.max[resource] ? D.cores.kinds[kind][1 + resource] / D.cores.max[resource] : 0)})`;
  const columns = [["Populations", false, ["cores[].populations"]], ...RESOURCES.map(([key, title]) => [title, true, [`cores[].${key}`]]), ["Image", true, ["cores[].image_bits"]], ["Like cores", true, null]];
  const rows = kinds.map(([kind, found]) => [populationsOf(D.cores.kinds[kind]).join(" + "),
    ...RESOURCES.map((_, resource) => of(kind, resource)), bytes(D.cores.kinds[kind][8]), whole(found)]);
  return h("div", {}, table(`${counted(cores.id.length, "core")} in ${counted(number.size, "kind")}`, columns, rows),
    number.size > kinds.length ? h("p", { class: "hint" }, `${whole(number.size - kinds.length)} more kinds are in report.json (cores).`) : null);
}
