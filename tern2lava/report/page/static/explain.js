// What a figure means, one click away: the words of the report's model and the key in report.json.

function help(what, keys) {
  const terms = keys.flatMap((key) => [h("dt", {}, h("code", {}, key)), h("dd", {}, D.explain[key])]);
  return h("details", { class: "help" },
    h("summary", { "aria-label": `What the figures of ${what} mean` }, "?"),
    h("div", { class: "pop" }, h("p", {}, "From report.json:"), h("dl", {}, terms)));
}

// Beside its question mark, within the window.
function placeHelp(found) {
  const pop = found.querySelector(".pop");
  const from = found.querySelector("summary").getBoundingClientRect();
  pop.style.position = "fixed";
  pop.style.right = "auto";
  const box = pop.getBoundingClientRect();
  const below = from.bottom + 6 + box.height < window.innerHeight || from.top < box.height + 6;
  pop.style.left = `${Math.max(8, Math.min(from.right - box.width, window.innerWidth - box.width - 8))}px`;
  pop.style.top = `${below ? from.bottom + 6 : from.top - 6 - box.height}px`;
}

// Only one is open at a time; Escape and a click elsewhere close it.
function helpOpens() {
  const again = () => document.querySelectorAll(".help[open]").forEach(placeHelp);
  document.addEventListener("toggle", (event) => {
    if (!(event.target instanceof Element) || !event.target.matches(".help[open]")) return;
    closeHelp(event.target);
    placeHelp(event.target);
  }, true);
  document.addEventListener("scroll", again, true);
  window.addEventListener("resize", again);
  document.addEventListener("click", (event) => closeHelp(event.target.closest(".help")));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const open = document.querySelector(".help[open]");
    closeHelp(null);
    if (open) open.querySelector("summary").focus();
  });
}

function closeHelp(except) {
  for (const open of document.querySelectorAll(".help[open]")) if (open !== except) open.open = false;
}
