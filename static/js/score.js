// A questionnaire by keyboard: a digit answers the item and goes on to the next one; the total adds up as it is filled.
// Comes before keys.js, so that a digit on this page is an answer.

const form = document.querySelector("[data-score]");
const asks = [...form.querySelectorAll("[role=radiogroup]")];
const total = form.querySelector("[data-total]");
const band = form.querySelector("[data-band]");
const bands = [...form.querySelectorAll("[data-bands] li")];
const open = band.textContent;
const number = form.querySelector("input[type=number]");

function answered(ask) {
  return ask.querySelector(":checked");
}

function add() {
  const values = asks.length ? asks.map((ask) => answered(ask)?.value) : [number.value || undefined];
  const known = values.filter((value) => value !== undefined).map(Number);
  const sum = known.reduce((all, value) => all + value, 0);
  const name = bands.filter((one) => Number(one.dataset.lowest) <= sum).at(-1)?.textContent;
  total.textContent = known.length ? sum : "–";
  band.textContent = known.length === values.length ? name : open;
}

document.addEventListener("keydown", (event) => {
  if (!asks.length || !/^[0-3]$/.test(event.key) || event.ctrlKey || event.altKey || event.metaKey) return;
  if (document.querySelector("dialog[open]") || event.target.closest("input:not([type=radio]), textarea, select")) return;
  const here = event.target.closest("[role=radiogroup]");
  if (!here && document.documentElement.dataset.keys === "off") return;
  const ask = here ?? asks.find((one) => !answered(one));
  if (!ask) return;
  event.preventDefault();
  ask.querySelector(`[value="${event.key}"]`).checked = true;
  add();
  const next = asks[asks.indexOf(ask) + 1];
  (next ? answered(next) ?? next.querySelector("input") : form.querySelector(".primary")).focus();
});

form.addEventListener("input", add);
add();
