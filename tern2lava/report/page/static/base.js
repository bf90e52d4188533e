// What every part of the page uses: elements without markup, numbers as they are shown, colours of the theme.

const D = JSON.parse(document.getElementById("data").textContent);
// The namespace of SVG, of an element that is there: the page names no address.
const SVG = document.getElementById("svg").namespaceURI;

// An element with properties and children; text is text, never markup.
function h(tag, props = {}, ...children) {
  return fill(document.createElement(tag), props, children);
}

function s(tag, props = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

function fill(element, props, children) {
  for (const [key, value] of Object.entries(props)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

const whole = (n) => Math.round(n).toLocaleString("en-US");

// A number as people read it: whole ones whole, others with about three digits.
function num(n) {
  if (n === null || n === undefined) return "–";
  if (Number.isInteger(n)) return whole(n);
  const size = Math.abs(n);
  if (size >= 1000) return whole(n);
  if (size >= 0.001) return String(Number(n.toPrecision(3)));
  return n === 0 ? "0" : n.toExponential(1);
}

const counted = (n, noun) => `${whole(n)} ${noun}${n === 1 ? "" : "s"}`;

function percent(share) {
  if (share === null || share === undefined) return "–";
  const value = 100 * share;
  return value === 0 ? "0 %" : value < 0.1 ? `${num(value)} %` : `${value.toFixed(value < 10 ? 1 : 0)} %`;
}

function bytes(bits) {
  if (bits === null || bits === undefined) return "–";
  let size = bits / 8;
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    if (size < 1024 || unit === "GiB") return unit === "B" ? `${whole(size)}\u00a0B` : `${size.toFixed(1)}\u00a0${unit}`;
    size /= 1024;
  }
}

// The theme's colours as the browser resolves them, for canvases.
const probe = document.createElement("span");
probe.hidden = true;
document.body.append(probe);
function colour(name) {
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
}

function channels(text) {
  const found = text.match(/[\d.]+/g).map(Number);
  return text.includes("srgb") ? found.map((part) => 255 * part) : found;
}

// A function from 0..1 to a colour of the ramp, which grows darker on white and lighter on black.
function ramp() {
  const stops = [0, 1, 2, 3, 4].map((at) => channels(colour(`ramp${at}`)));
  return (share) => {
    const at = Math.max(0, Math.min(1, share)) * 4;
    const low = Math.min(3, Math.floor(at));
    const mixed = [0, 1, 2].map((c) => Math.round(stops[low][c] + (at - low) * (stops[low + 1][c] - stops[low][c])));
    return `rgb(${mixed.join(",")})`;
  };
}

// A canvas of width x height CSS pixels, sharp on every screen.
function sized(canvas, width, height) {
  const scale = Math.min(3, window.devicePixelRatio || 1);
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

const drawings = [];
// Draws now, and again whenever the theme or the width changes.
function drawn(draw) {
  drawings.push(draw);
  draw();
}

function redraw() {
  for (const draw of drawings) draw();
}

const tip = document.getElementById("tip");
function showTip(event, text) {
  tip.hidden = !text;
  if (!text) return;
  tip.textContent = text;
  const right = event.clientX + 14 + tip.offsetWidth > window.innerWidth;
  tip.style.left = `${Math.max(4, right ? event.clientX - tip.offsetWidth - 10 : event.clientX + 14)}px`;
  tip.style.top = `${Math.min(event.clientY + 14, window.innerHeight - tip.offsetHeight - 4)}px`;
}

// columns: [title, number or not, keys of report.json]; rows: lists of texts or elements, the first names its row.
function table(caption, columns, rows, total = null) {
  const head = columns.map(([title, number, keys]) =>
    h("th", { scope: "col", class: number ? "num" : null }, title, keys ? help(title || caption, keys) : null));
  const line = (cells, kind = null) => h("tr", { class: kind }, cells.map((cell, at) => at === 0
    ? h("th", { scope: "row" }, cell) : h("td", { class: columns[at][1] ? "num" : null }, cell)));
  return h("div", { class: "scroll", tabindex: rows.length > 12 ? "0" : null, role: rows.length > 12 ? "region" : null,
    "aria-label": rows.length > 12 ? caption : null }, h("table", {},
    h("caption", {}, caption), h("thead", {}, h("tr", {}, head)),
    h("tbody", {}, rows.map((cells) => line(cells)), total ? line(total, "total") : null)));
}

const more = (title, ...inside) => h("details", { class: "more" }, h("summary", {}, title), ...inside);

const parts = [];
// A part of the page, with its heading, what its figures mean, and its place among the contents.
function part(id, title, keys, lead, ...inside) {
  const heading = `${id}-title`;
  const section = h("section", { id, class: "card", "aria-labelledby": heading },
    h("div", { class: "head" }, h("h2", { id: heading }, title), help(title, keys)),
    lead ? h("p", { class: "lead" }, lead) : null, ...inside);
  parts.push([id, title]);
  document.getElementById("parts").append(section);
  return section;
}
