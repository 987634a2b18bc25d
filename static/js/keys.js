// Keys that press what is on the page: whatever carries data-key="n" is clicked, a field is focused.
// Single keys act outside text fields only and can be switched off (data-keys="off" on the document); those with Ctrl
// act everywhere. "?" lists what this page knows.

const TEXT = "input:not([type=checkbox], [type=radio], [type=button], [type=submit]), select, textarea, [contenteditable]";

function pressed(event) {
  const name = event.key === " " ? "Space" : event.key;
  return event.ctrlKey || event.metaKey ? `Ctrl+${name}` : name;
}

function visible(element) {
  return element.checkVisibility() && !element.closest("[inert]");
}

// The one that is meant: in an open dialog only what belongs to it, and what the page offers before what every page does.
function keyed(key) {
  const dialog = document.querySelector("dialog[open]");
  const all = (dialog ?? document).querySelectorAll(`[data-key="${CSS.escape(key)}"]`);
  const found = [...all].filter((element) => visible(element) || element.matches("[data-shows-keys]"));
  return found.find((element) => element.closest("main")) ?? found[0];
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.altKey || event.isComposing) return;
  const key = pressed(event);
  const single = !key.startsWith("Ctrl+");
  if (single && document.documentElement.dataset.keys === "off") return;
  if (single && event.target.closest(TEXT)) return;
  const element = keyed(key);
  if (!element) return;
  event.preventDefault();
  if (element.matches(TEXT)) {
    element.focus();
    element.select?.();
  } else {
    element.click();
  }
});

// The list of keys is made when it is asked for, from what is there.
document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-shows-keys]")) return;
  const dialog = document.getElementById("keys");
  const list = dialog.querySelector("dl");
  const rows = new Map();
  for (const { dataset: { key } } of document.querySelectorAll("[data-key]")) {
    const element = keyed(key);
    if (element) rows.set(key, element.dataset.keyLabel || element.getAttribute("aria-label") || element.textContent.trim());
  }
  list.replaceChildren();
  for (const [key, text] of rows) {
    const term = document.createElement("dt");
    const sign = document.createElement("kbd");
    sign.dataset.always = "";
    sign.textContent = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓" }[key] ?? key;
    term.append(sign);
    const meaning = document.createElement("dd");
    meaning.textContent = text;
    list.append(term, meaning);
  }
  dialog.showModal();
});
