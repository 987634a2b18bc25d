// A part of a page that follows the database. Whatever carries `data-live` (where its version is asked for) and
// `data-live-version` (the one it shows) is fetched anew when that number changes, and each minute, for time itself
// changes it. What is focused, scrolled, opened or typed stays: only what differs is replaced. An element whose
// `data-said` is new is told to those who do not see it. `live:changed` on the part tells other scripts.

const EVERY = 3000;
const SLOWEST = 30000;
const LATER = { "X-Background": "1" }; // nobody works here: the session is not renewed

const part = document.querySelector("[data-live]");
if (part) follow(part);

function follow(part) {
  const banner = document.getElementById("banner");
  const lost = document.getElementById("not-live");
  const shift = part.dataset.now ? 1000 * part.dataset.now - Date.now() : 0; // the clinic's clock is not the machine's
  let wait = EVERY;
  let timer = 0;
  let asking = false;
  let drawn = minute();
  let since = null; // when it was last live, once it no longer is

  function minute() {
    return Math.floor(Date.now() / 60000);
  }

  async function look() {
    clearTimeout(timer);
    if (document.hidden || asking) return;
    asking = true;
    try {
      const answer = await fetch(part.dataset.live, { headers: LATER, cache: "no-store", signal: AbortSignal.timeout(10000) });
      if (answer.status === 401) throw signedOut();
      if (!answer.ok) throw new Error(answer.status);
      const { version, tasks } = await answer.json();
      count(tasks);
      if (String(version) !== part.dataset.liveVersion || drawn !== minute()) await renew();
      found();
      wait = EVERY;
    } catch {
      missed();
      wait = Math.min(2 * wait, SLOWEST);
    } finally {
      asking = false;
      clearTimeout(timer);
      timer = setTimeout(look, wait);
    }
  }

  async function renew() {
    const headers = { ...LATER, "HX-Request": "true" };
    const answer = await fetch(location.pathname + location.search, { headers, cache: "no-store" });
    if (answer.status === 401) throw signedOut();
    if (!answer.ok) throw new Error(answer.status);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(part.id);
    if (!fresh) throw new Error("no part");
    const told = new Set(said(part));
    const focused = document.activeElement;
    renewed(part, fresh);
    if (focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true }); // it has moved
    drawn = minute();
    tell(said(part).filter((text) => !told.has(text)));
    window.htmx?.process(part);
    part.dispatchEvent(new Event("live:changed", { bubbles: true }));
  }

  function said(root) {
    return [...root.querySelectorAll("[data-said]")].map((element) => element.dataset.said);
  }

  function tell(texts) {
    if (texts.length) document.getElementById("live-said").textContent = texts.join(". ");
  }

  function count(tasks) {
    const badge = document.querySelector("[data-open-tasks]");
    if (!badge || tasks === undefined) return;
    badge.hidden = !tasks;
    const number = badge.firstChild;
    if (number.textContent !== String(tasks)) number.textContent = tasks;
  }

  function signedOut() {
    document.dispatchEvent(new Event("signed-out"));
    return new Error("signed out");
  }

  function missed() {
    since ??= new Date();
    document.documentElement.classList.add("not-live");
    // One miss is nothing; and whoever is signed out is told so instead.
    if (wait <= EVERY || banner.querySelector("[data-session]") || banner.querySelector("[data-live-lost]")) return;
    const notice = lost.content.cloneNode(true);
    notice.querySelector("[data-live-since]").textContent = clock(since);
    notice.querySelector("[data-live-again]").addEventListener("click", again);
    banner.append(notice);
  }

  // Asked for by somebody: it is seen that it is tried, and that it was in vain.
  async function again({ currentTarget: button }) {
    if (button.ariaBusy === "true") return;
    button.ariaBusy = "true";
    await look();
    button.ariaBusy = null;
    banner.querySelector("[data-live-tried]")?.replaceChildren(clock(new Date()));
    banner.querySelector("[data-live-failed]")?.removeAttribute("hidden");
  }

  function clock(at) {
    const ahead = Number(part.dataset.liveAhead ?? 0); // of UTC, the site's wall clock in seconds
    return new Date(at.getTime() + shift + 1000 * ahead).toISOString().slice(11, 16);
  }

  function found() {
    since = null;
    document.documentElement.classList.remove("not-live");
    banner.querySelector("[data-live-lost]")?.remove();
  }

  document.addEventListener("visibilitychange", look);
  window.addEventListener("online", look);
  window.addEventListener("offline", look);
  window.addEventListener("pageshow", (event) => event.persisted && look());
  timer = setTimeout(look, EVERY);
}

// Make `old` like `fresh` and keep every element that is still meant: by its id, otherwise by its place.
function renewed(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType !== Node.ELEMENT_NODE || old.nodeName !== fresh.nodeName || old.id !== fresh.id) {
    old.replaceWith(fresh);
    return;
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !kept(old, name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value && !kept(old, name)) old.setAttribute(name, value);
  }
  const named = new Map([...old.children].filter((child) => child.id).map((child) => [child.id, child]));
  let place = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    let mine = child.id ? named.get(child.id) : place;
    if (mine && !child.id && mine.id) mine = null; // that one is meant by its id, further on
    if (!mine) {
      old.insertBefore(child, place);
    } else {
      if (mine === place) place = place.nextSibling;
      else old.insertBefore(mine, place);
      const next = place;
      renewed(mine, child);
      place = next;
    }
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

// What people have done to an element is theirs: so is a form that is on its way.
function kept(element, name) {
  return (
    ["aria-current", "aria-busy", "data-sent"].includes(name) ||
    (name === "open" && element.localName === "details") ||
    (name === "value" && element === document.activeElement)
  );
}
