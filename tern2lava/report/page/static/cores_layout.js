// Where cores lie on the target, and where that is on the canvas: chips side by side as in the array, unused rows and
// columns of chips left out.

const mesh = D.cores.mesh;
const RESOURCES = [["neurons", "Neurons"], ["synapse_bits", "Synapse memory"], ["in_axons", "Input axons"], ["out_axons", "Output axons"]];

// Sums of steps: the numbers that were written as steps.
function summed(steps) {
  let at = 0;
  return steps.map((step) => (at += step));
}

const slotCols = Math.ceil(Math.sqrt(mesh.slots));
const slotRows = Math.ceil(mesh.slots / slotCols);
const chipWidth = mesh.cols * slotCols;
const chipHeight = mesh.rows * slotRows;

// One object for all cores, columns of numbers; x and y count cells on the core's chip.
const cores = (() => {
  const id = summed(D.cores.id);
  const place = id.map((number) => {
    const chip = Math.floor(number / mesh.per_chip);
    const router = Math.floor((number % mesh.per_chip) / mesh.slots);
    const slot = (number % mesh.per_chip) % mesh.slots;
    const row = Math.floor(router / mesh.cols);
    const col = router % mesh.cols;
    return { chip, row, col, x: col * slotCols + (slot % slotCols), y: row * slotRows + Math.floor(slot / slotCols) };
  });
  return { id, place, kind: D.cores.kind, at: new Map(id.map((number, at) => [number, at])) };
})();

const usedChips = [...new Set(cores.place.map((place) => place.chip))].sort((a, b) => a - b);
const kindOf = (at) => D.cores.kinds[cores.kind[at]];

// The populations on a core, those that have several parts there once, with their number.
function populationsOf(kind) {
  const number = new Map();
  for (const index of kind[0]) number.set(index, (number.get(index) || 0) + 1);
  return [...number].map(([index, found]) => D.populations[index].name + (found > 1 ? ` (${found} parts)` : ""));
}
const usedOf = (at, resource) => kindOf(at)[1 + resource];
const shareOf = (at, resource) => (D.cores.max[resource] ? usedOf(at, resource) / D.cores.max[resource] : 0);

function fullestOf(at) {
  const shares = RESOURCES.map((_, resource) => shareOf(at, resource));
  return shares.indexOf(Math.max(...shares));
}

// The layout of all used chips, or of one, in a width: cell in pixels, the chips' corners, the canvas's size.
function layout(width, only) {
  const chips = only === null ? usedChips : [only];
  const rowOf = (chip) => Math.floor(chip / mesh.chip_cols);
  const colOf = (chip) => chip % mesh.chip_cols;
  const across = [...new Set(chips.map(colOf))].sort((a, b) => a - b);
  const down = [...new Set(chips.map(rowOf))].sort((a, b) => a - b);
  const gap = across.length > 24 ? 1 : across.length > 1 ? 6 : 0;
  const cell = Math.min(46, (width - gap * (across.length - 1)) / (across.length * chipWidth));
  const corner = new Map(chips.map((chip) => [chip, {
    x: across.indexOf(colOf(chip)) * (chipWidth * cell + gap), y: down.indexOf(rowOf(chip)) * (chipHeight * cell + gap) }]));
  return { chips, cell, corner, gap, width: across.length * (chipWidth * cell + gap) - gap,
    height: down.length * (chipHeight * cell + gap) - gap };
}

// The middle of a core's cell; null where its chip is not shown.
function middle(shown, at) {
  const place = cores.place[at];
  const corner = shown.corner.get(place.chip);
  return corner ? { x: corner.x + (place.x + 0.5) * shown.cell, y: corner.y + (place.y + 0.5) * shown.cell } : null;
}

// The core at a point: its position, or -1; chip: the chip there, if any.
function coreAt(shown, x, y) {
  for (const [chip, corner] of shown.corner) {
    const col = Math.floor((x - corner.x) / shown.cell);
    const row = Math.floor((y - corner.y) / shown.cell);
    if (col < 0 || row < 0 || col >= chipWidth || row >= chipHeight) continue;
    const router = Math.floor(row / slotRows) * mesh.cols + Math.floor(col / slotCols);
    const slot = (row % slotRows) * slotCols + (col % slotCols);
    const number = chip * mesh.per_chip + router * mesh.slots + slot;
    const found = slot < mesh.slots && router * mesh.slots + slot < mesh.per_chip ? cores.at.get(number) : undefined;
    return { chip, core: found === undefined ? -1 : found };
  }
  return { chip: null, core: -1 };
}

// The next core from one in a direction (dx, dy), nearest along it first; the same where there is none.
function nextCore(shown, from, dx, dy) {
  const here = middle(shown, from);
  let best = from;
  let least = Infinity;
  cores.place.forEach((_, at) => {
    const there = middle(shown, at);
    if (!there || at === from) return;
    const along = (there.x - here.x) * dx + (there.y - here.y) * dy;
    const beside = Math.abs((there.x - here.x) * dy) + Math.abs((there.y - here.y) * dx);
    if (along > 0.5 * shown.cell && along + 4 * beside < least) [best, least] = [at, along + 4 * beside];
  });
  return best;
}

// Who a core sends to and receives from, by population: [[population, [cores]]]; null where the page has no routes.
const routes = (() => {
  if (!D.routes.cores) return null;
  const out = D.routes.cores.map((rows) => rows.map(([population, ...steps]) => [population, summed(steps)]));
  const into = D.cores.kind.map(() => new Map());
  out.forEach((rows, source) => rows.forEach(([population, targets]) => targets.forEach((target) => {
    if (!into[target].has(population)) into[target].set(population, []);
    into[target].get(population).push(source === out.length - 1 ? -1 : source);
  })));
  return { out, into: into.map((found) => [...found]) };
})();
