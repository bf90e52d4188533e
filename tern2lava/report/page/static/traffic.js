// The spikes that travel between cores in a step: sums, the most loaded links, and who sends how much.

function trafficPart() {
  const m = D.mapping;
  const facts = h("dl", { class: "facts wide" });
  const say = (title, text) => facts.append(h("dt", {}, title), h("dd", {}, text));
  say("Spikes times hops", `${num(m.spike_hops)} a step`);
  say("Leave a chip", `${num(m.spikes_off_chip)} spikes a step`);
  say("Most loaded link", `${num(m.link)} spikes a step${m.link ? ` (${m.link_at})` : ""}`);
  say("Most loaded router", `${num(m.router)} spikes a step`);
  say("Longest route", `${num(m.longest_route)} hops`);
  say("Busiest core", `${num(m.busiest_core)} ${m.unit} a step; ${num(m.mean_core)} on average`);
  say("Length of a step", `about ${num(m.step)} ${m.unit} (${m.times})`);
  const top = D.routes.links[0]?.[2] || 1;
  const links = D.routes.links.map(([place, direction, load]) => [`router ${place}, ${direction}`,
    bar(load / top, { label: `${num(load)} spikes a step` }), num(load)]);
  const most = Math.max(...D.routes.flows.map(([, spikes]) => spikes), 0) || 1;
  const flows = D.routes.flows.map(([population, spikes, count]) => [D.routes.names[population],
    bar(spikes / most, { label: `${num(spikes)} spikes a step` }), num(spikes), whole(count)]);
  const see = h("button", { type: "button", onclick: () => {
    const select = document.getElementById("way");
    select.value = "router";
    select.dispatchEvent(new Event("change"));
    document.getElementById("cores").scrollIntoView();
    document.getElementById("map").focus({ preventScroll: true });
  } }, "Show on the core map");
  const section = part("traffic", "Traffic and links", ["mapping.spike_hops", "mapping.spikes_off_chip", "mapping.link", "mapping.link_at", "mapping.router",
    "mapping.longest_route", "mapping.busiest_core", "mapping.mean_core", "mapping.step", "mapping.times", "mapping.measured", "mapping.rate"],
  m.measured ? "Rates were measured on the data that the network was mapped with; by population here, so that loads of single links may part a little from those of the mapping."
    : `Nothing was measured: every neuron is taken to spike ${num(m.rate)} times a step (tern2lava compile --data FILE measures it).`,
  facts, h("div", { class: "pair" },
    h("div", {}, links.length ? table("The most loaded links of the mesh", [["Link", false, null], ["", false, null], ["Spikes a step", true, ["mapping.link", "mapping.link_at"]]], links)
      : h("p", { class: "hint" }, "No spike passes a link: everything lies on one core, or beside the host.")),
    h("div", {}, table(`Sent by each population, over ${counted(D.routes.count, "route")}`, [["Population", false, null], ["", false, null], ["Spikes a step", true, null], ["Routes", true, null]], flows.slice(0, 60)),
      flows.length > 60 ? h("p", { class: "hint" }, `${whole(flows.length - 60)} more populations are left out.`) : null)));
  section.querySelector(".head").append(h("span", { class: "spring" }), h("span", { class: "controls" }, see));
}
