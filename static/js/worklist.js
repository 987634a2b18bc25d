// Arrows walk the lines, "a" does what the line asks, Enter opens the patient whose link has the focus.

function lines() {
  return [...document.querySelectorAll("table.worklist tbody tr")];
}

// The line with the focus, otherwise the first: its act is what "a" presses.
function mark() {
  const all = lines();
  const current = all.find((line) => line.contains(document.activeElement)) ?? all[0];
  for (const line of all) {
    const act = line.querySelector("[data-act]");
    if (line === current) act.dataset.key = "a";
    else delete act.dataset.key;
  }
}

document.addEventListener("click", (event) => {
  const step = event.target.closest("[data-step]");
  if (!step) return;
  const all = lines();
  const place = all.findIndex((line) => line.contains(document.activeElement));
  const next = place < 0 ? 0 : Math.min(Math.max(place + Number(step.dataset.step), 0), all.length - 1);
  all[next]?.querySelector("[data-open]").focus();
});
document.addEventListener("focusin", mark);
document.addEventListener("live:changed", mark);
mark();
