// Arrows walk the lines and the panel follows, Enter goes into it; "a", "g" and "s" act on the line that it shows.

function lines() {
  return [...document.querySelectorAll("table.worklist tbody tr")];
}

function picks() {
  return [...document.querySelectorAll("table.worklist [data-open]")];
}

// The line of the panel is the chosen one.
function mark() {
  const shown = document.getElementById("chosen")?.dataset.line;
  for (const line of lines()) {
    const pick = line.querySelector("[data-open]");
    if (line.id === shown) pick.setAttribute("aria-current", "true");
    else pick.removeAttribute("aria-current");
  }
}

document.addEventListener("click", (event) => {
  const step = event.target.closest("[data-step]");
  if (!step) return;
  const all = picks();
  const from = all.findIndex((pick) => pick === document.activeElement);
  const at = from < 0 ? all.findIndex((pick) => pick.ariaCurrent === "true") : from;
  const next = all[Math.min(Math.max(at + Number(step.dataset.step), 0), all.length - 1)];
  if (!next) return;
  next.focus();
  next.scrollIntoView({ block: "nearest" });
  if (next.ariaCurrent === "true" || !window.htmx) return;
  document.getElementById("chosen").inert = true; // until the other is there, no key may act on this one
  window.htmx.trigger(next, "choose");
});

let opened = false; // by a click or Enter: the focus goes where the line is told
document.addEventListener("htmx:beforeRequest", ({ detail }) => {
  if (detail.target.id === "chosen") opened = detail.requestConfig.triggeringEvent?.type === "click";
});
document.addEventListener("htmx:afterSwap", ({ detail }) => {
  if (detail.target.id !== "chosen") return;
  mark();
  document.querySelector(".work")?.classList.add("asked");
  if (opened) document.querySelector("#chosen header")?.focus();
});
for (const failed of ["htmx:sendError", "htmx:responseError"]) {
  document.addEventListener(failed, () => document.getElementById("chosen")?.removeAttribute("inert"));
}

// Whoever works on a line keeps it beside the list, whatever comes before it meanwhile.
document.addEventListener("focusin", ({ target }) => {
  const line = target.closest("#chosen")?.dataset.pin;
  const here = new URL(location.href);
  if (!line || here.searchParams.get("line") === line) return;
  here.searchParams.set("line", line);
  history.replaceState(history.state, "", here);
});

// Item 9 is told at once to those who do not see it.
let known = new Set(alarms().map((line) => line.id));
function alarms() {
  return [...document.querySelectorAll("[data-alarm]")];
}
document.addEventListener("live:changed", () => {
  mark();
  const fresh = alarms().filter((line) => !known.has(line.id));
  if (fresh.length) document.getElementById("alarm").textContent = fresh.map((line) => line.dataset.alarm).join(". ");
  known = new Set(alarms().map((line) => line.id));
});

// What a press of its key opens is filled in at once.
document.addEventListener("toggle", ({ target }) => {
  if (target.open && target.closest("#chosen")) target.querySelector("form :is(textarea, select, button)").focus();
}, true);
