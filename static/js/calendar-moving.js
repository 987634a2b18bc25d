// Giving a visit of the calendar another place, by mouse or by keyboard. Dropping commits nothing: the panel that opens
// is the server's, and so is the judgement.

(() => {
  const { root, drawn, text, byChair, rows, rowOf, clock, when, fill, ordinal, make, linkOf, stop } = calendar;
  const { origin, same, windowAt, verdict, show } = marks;
  const panel = document.getElementById("panel");
  const body = document.getElementById("panel-body");
  const pill = document.getElementById("moving");
  const MOVED = "calendar-moved"; // the visit that the page has when it comes back after a move

  // move: visit; windows (null until they are known); ready (a promise of them); spot {day, row, start} or null.
  function aim(visit, { dragged = false, spot = origin(visit) } = {}) {
    const mine = { visit, windows: null, spot: dragged ? null : spot, dragged };
    calendar.move = mine;
    mine.ready = know().then(() => calendar.move === mine && tell(mine.spot ?? origin(visit), !dragged)).catch((error) => {
      if (calendar.move === mine && !panel.open) refuse(error.message || text.lost);
    });
    pill.hidden = false;
    root.classList.add("aiming");
    tell(origin(visit), false);
    show();
  }

  // The marks, as the clinic is now.
  async function know() {
    const mine = calendar.move;
    const windows = await ask(mine.visit);
    if (calendar.move !== mine) return;
    mine.windows = windows;
    show();
  }

  // What stands in the way of any move is said where what a move does is said.
  function refuse(words) {
    body.replaceChildren(make("p", { class: "notice red", role: "alert", tabindex: "-1" }, words));
    open();
  }

  // Where it may go: by chair with whoever can, by prescriber with each of them.
  async function ask(visit) {
    const address = text.starts.replace("/0/", `/${visit.session}/`);
    const asked = byChair() ? [""] : calendar.data.prescribers.map(([id]) => `?prescriber=${id}`);
    const answers = await Promise.all(asked.map((query) => fetch(address + query, { headers: { Accept: "application/json" } })));
    const found = [];
    for (const answer of answers) {
      if (answer.status === 401) document.dispatchEvent(new Event("signed-out"));
      const told = await answer.json().catch(() => ({}));
      if (!answer.ok) throw new Error(told.message);
      for (const [date, chair, prescriber, first, last, override, utc] of told.windows) {
        const day = calendar.data.days.findIndex(([iso]) => iso === date);
        const row = rows().findIndex(([id]) => id === (byChair() ? chair : prescriber));
        if (day >= 0 && row >= 0) found.push({ day, row, chair, prescriber, first, last, override, utc, step: told.step });
      }
    }
    return byChair() ? found : merged(found);
  }

  // By prescriber the same times are free in several chairs: its own is taken where it can be.
  function merged(windows) {
    const own = calendar.data.chairs[calendar.move.visit.chair][0];
    return windows.sort((one, other) => (other.chair === own) - (one.chair === own));
  }

  function tell(spot, aloud = true) {
    const { move } = calendar;
    const values = { when: when(spot.day, spot.start), row: rows()[spot.row][1], why: why(spot) };
    const here = same(spot, origin(move.visit));
    const state = here ? "here" : verdict(spot);
    const words = here || state === "asking"
      ? fill(text.moving, { name: `${move.visit.family}, ${move.visit.first}`, visit: ordinal(move.visit), when: when(spot.day, spot.start) })
      : fill(text[state === "no" && values.why ? "noWhy" : state], values);
    const name = `${move.visit.family}, ${move.visit.first}`;
    pill.querySelector("span").textContent = words.includes(name) ? words : fill(text.of, { name, words });
    pill.dataset.state = state;
    if (aloud) say(words);
  }

  // What can be seen to stand in the way; nothing where only the rules know.
  function why({ day, row, start }) {
    const { data, visits, move } = calendar;
    const end = start + move.visit.end - move.visit.start;
    const chair = byChair() ? row : move.visit.chair;
    for (const [date, from, until, ofChair, ofPrescriber, reason] of data.off) {
      if (date !== day || until <= start || end <= from) continue;
      if (ofPrescriber >= 0 && !byChair() && ofPrescriber === row) return text.whyNobody;
      if (ofPrescriber < 0 && (ofChair === -1 || (byChair() && ofChair === chair))) return reason || text.whyClosed;
    }
    const taken = byChair() && [...visits.values()].some((one) => one !== move.visit && one.day === day && one.chair === chair && one.start < end && start < one.end);
    return taken ? text.whyTaken : "";
  }

  function say(words) {
    document.getElementById("said").textContent = words;
  }

  function landing(info) {
    const { data } = calendar;
    const visit = info.oldEvent.extendedProps.visit;
    const shift = (info.delta.days ?? 0) * 1440 + Math.round((info.delta.seconds ?? 0) / 60);
    const at = Date.parse(data.days[visit.day][0]) / 60000 + visit.start + shift;
    const iso = new Date(Math.floor(at / 1440) * 86400000).toISOString().slice(0, 10);
    const day = data.days.findIndex(([date]) => date === iso);
    const row = rows().findIndex(([id]) => String(id) === String(info.newResource?.id ?? rows()[rowOf(visit)][0]));
    const latest = Math.floor((data.hours[1] - visit.end + visit.start) / data.step) * data.step;
    const start = Math.min(latest, Math.max(data.hours[0], Math.round((at % 1440) / data.step) * data.step));
    return day < 0 || row < 0 ? null : { day, row, start };
  }

  function dragged(info) {
    const spot = calendar.move && landing(info);
    if (spot) {
      tell(spot, false);
      if (drawn.dataset.aim !== pill.dataset.state) drawn.dataset.aim = pill.dataset.state;
    }
    return true;
  }

  function dropped(info) {
    info.revert();
    delete drawn.dataset.aim;
    const spot = calendar.move && landing(info);
    if (!spot || same(spot, origin(calendar.move.visit))) return leave();
    calendar.move.spot = spot;
    show();
    look();
  }

  function step(key, shift) {
    const { data, move } = calendar;
    const spot = { ...move.spot };
    const length = move.visit.end - move.visit.start;
    const [from, until] = data.hours;
    const last = data.days.length - 1;
    const ahead = key === "ArrowRight" || key === "ArrowDown" ? 1 : -1;
    if (key === "ArrowUp" || key === "ArrowDown") spot.row += ahead;
    else if (shift) spot.day += ahead;
    else spot.start += ahead * data.step;
    if (spot.start + length > until && spot.day < last) Object.assign(spot, { day: spot.day + 1, start: from });
    if (spot.start < from && spot.day > 0) Object.assign(spot, { day: spot.day - 1, start: Math.floor((until - length) / data.step) * data.step });
    if (spot.row < 0 || spot.row >= rows().length) {
      say(text.edge);
      return;
    }
    if (spot.day < 0 || spot.start < from) return along(document.querySelector("a[rel=prev]").href);
    if (spot.day > last || spot.start + length > until) return along(document.querySelector("a[rel=next]").href);
    move.spot = spot;
    show();
    tell(spot);
  }

  // To other dates, with what is being moved.
  function along(address) {
    const url = new URL(address);
    url.searchParams.set("move", calendar.move.visit.session);
    location.assign(url);
  }

  function arrive() {
    const { data, visits } = calendar;
    const moved = sessionStorage.getItem(MOVED) && linkOf(sessionStorage.getItem(MOVED));
    sessionStorage.removeItem(MOVED);
    if (moved) stop(moved).focus({ focusVisible: true });
    const visit = data.moving && visits.get(data.moving[0]);
    if (!visit?.movable) return;
    const came = data.elsewhere[0] > data.days[0][0];
    const spot = { day: visit.day < 0 ? (came ? data.days.length - 1 : 0) : visit.day, row: rowOf(visit), start: Math.round(visit.start / data.step) * data.step };
    aim(visit, { spot });
    (linkOf(visit.session) ?? drawn).focus();
  }

  function here() {
    const url = new URL(location.href);
    url.searchParams.delete("move");
    return url.pathname + url.search;
  }

  // ---------------------------------------------------------------------------------------------------- the panel

  async function look() {
    const { data, move } = calendar;
    if (!move?.spot) return;
    if (same(move.spot, origin(move.visit))) {
      leave();
      return;
    }
    await move.ready;
    if (calendar.move !== move) return;
    const { visit, spot } = move;
    const found = windowAt(spot);
    const values = {
      csrfmiddlewaretoken: document.querySelector("[name=csrfmiddlewaretoken]").value,
      back: here(),
    };
    const chair = byChair() ? data.chairs[spot.row][0] : data.chairs[visit.chair][0];
    const prescriber = byChair() ? data.prescribers[visit.prescriber][0] : data.prescribers[spot.row][0];
    if (found) {
      const utc = new Date(Date.parse(`${found.utc}Z`) + (spot.start - found.first) * 60000).toISOString().slice(0, 16);
      values.take = `${utc}/${found.chair}/${found.prescriber}`;
    } else {
      Object.assign(values, { act: "look", date: data.days[spot.day][0], start: clock(spot.start), chair, prescriber });
    }
    show();
    body.replaceChildren();
    tell(spot);
    await htmx.ajax("POST", text.move.replace("/0/", `/${visit.session}/`), { target: body, swap: "innerHTML", values }).catch(() => {});
    if (calendar.move !== move || move.spot !== spot) return; // left, or put elsewhere meanwhile
    if (body.firstElementChild) open();
    else refuse(text.lost);
  }

  function open() {
    if (!panel.open) panel.showModal();
    beside();
    const first = body.querySelector("[autofocus]") ?? body.querySelector("h2") ?? body;
    if (!first.hasAttribute("tabindex")) first.tabIndex = -1;
    first.focus();
  }

  // Next to where it would go, on the side that has room.
  function beside() {
    const at = (marks.ghost ?? linkOf(calendar.move.visit.session) ?? drawn).getBoundingClientRect();
    const { width, height } = panel.getBoundingClientRect();
    const left = at.right + 12 + width < window.innerWidth ? at.right + 12 : at.left - 12 - width;
    const top = Math.min(at.top, window.innerHeight - height - 12);
    panel.style.left = `${Math.max(12, Math.min(left, window.innerWidth - width - 12))}px`;
    panel.style.top = `${Math.max(12, top)}px`;
  }

  function leave() {
    const had = calendar.move;
    sessionStorage.removeItem(MOVED);
    calendar.move = null;
    pill.hidden = true;
    root.classList.remove("aiming");
    delete drawn.dataset.aim;
    if (panel.open) panel.close();
    show();
    if (!had) return;
    if (location.search.includes("move=")) history.replaceState(null, "", here());
    say(text.left);
    calendar.catchUp();
    const link = linkOf(had.visit.session);
    (link ? stop(link) : drawn).focus({ focusVisible: !had.dragged });
  }

  // Escape leaves everything as it was; "Another time" goes on from where the visit has been put.
  let further = false;
  panel.addEventListener("close", () => {
    if (!further || !calendar.move) {
      leave();
      return;
    }
    further = false;
    calendar.move.dragged = false;
    body.replaceChildren();
    (linkOf(calendar.move.visit.session) ?? drawn).focus();
    tell(calendar.move.spot);
  });
  panel.addEventListener("click", (event) => {
    if (!event.target.closest("[data-look-close]")) return;
    event.preventDefault();
    further = true;
    panel.close();
  });
  document.querySelector(".head").addEventListener("click", (event) => {
    const link = event.target.closest("a[href]");
    if (!calendar.move || !link || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    along(link.href);
  });
  pill.querySelector("button").addEventListener("click", leave);
  body.addEventListener("submit", () => calendar.move && sessionStorage.setItem(MOVED, calendar.move.visit.session), true);
  body.addEventListener("htmx:afterSettle", () => calendar.move && panel.open && beside());
  // Somebody else was quicker: what is possible now is marked.
  body.addEventListener("htmx:afterRequest", ({ detail }) => {
    const mine = calendar.move;
    if (mine && detail.xhr.status === 409) know().then(() => calendar.move === mine && tell(mine.spot, false)).catch(() => {});
  });

  // ------------------------------------------------------------------------------------------------- the keyboard

  function near(link, key) {
    const from = link.getBoundingClientRect();
    const across = key === "ArrowLeft" || key === "ArrowRight";
    const ahead = key === "ArrowRight" || key === "ArrowDown" ? 1 : -1;
    let best = null;
    for (const other of drawn.querySelectorAll(".ec-event:not(.ec-preview, .ec-ghost) a.card")) {
      const to = other.getBoundingClientRect();
      const along = (across ? to.left - from.left : to.top - from.top) * ahead;
      const aside = Math.abs(across ? to.top - from.top : to.left - from.left);
      if (along < 4 || (across && aside > 4)) continue;
      const distance = along + aside * (across ? 8 : 1);
      if (!best || distance < best.distance) best = { other, distance };
    }
    return best?.other;
  }

  document.addEventListener("keydown", (event) => {
    if (panel.open || event.ctrlKey || event.metaKey || event.altKey) return;
    const link = event.target.closest?.("a.card");
    const arrow = event.key.startsWith("Arrow");
    if (calendar.move && !calendar.move.dragged && (arrow || event.key === "Enter")) {
      event.preventDefault();
      if (arrow) step(event.key, event.shiftKey);
      else if (!event.repeat) look();
    } else if (calendar.move && event.key === "Escape") {
      event.preventDefault();
      leave();
    } else if (link && arrow) {
      event.preventDefault();
      const other = near(link, event.key);
      if (other) stop(other).focus();
    } else if (link && event.key === "m" && document.documentElement.dataset.keys !== "off") {
      event.preventDefault();
      begin(link);
    }
  }, true);

  function begin(link) {
    const visit = calendar.visits.get(Number(link.dataset.session));
    if (visit?.movable) aim(visit);
  }

  // For those who have switched single keys off, or look for the key: the visit that had the focus last.
  let last = null;
  document.getElementById("move-key")?.addEventListener("click", () => {
    const link = (last && linkOf(last)) ?? stop();
    link?.focus();
    if (link && last) begin(link);
  });

  // Letting go of a dragged visit is no click on its link.
  drawn.addEventListener("click", (event) => calendar.move && event.preventDefault(), true);
  drawn.addEventListener("focusin", (event) => {
    if (event.target.matches("a.card")) last = stop(event.target).dataset.session;
  });

  calendar.dragging = {
    eventDragStart: ({ event }) => aim(event.extendedProps.visit, { dragged: true }),
    dragConstraint: dragged,
    eventDrop: dropped,
  };
  // Only then has the browser looked for what wants the focus first.
  window.addEventListener("load", () => setTimeout(() => root.classList.contains("has-drawing") && arrive()));
})();
