// What makes the pages quicker to use. Everything works without it.

document.documentElement.classList.add("scripted"); // shows what only works with scripts (.js)

// A form that is on its way is not sent again: its button says so, and keeps its width.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method === "dialog") return; // closes, is not sent
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "1";
  event.submitter?.setAttribute("aria-busy", "true");
});

// Back to a page that the browser has kept, or answered in part: what was sent from there can be sent again.
function ready(form) {
  delete form.dataset.sent;
  form.querySelector("[aria-busy]")?.removeAttribute("aria-busy");
}
window.addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach(ready));
document.addEventListener("htmx:afterRequest", ({ detail }) => {
  const form = detail.elt.closest("form[data-sent]");
  if (form) ready(form);
});
