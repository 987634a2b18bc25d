// Menus of rows: one is open at a time, it closes on Escape and on a click elsewhere, and no panel cuts it off.
// Without this script a menu opens in its row.

const MENUS = "details.row-menu";

function place(menu) {
  const list = menu.querySelector(".menu");
  const button = menu.querySelector("summary").getBoundingClientRect();
  list.style.position = "fixed";
  list.style.right = `${document.documentElement.clientWidth - button.right}px`;
  const below = button.bottom + 4 + list.offsetHeight < window.innerHeight;
  list.style.top = `${below ? button.bottom + 4 : Math.max(4, button.top - 4 - list.offsetHeight)}px`;
}

function close(except) {
  for (const menu of document.querySelectorAll(`${MENUS}[open]`)) {
    if (menu !== except) menu.open = false;
  }
}

document.addEventListener("toggle", ({ target }) => {
  if (!target.matches(MENUS) || !target.open) return;
  close(target);
  place(target);
}, { capture: true });

document.addEventListener("click", ({ target }) => close(target.closest(MENUS)));
function follow() {
  const menu = document.querySelector(`${MENUS}[open]`);
  if (menu) place(menu);
}
document.addEventListener("scroll", follow, { capture: true, passive: true });
window.addEventListener("resize", follow);

document.addEventListener("focusin", ({ target }) => close(target.closest(MENUS)));

document.addEventListener("keydown", (event) => {
  const menu = document.querySelector(`${MENUS}[open]`);
  if (!menu) return;
  if (event.key === "Escape") {
    menu.open = false;
    menu.querySelector("summary").focus();
    event.preventDefault();
    return;
  }
  const way = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!way || !menu.contains(document.activeElement)) return;
  const items = [...menu.querySelectorAll(".menu a, .menu button")];
  const here = items.indexOf(document.activeElement);
  items.at((here + way + (here < 0 && way < 0 ? 1 : 0)) % items.length).focus();
  event.preventDefault();
});
