// Between two looks at the database the board's time goes on: the line of now, the clocks of the visits. The date
// picker goes at once, the tabs of a phone say which part is shown.

const board = document.getElementById("board");
let ahead = 1000 * board.dataset.now - Date.now(); // the clinic's clock is ahead of the machine's

const TEXT = {
  hm: (minutes) => `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}`,
  min: (minutes) => String(minutes),
  of: (minutes, element) => `${minutes}/${element.dataset.of}`,
};

function tick() {
  const now = Date.now() + ahead;
  for (const element of board.querySelectorAll("[data-clock]")) {
    const minutes = Math.max(0, Math.floor((now / 1000 - element.dataset.since) / 60));
    const text = TEXT[element.dataset.clock](minutes, element);
    if (element.dataset.clock === "min" && minutes > 59) continue; // from then on it is written with hours
    if (element.textContent !== text) element.textContent = text;
  }
  const { from, to } = board.dataset;
  const down = `${((100 * (now / 1000 - from)) / (to - from)).toFixed(3)}%`;
  const flat = board.querySelector(".now-line .flat");
  if (!flat) return;
  const tall = board.querySelector(".now-line .tall");
  for (const name of ["y1", "y2"]) flat.setAttribute(name, down);
  for (const name of ["x1", "x2"]) tall.setAttribute(name, down);
  const label = board.querySelector("[data-line]");
  label.setAttribute("y", down);
  label.querySelector("text").textContent = new Date(now + 1000 * board.dataset.liveAhead).toISOString().slice(11, 16);
}

board.addEventListener("live:changed", () => {
  ahead = 1000 * board.dataset.now - Date.now();
  tick();
  mark();
});
setInterval(tick, 10000);

board.addEventListener("change", (event) => {
  const form = event.target.closest("[data-goes-at-once]");
  if (form?.checkValidity()) form.requestSubmit();
});
board.addEventListener("click", (event) => {
  if (event.target.closest("[data-print]")) window.print();
  const picker = event.target.closest("[data-goes-at-once] input");
  picker?.showPicker?.();
});

function mark() {
  for (const tab of board.querySelectorAll(".tabs a")) {
    const chosen = tab.hash === (["#next", "#load"].includes(location.hash) ? location.hash : "#chairs");
    if (chosen) tab.setAttribute("aria-current", "true");
    else tab.removeAttribute("aria-current");
  }
}
window.addEventListener("hashchange", mark);
mark();

// On paper nothing can be opened.
let folded = [];
window.addEventListener("beforeprint", () => {
  folded = [...board.querySelectorAll(".more:not([open])")];
  for (const more of folded) more.open = true;
});
window.addEventListener("afterprint", () => {
  for (const more of folded) more.open = false;
});
