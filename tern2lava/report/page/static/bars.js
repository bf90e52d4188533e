// How full the cores are, by resource; the one that is fullest on most cores limits their number.

// A bar from 0 to a share, with ticks at others; words for those who do not see it.
function bar(share, { name = "integer", ticks = [], label = "" } = {}) {
  return s("svg", { class: "cellbar", viewBox: "0 0 100 12", preserveAspectRatio: "none", role: "img", "aria-label": label },
    s("rect", { width: 100, height: 12, fill: "var(--empty)" }),
    s("rect", { width: Math.max(share > 0 ? 0.4 : 0, 100 * Math.min(1, share)), height: 12, fill: `var(--${name})` }),
    ticks.map((tick) => s("rect", { x: Math.min(99.4, Math.max(0, 100 * tick - 0.3)), width: 0.6, height: 12, fill: "var(--ink)" })));
}

function barsPart() {
  const total = cores.id.length || 1;
  const limited = RESOURCES.map(() => 0);
  const sums = RESOURCES.map(() => 0);
  const most = RESOURCES.map(() => 0);
  cores.id.forEach((_, at) => {
    limited[fullestOf(at)] += 1;
    RESOURCES.forEach((__, resource) => {
      sums[resource] += shareOf(at, resource);
      most[resource] = Math.max(most[resource], shareOf(at, resource));
    });
  });
  const limiting = limited.indexOf(Math.max(...limited));
  const rows = RESOURCES.map(([, title], resource) => {
    const mean = sums[resource] / total;
    const marked = resource === limiting && cores.id.length > 0;
    return [h("span", {}, title, marked ? [" ", h("span", { class: "badge limit" }, "limiting")] : null),
      bar(mean, { name: marked ? "float" : "integer", ticks: [most[resource]], label: `${title}: ${percent(mean)} on average, ${percent(most[resource])} on the fullest core` }),
      percent(mean), percent(most[resource]), whole(D.cores.max[resource]), whole(limited[resource])];
  });
  const bounds = D.bounds.map(([name, least]) => `${name.replaceAll("_", " ")} ${whole(least)}`).join(", ");
  part("use", "How full the cores are", ["cores[].neurons", "cores[].synapse_bits", "cores[].in_axons", "cores[].out_axons", "cores_lower_bound", "bounds[].cores", "over_bound"],
    "Bars: a core on average; the line in each: the fullest core. The limiting resource is the one that is nearest to its maximum on most cores: more of it would save cores.",
    table("Of what a core has, over the cores used", [["Resource", false, null], ["", false, null], ["Average", true, null],
      ["Fullest", true, null], ["A core has", true, null], ["Limits cores", true, null]], rows),
    h("p", {}, `No mapping can use fewer cores than ${whole(Math.max(0, ...D.bounds.map(([, least]) => least)))} (${bounds}); ${whole(cores.id.length)} are used.`));
}
