// Planning visits: a change of what is asked plans anew at once, the old plans stay until the new ones are there, and
// nothing that is typed meanwhile is lost. Without this file the form has a button for it.

const DAY_OR_TIME = "input[type=date], input[type=time]";
const FIELDS = "input:not([type=hidden]), select, textarea";

const desk = () => document.getElementById("desk");
const wish = () => document.getElementById("wish");
const value = (field) => (field.type === "checkbox" ? field.checked : field.value);
const fields = () => [...(desk()?.querySelectorAll(FIELDS) ?? [])].filter((field) => field.id);

// Planning anew

let typing = null; // a day or a time that is being typed: it is planned when it is left, not at each digit
let pressed = false; // a button of the mouse is down: what it points at must not be replaced before it is up
let waiting = false;
let asking = false; // an answer is on its way

function replan() {
  if (pressed || asking) waiting = true;
  else htmx.trigger("#ask", "replan");
}
function goOn() {
  if (!waiting || pressed || asking || !document.getElementById("ask")) return;
  waiting = false;
  replan();
}

document.addEventListener("pointerdown", () => { pressed = true; }, true);
for (const end of ["pointerup", "pointercancel"]) {
  document.addEventListener(end, () => {
    pressed = false;
    setTimeout(goOn); // a click follows, and may send the form itself
  }, true);
}
document.addEventListener("submit", (event) => {
  waiting = false;
  // The second of two clicks: the first is on its way.
  if (event.target.dataset.sent) {
    event.preventDefault();
    event.stopImmediatePropagation();
  }
}, true);

document.addEventListener("keydown", (event) => {
  const field = event.target;
  if (field.matches(`#ask :is(${DAY_OR_TIME})`) && !["Tab", "Enter", "Escape"].includes(event.key)) typing = field;
  if (event.key === "Escape" && field.closest("#wish[open]")) {
    event.preventDefault();
    close();
  }
});
document.addEventListener("change", (event) => {
  if (event.target.closest("#ask") && event.target !== typing) replan();
});
document.addEventListener("focusout", (event) => {
  if (event.target !== typing) return;
  typing = null;
  if (event.target.value !== event.target.defaultValue && !event.target.validity.badInput) replan();
});

// The popover of wishes: one types into its first empty field, a click elsewhere closes it

function close() {
  document.getElementById("wish-open").focus();
  wish().open = false;
}
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-wish]")) {
    event.preventDefault();
    document.getElementById("wish-open").click();
  } else if (event.target.closest("#wish-open")) {
    const empty = () => [...wish().querySelectorAll(DAY_OR_TIME)].find((field) => !field.value);
    setTimeout(() => { if (wish().open) empty()?.focus(); });
  } else if (event.target.closest("#show")) close();
  else if (wish()?.open && !wish().contains(event.target)) wish().open = false;
});

// "e" edits the row in which the focus is

document.addEventListener("focusin", (event) => {
  const edit = event.target.closest("#desk tr")?.querySelector("[id^=edit-]");
  const before = document.querySelector("#desk [data-key=e]");
  if (!edit || !before || edit === before) return;
  edit.dataset.key = "e";
  edit.dataset.keyLabel = before.dataset.keyLabel;
  delete before.dataset.key;
});

// What is typed while an answer is on its way goes over into the new page, and the focus with it

let sent = new Map();
let carried = new Map();
let open = false;
let focused = "";

document.addEventListener("htmx:beforeSend", (event) => {
  if (!event.target.closest("#desk")) return;
  asking = true;
  sent = new Map(fields().map((field) => [field.id, value(field)]));
});
document.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.target?.id !== "main") return;
  asking = false;
});
document.addEventListener("htmx:afterSettle", goOn);

document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.target.id !== "main" || !desk()) return;
  const changed = fields().filter((field) => field.type === "password" || value(field) !== sent.get(field.id));
  carried = new Map(changed.map((field) => [field.id, value(field)]));
  open = Boolean(wish()?.open);
  focused = document.activeElement?.id ?? "";
  const [, main] = event.detail.serverResponse.match(/<main([^]*)<\/main>/) ?? [];
  if (/<[^>]* autofocus[ >]/.test(main)) {
    // What is new takes the focus: an error, an opened row, replacements to be booked.
    focused = "";
    document.activeElement?.blur();
  }
});
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id !== "main" || !desk()) return;
  if (open && wish()) wish().open = true;
  for (const [id, typed] of carried) {
    const field = document.getElementById(id);
    if (!field || document.getElementById(`${id}_error`)) continue;
    if (field.type === "checkbox") field.checked = typed;
    else field.value = typed;
  }
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
});
