// Planning visits: a change of what is asked plans anew at once, the old plans stay until the new ones are there, and
// nothing that is typed meanwhile is lost. Without this file the form has a button for it.

const DAY_OR_TIME = "input[type=date], input[type=time]";
const TYPED = "input:not([type=hidden], [type=checkbox], [type=radio]), select, textarea";

let typing = null; // the field of a day or a time that is being typed: planned when it is left, not at each digit
let pressed = false; // a button of the mouse is down: what it points at must not be replaced before it is up
let waiting = false;
let sent = new Map(); // what stood in the fields when the page asked

const desk = () => document.getElementById("desk");

function replan() {
  if (desk().dataset.sent) return; // the whole form is on its way
  if (pressed) waiting = true;
  else htmx.trigger("#ask", "replan");
}

document.addEventListener("pointerdown", () => { pressed = true; }, true);
for (const end of ["pointerup", "pointercancel"]) {
  document.addEventListener(end, () => {
    pressed = false;
    // A click follows, and may send the form itself.
    if (waiting) setTimeout(() => { if (waiting) { waiting = false; replan(); } });
  }, true);
}
document.addEventListener("submit", () => { waiting = false; }, true);

document.addEventListener("keydown", (event) => {
  const field = event.target;
  if (field.matches(`#ask :is(${DAY_OR_TIME})`) && !["Tab", "Enter", "Escape"].includes(event.key)) typing = field;
  if (event.key === "Escape" && field.closest("#wish[open]")) {
    event.preventDefault();
    document.getElementById("wish").open = false;
    document.getElementById("wish-open").focus();
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

// The popover of wishes: its first empty field is where one types, a click elsewhere closes it.
document.addEventListener("toggle", (event) => {
  if (event.target.id !== "wish" || !event.target.open || event.target.contains(document.activeElement)) return;
  focusWish(event.target);
}, true);
document.addEventListener("click", (event) => {
  const wish = document.getElementById("wish");
  if (event.target.closest("#wish-open")) setTimeout(() => wish.open && focusWish(wish));
  else if (wish?.open && !wish.contains(event.target)) wish.open = false;
});
document.addEventListener("submit", (event) => {
  if (event.submitter?.id !== "show") return;
  document.getElementById("wish").open = false;
  document.getElementById("wish-open").focus();
});
function focusWish(wish) {
  [...wish.querySelectorAll(DAY_OR_TIME)].find((field) => !field.value)?.focus();
}

// "e" edits the row in which the focus is.
document.addEventListener("focusin", (event) => {
  const edit = event.target.closest("tr")?.querySelector("[id^=edit-]");
  const before = document.querySelector("#desk [data-key=e]");
  if (!edit || !before || edit === before) return;
  edit.dataset.key = "e";
  edit.dataset.keyLabel = before.dataset.keyLabel;
  delete before.dataset.key;
});

// What is typed while an answer is on its way goes over into the new page, and the focus with it.
let open = false;
let focused = "";
let carried = new Map();

function fields() {
  return [...(desk()?.querySelectorAll(TYPED) ?? [])].filter((field) => field.id);
}
document.addEventListener("htmx:beforeRequest", () => {
  sent = new Map(fields().map((field) => [field.id, field.value]));
});
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.target.id !== "main") return;
  carried = new Map(
    fields()
      .filter((field) => field.type === "password" || field.value !== sent.get(field.id))
      .map((field) => [field.id, field.value]),
  );
  open = Boolean(document.getElementById("wish")?.open);
  focused = document.activeElement?.id ?? "";
});
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id !== "main" || !desk()) return;
  const wish = document.getElementById("wish");
  if (open && wish) wish.open = true;
  for (const [id, value] of carried) {
    const field = document.getElementById(id);
    if (field && !document.getElementById(`${id}_error`)) field.value = value;
  }
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
});
