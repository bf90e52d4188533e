// The page, part by part, and what belongs to all of them: contents, theme, printing.

const SHORT = { use: "Utilisation", memory: "Memory", network: "Network", traffic: "Traffic", energy: "Energy", sample: "Sample", roundings: "Roundings" };

coresPart();
barsPart();
memoryPart();
networkPart();
trafficPart();
energyPart();
samplePart();
ratesPart();
roundingsPart();
notesPart();

document.getElementById("contents").append(
  ...[["verdicts", "Verdicts"], ...parts].map(([id, title]) => h("a", { href: `#${id}` }, SHORT[id] ?? title)));
helpOpens();

const root = document.documentElement;
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const themeButton = document.getElementById("theme");
const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);

function themed() {
  themeButton.textContent = isDark() ? "Light" : "Dark";
  redraw();
}

themeButton.addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  themed();
});
dark.addEventListener("change", themed);
themed();

let width = window.innerWidth;
window.addEventListener("resize", () => {
  if (window.innerWidth === width) return;
  width = window.innerWidth;
  redraw();
});

// On paper everything is on white, and what is folded away is open.
let before = null;
window.addEventListener("beforeprint", () => {
  before = [root.dataset.theme, [...document.querySelectorAll("details.more:not([open])")]];
  root.dataset.theme = "light";
  for (const folded of before[1]) folded.open = true;
  redraw();
});
window.addEventListener("afterprint", () => {
  if (!before) return;
  if (before[0]) root.dataset.theme = before[0];
  else delete root.dataset.theme;
  for (const folded of before[1]) folded.open = false;
  before = null;
  redraw();
});
document.getElementById("print").addEventListener("click", () => window.print());
