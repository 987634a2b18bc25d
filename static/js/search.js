// The search of the top bar: who is found stands below it while somebody types. Arrows walk the list, Escape closes it.
// Without this the form leads to the page of patients.

const search = document.querySelector("form.search");
const field = search.querySelector("#search");
const found = search.querySelector("#found");

// The links of each patient, and the buttons below them, row by row.
function rows() {
  return [...found.querySelectorAll("li, .foot")].map((row) => [...row.querySelectorAll("a, button")]).filter((row) => row.length);
}

function show(shown) {
  found.hidden = !shown || !found.childElementCount;
}

// What says too little is not asked for, and what was found before it goes.
function says() {
  return (field.value.match(/[\p{L}\p{N}]/gu) ?? []).length >= Number(field.dataset.fewest);
}

// What says too little: the line that asks for more; nothing for an empty field.
function askForMore() {
  found.replaceChildren(...(field.value.trim() ? [search.querySelector("#found-little").content.cloneNode(true)] : []));
}

field.addEventListener("htmx:configRequest", (event) => {
  if (!says()) event.preventDefault();
});
field.addEventListener("input", () => {
  if (says()) return;
  askForMore();
  show(true);
});
found.addEventListener("htmx:afterSwap", () => {
  if (!says()) askForMore();
  show(search.contains(document.activeElement));
});

field.addEventListener("focus", () => show(true));
search.addEventListener("focusout", (event) => {
  if (event.relatedTarget && !search.contains(event.relatedTarget)) show(false);
});
document.addEventListener("pointerdown", (event) => {
  if (!search.contains(event.target)) show(false);
});

search.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || found.hidden) return;
  const list = rows();
  const row = list.findIndex((links) => links.includes(document.activeElement));
  const place = row < 0 ? 0 : list[row].indexOf(document.activeElement);
  let to;
  if (event.key === "ArrowDown") to = list[Math.min(row + 1, list.length - 1)]?.[0];
  else if (event.key === "ArrowUp" && row >= 0) to = list[row - 1]?.[0] ?? field;
  else if (event.key === "ArrowRight" && row >= 0) to = list[row][place + 1];
  else if (event.key === "ArrowLeft" && row >= 0) to = list[row][place - 1];
  else if (event.key === "Escape") to = field;
  else return;
  event.preventDefault();
  to?.focus();
  if (event.key === "Escape") show(false);
});
