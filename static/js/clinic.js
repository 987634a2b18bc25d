// What makes the pages quicker to use. Everything works without it.

document.documentElement.classList.add("scripted"); // shows what only works with scripts (.js)

// Without a connection nothing leaves the page: the browser's own error page would take with it what was typed. A
// machine without a network may still reach a clinic that runs on itself, so it is tried before anybody is held back.
const banner = document.getElementById("banner");
let reachable = false;

async function hold(event, again) {
  if (navigator.onLine || reachable) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  try {
    await fetch(document.querySelector("link[rel=icon]").href, { method: "HEAD", cache: "no-store" });
  } catch {
    disconnected();
    return;
  }
  connected();
  reachable = true;
  again();
  reachable = false;
}

function disconnected() {
  const notice = document.getElementById("no-connection");
  if (notice && !banner.querySelector("[data-no-connection]")) banner.append(notice.content.cloneNode(true));
}

function connected() {
  banner?.querySelector("[data-no-connection]")?.remove();
}
window.addEventListener("online", connected);
document.addEventListener("htmx:sendError", ({ detail }) => { if (detail.elt.closest("form")) disconnected(); });
document.addEventListener("htmx:afterOnLoad", connected);

function leaves(link) {
  const to = new URL(link.href);
  const here = to.hash && to.href.split("#")[0] === location.href.split("#")[0];
  return to.protocol.startsWith("http") && !here;
}

document.addEventListener("submit", (event) => {
  const { target: form, submitter } = event;
  if ((submitter?.formMethod || form.method) !== "dialog") hold(event, () => form.requestSubmit(submitter));
}, true);
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href]");
  if (link && leaves(link)) hold(event, () => link.click());
}, true);

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
