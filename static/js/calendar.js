// The calendar: draws what the page carries, keeps up with the clinic, and gives a visit another place by mouse or by
// keyboard. Dropping commits nothing: the panel that opens is the server's, and so is the judgement.
//
// Every time in here is one of the site's clocks, in minutes since midnight: the browser's own zone has no part in it.
// The policy allows no inline styles; what is placed to scale is placed by the style objects of elements.

(() => {
  const root = document.getElementById("calendar");
  const drawn = document.getElementById("drawn");
  if (!drawn) return;
  const text = root.dataset;
  const panel = document.getElementById("panel");
  const body = document.getElementById("panel-body");
  const pill = document.getElementById("moving");
  const wide = matchMedia("(min-width: 761px)");

  let data;
  let visits; // by the id of their session
  let calendar;
  let under; // lies between the rows and the visits: where it may go, the line of now
  let over; // lies above the visits: where it would be
  let loaded; // when the data came, by the browser's own count of time
  let format; // of the site's zone
  let moment; // what was said last when it was asked what time it is
  let frame; // where days and rows are drawn
  let move = null; // what is being moved, see aim()

  // ---------------------------------------------------------------------------------------------- what is there

  function take(from) {
    data = JSON.parse(from.textContent);
    loaded = performance.now();
    format = new Intl.DateTimeFormat("en-CA", {
      timeZone: data.zone, year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23",
    });
    moment = null;
    visits = new Map();
    for (const row of data.moving ? [...data.visits, data.moving] : data.visits) {
      const [session, course, chair, prescriber, day, start, end, shape, state, number, of, family, first, needsTime] = row;
      const visit = { session, course, chair, prescriber, day, start, end, number, of, family, first, needsTime };
      visit.shape = data.shapes[shape];
      [visit.state, visit.stateLabel, visit.icon] = data.states[state];
      visit.open = ["held", "booked", "confirmed"].includes(visit.state);
      visit.movable = data.mayMove && visit.open;
      if (!visits.has(session)) visits.set(session, visit);
    }
  }

  const byChair = () => data.by === "chair";
  const rows = () => (byChair() ? data.chairs : data.prescribers);
  const rowOf = (visit) => (byChair() ? visit.chair : visit.prescriber);
  const clock = (minutes) =>
    `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;
  // A visit that was brought along from other dates has no day here (-1).
  const when = (day, start) => `${(data.days[day] ?? data.elsewhere)[1]} ${clock(start)}`;
  const fill = (pattern, values) => pattern.replace(/\{(\w+)\}/g, (_, name) => values[name]);
  const stamp = (day, minutes) => new Date(Date.parse(data.days[day][0]) + minutes * 60000).toISOString().slice(0, 19);
  const ordinal = (visit) => fill(visit.of ? text.visitOf : text.visit, visit);

  // The site's date and minute now: the server's clock, carried on, read in the site's zone.
  function now() {
    const elapsed = performance.now() - loaded;
    if (moment && elapsed - moment.elapsed < 1000) return moment; // asked once for each visit that is drawn
    const parts = format.formatToParts(new Date(data.now * 1000 + elapsed));
    const part = Object.fromEntries(parts.map(({ type, value }) => [type, value]));
    moment = { elapsed, date: `${part.year}-${part.month}-${part.day}`, minute: Number(part.hour) * 60 + Number(part.minute) };
    return moment;
  }

  // ---------------------------------------------------------------------------------------------------- drawing

  const SVG = "http://www.w3.org/2000/svg";

  function make(name, attributes = {}, ...children) {
    const element = name === "svg" || name === "use" || name === "rect" || name === "path"
      ? document.createElementNS(SVG, name) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  }

  function icon(name) {
    return make("svg", { class: "icon", "aria-hidden": "true" }, make("use", { href: `${text.icons}#${name}` }));
  }

  function bar(visit) {
    const length = visit.shape.reduce((sum, minutes) => sum + minutes, 0);
    const drawing = make("svg", { class: "bar", viewBox: `0 0 ${length} 5`, preserveAspectRatio: "none", "aria-hidden": "true" });
    let x = 0;
    for (const [place, name] of ["prepare", "give", "monitor", "turn-over"].entries()) {
      drawing.append(make("rect", { class: name, x, width: visit.shape[place], height: 5 }));
      x += visit.shape[place];
    }
    return drawing;
  }

  function label(visit) {
    return fill(text.label, {
      name: `${visit.family}, ${visit.first}`,
      when: when(visit.day, visit.start),
      visit: ordinal(visit),
      prescriber: byChair() ? data.prescribers[visit.prescriber][1] : data.chairs[visit.chair][1],
      state: [visit.stateLabel, visit.late && text.late, visit.needsTime && text.needsTime].filter(Boolean).join(", "),
    });
  }

  function content(visit) {
    const beside = byChair() ? data.prescribers[visit.prescriber][2] : data.chairs[visit.chair][1];
    const sign = visit.late ? "clock-exclamation" : visit.needsTime ? "arrows-exchange" : visit.icon;
    const link = make("a", { class: "card", href: text.course.replace("/0/", `/${visit.course}/`), draggable: "false", title: label(visit), "data-session": visit.session, tabindex: "-1" },
      make("span", { class: "hidden" }, label(visit)),
      bar(visit),
      make("span", { class: "at", "aria-hidden": "true" }, icon(sign), clock(visit.start)),
      make("span", { class: "name", "aria-hidden": "true" }, ...lines(visit.family)),
      make("span", { class: "foot", "aria-hidden": "true" }, make("span", { class: "ellipsis" }, beside), make("span", { class: "number" }, visit.of ? `${visit.number}/${visit.of}` : `${visit.number}`)),
    );
    return { domNodes: [link] };
  }

  // A long name on two lines, parted where it may be; what is too long even so ends in dots.
  function lines(name) {
    const [, first, second] = /^(.{2,}?[-\s])(.+)$/.exec(name) ?? [null, name];
    return [first, second].filter(Boolean).map((part) => make("span", {}, part));
  }

  function classes(visit) {
    const { date, minute } = now();
    const day = data.days[visit.day][0];
    visit.past = day < date || (day === date && visit.end <= minute);
    visit.late = !visit.past && visit.open && day === date && visit.start < minute;
    const running = ["checked-in", "giving", "monitoring", "ready"].includes(visit.state);
    const found = ["visit-block", visit.past ? "past" : running ? "running" : "coming"];
    if (visit.state === "held") found.push("held");
    if (visit.late) found.push("late");
    if (visit.needsTime) found.push("needs-time");
    return found;
  }

  function events() {
    const all = rows().map(([id]) => String(id));
    const off = data.off.flatMap(([day, start, end, chair, prescriber, reason], place) => {
      const times = { display: "background", start: stamp(day, start), end: stamp(day, end) };
      const wide = chair === -1 && prescriber === -1;
      const one = chair === -1 ? data.prescribers[prescriber] : data.chairs[chair];
      const hatch = { ...times, id: `off-${place}`, classNames: ["off"], resourceIds: wide ? all : [String(one?.[0])], title: wide ? "" : reason };
      const middle = all[Math.floor((all.length - 1) / 2)]; // where all is closed, it is said once
      return wide && reason ? [hatch, { ...times, id: `why-${place}`, classNames: ["why"], resourceId: middle, title: reason }] : [hatch];
    });
    return off.concat([...visits.values()].filter(({ day }) => day >= 0).map((visit) => ({
      id: String(visit.session),
      resourceId: String(rows()[rowOf(visit)][0]),
      start: stamp(visit.day, visit.start),
      end: stamp(visit.day, visit.end),
      startEditable: visit.movable,
      extendedProps: { visit },
    })));
  }

  function resources() {
    return rows().map(([id, name]) => ({ id: String(id), title: name }));
  }

  function hourWidth() {
    const [from, until] = data.hours;
    const room = (drawn.querySelector(".ec-main")?.clientWidth ?? drawn.clientWidth) - 113; // without names and scroll bar
    return Math.max(data.view === "day" ? 40 : 15, (room / data.days.length - 1) / ((until - from) / 60));
  }

  // All rows are seen at once where there is room for it.
  function level() {
    const room = window.innerHeight - 158 - 50; // what stands above, below and in the head, see calendar.css
    const height = Math.floor(Math.min(94, Math.max(68, room / rows().length)));
    drawn.style.setProperty("--row", `${height}px`);
    drawn.classList.toggle("low", height < 84 || !byChair());
  }

  function options() {
    const [from, until] = data.hours;
    const shown = data.days.map(([date]) => date);
    const weekdays = shown.map((date) => new Date(date).getUTCDay());
    return {
      view: data.view === "day" ? "resourceTimelineDay" : "resourceTimelineWeek",
      date: shown[0],
      firstDay: 1,
      hiddenDays: data.view === "day" ? [] : [0, 1, 2, 3, 4, 5, 6].filter((day) => !weekdays.includes(day)),
      headerToolbar: { start: "", center: "", end: "" },
      slotMinTime: `${clock(from)}:00`,
      slotMaxTime: `${clock(until)}:00`,
      scrollTime: `${clock(from)}:00`,
      slotDuration: "01:00:00",
      slotLabelInterval: data.view === "day" ? "01:00:00" : "02:00:00",
      slotLabelFormat: (date) => String(date.getHours()).padStart(2, "0"),
      slotWidth: hourWidth(),
      slotHeight: 24,
      snapDuration: `00:${String(Math.min(data.step, 30)).padStart(2, "0")}:00`,
      dayHeaderFormat: dayHead,
      dayHeaderAriaLabelFormat: () => "",
      resources: resources(),
      events: events(),
      eventContent: ({ event }) => (event.extendedProps.visit ? content(event.extendedProps.visit) : offContent(event)),
      eventClassNames: ({ event }) => (event.extendedProps.visit ? classes(event.extendedProps.visit) : []),
      eventAllUpdated: updated,
      editable: data.mayMove,
      eventDurationEditable: false,
      eventDragMinDistance: 5,
      longPressDelay: 500,
      eventDragStart: ({ event }) => aim(event.extendedProps.visit, { dragged: true }),
      dragConstraint: dragged,
      eventDrop: dropped,
      eventGap: 3,
      // "Today" of the library is the browser's.
      theme: (theme) => ({ ...theme, today: "", dark: "", autoDark: "" }),
    };
  }

  function dayHead(date) {
    const iso = `${date.getFullYear()}-${String(date.getMonth() + 1).padStart(2, "0")}-${String(date.getDate()).padStart(2, "0")}`;
    const [, name, note] = data.days.find(([day]) => day === iso) ?? [iso, iso, ""];
    return { domNodes: [make("b", {}, name), " ", make("span", { class: "quiet", title: note }, note)] };
  }

  function offContent(event) {
    return { domNodes: event.title ? [make("span", { class: "reason", title: event.title }, icon("lock"), make("span", { class: "ellipsis" }, event.title))] : [] };
  }

  // The library draws anew what has changed; what it says about itself is no table, so its roles go.
  function updated() {
    for (const element of drawn.querySelectorAll("[role=table], [role=row], [role=rowgroup], [role=cell], [role=rowheader], [role=columnheader], aside")) {
      element.setAttribute("role", "presentation");
      element.removeAttribute("aria-colindex");
    }
    for (const element of drawn.querySelectorAll("time[aria-label]")) element.removeAttribute("aria-label");
    frame = null;
    stop();
    mark();
    place();
  }

  // ------------------------------------------------------------------------------- what is placed over the rows

  function box(day, row, start, end) {
    if (!frame) {
      const cells = [...drawn.querySelectorAll(".ec-body .ec-grid > .ec-day")];
      const hour = Number.parseFloat(drawn.querySelector(".ec-main").style.getPropertyValue("--ec-slot-width"));
      frame = {
        minute: hour / 60,
        lefts: cells.slice(0, data.days.length).map((cell) => cell.offsetLeft),
        rows: cells.filter((_, place) => place % data.days.length === 0).map((cell) => ({ top: cell.offsetTop, height: cell.offsetHeight })),
      };
    }
    return { left: frame.lefts[day] + (start - data.hours[0]) * frame.minute, width: (end - start) * frame.minute, ...frame.rows[row] };
  }

  function put(layer, element, { left, top, width, height }) {
    Object.assign(element.style, { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` });
    layer.append(element);
    return element;
  }

  // The line of now, and where the visit that is moved may go.
  function place() {
    const held = drawn.querySelector(".ec-body");
    if (!held) return;
    under ??= make("div", { class: "overlay" });
    over ??= make("div", { class: "overlay over" });
    if (under.parentNode !== held) held.append(under, over);
    under.replaceChildren();
    const { date, minute } = now();
    const today = data.days.findIndex(([day]) => day === date);
    for (const kind of [".ec-col-head", ".ec-slots"]) {
      for (const [day, head] of drawn.querySelectorAll(kind).entries()) head.classList.toggle("is-today", day === today);
    }
    if (today >= 0 && data.hours[0] <= minute && minute < data.hours[1]) {
      put(under, make("div", { class: "now" }), { left: box(today, 0, minute, minute).left, top: 0, width: 2, height: held.offsetHeight });
    }
    for (const one of runs(move?.windows ?? [])) {
      const sign = make("div", { class: one.override ? "mark override" : "mark fits" }, one.override ? icon("signature") : "");
      put(under, sign, box(one.day, one.row, one.first, one.last + move.visit.end - move.visit.start));
    }
    haunt();
  }

  // The visit where it would be.
  function haunt() {
    over?.replaceChildren();
    if (!move?.spot) return;
    const { visit, spot } = move;
    const target = box(spot.day, spot.row, spot.start, spot.start + visit.end - visit.start);
    if (visit.day >= 0 && !same(spot, origin(visit))) over.append(trail(box(visit.day, rowOf(visit), visit.start, visit.end), target));
    const shown = { ...visit, start: spot.start, late: false };
    move.ghost = put(over, make("div", { class: `ghost ${verdict(spot)}`, "aria-hidden": "true" }, ...content(shown).domNodes), target);
    move.ghost.inert = true;
    move.ghost.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  // Windows that follow each other without a gap are one mark, whoever the prescriber is.
  function runs(windows) {
    const found = [];
    const ordered = [...windows].sort((one, other) => one.override - other.override || one.day - other.day || one.row - other.row || one.first - other.first);
    for (const one of ordered) {
      const last = found.at(-1);
      const follows = last && ["override", "day", "row"].every((name) => last[name] === one[name]) && one.first <= last.last + one.step;
      if (follows) last.last = Math.max(last.last, one.last);
      else found.push({ ...one });
    }
    return found;
  }

  // A dashed line from where it was to where it would be.
  function trail(from, to) {
    const right = to.left > from.left;
    const x1 = right ? from.left + from.width : from.left;
    const x2 = right ? to.left : to.left + to.width;
    const [y1, y2] = [from.top + from.height / 2, to.top + to.height / 2];
    const bend = (x1 + x2) / 2;
    return make("svg", { class: "trail", width: "100%", height: "100%" }, make("path", { d: `M${x1} ${y1}C${bend} ${y1} ${bend} ${y2} ${x2} ${y2}` }));
  }

  // One visit is reached by Tab, the others from there by the arrows.
  function stop(wanted) {
    const links = [...drawn.querySelectorAll(".ec-event:not(.ec-preview, .ec-ghost) a.card")];
    const chosen = wanted ?? links.find((link) => link.tabIndex === 0) ?? links.find((link) => !link.closest(".past")) ?? links[0];
    for (const link of links) link.tabIndex = link === chosen ? 0 : -1;
    return chosen;
  }

  const linkOf = (session) => drawn.querySelector(`.ec-event:not(.ec-preview, .ec-ghost) a[data-session="${session}"]`);

  // ------------------------------------------------------------------------------------------------------ moving

  const origin = (visit) => ({ day: visit.day, row: rowOf(visit), start: visit.start });
  const same = (one, other) => one.day === other.day && one.row === other.row && one.start === other.start;

  // move: visit; windows (null until they are known); ready (a promise of them); spot {day, row, start} or null.
  function aim(visit, { dragged = false, spot = origin(visit) } = {}) {
    move = { visit, windows: null, spot: dragged ? null : spot, dragged };
    const mine = move;
    move.ready = know().then(() => move === mine && tell(move.spot ?? origin(visit), !dragged)).catch((error) => {
      if (move === mine && !panel.open) refuse(error.message || text.lost);
    });
    pill.hidden = false;
    root.classList.add("aiming");
    tell(origin(visit), false);
    mark();
    place();
  }

  // The marks, as the clinic is now.
  async function know() {
    const mine = move;
    const windows = await ask(mine.visit);
    if (move !== mine) return;
    mine.windows = windows;
    place();
  }

  // What stands in the way of any move is said where what a move does is said.
  function refuse(words) {
    body.replaceChildren(make("p", { class: "notice red", role: "alert", tabindex: "-1" }, words));
    open();
  }

  // Where it may go: by chair with whoever can, by prescriber with each of them.
  async function ask(visit) {
    const address = text.starts.replace("/0/", `/${visit.session}/`);
    const asked = byChair() ? [""] : data.prescribers.map(([id]) => `?prescriber=${id}`);
    const answers = await Promise.all(asked.map((query) => fetch(address + query, { headers: { Accept: "application/json" } })));
    const found = [];
    for (const answer of answers) {
      if (answer.status === 401) document.dispatchEvent(new Event("signed-out"));
      const told = await answer.json().catch(() => ({}));
      if (!answer.ok) throw new Error(told.message);
      for (const [date, chair, prescriber, first, last, override, utc] of told.windows) {
        const day = data.days.findIndex(([iso]) => iso === date);
        const row = rows().findIndex(([id]) => id === (byChair() ? chair : prescriber));
        if (day >= 0 && row >= 0) found.push({ day, row, chair, prescriber, first, last, override, utc, step: told.step });
      }
    }
    return byChair() ? found : merged(found);
  }

  // By prescriber the same times are free in several chairs: its own is taken where it can be.
  function merged(windows) {
    const own = data.chairs[move.visit.chair][0];
    return windows.sort((one, other) => (other.chair === own) - (one.chair === own));
  }

  function windowAt({ day, row, start }) {
    return (move?.windows ?? []).filter((one) => one.day === day && one.row === row && one.first <= start && start <= one.last
      && (start - one.first) % one.step === 0).sort((one, other) => one.override - other.override)[0];
  }

  function verdict(spot) {
    const found = windowAt(spot);
    return !move.windows ? "asking" : !found ? "no" : found.override ? "override" : "fits";
  }

  function tell(spot, aloud = true) {
    const values = { when: when(spot.day, spot.start), row: rows()[spot.row][1] };
    const here = same(spot, origin(move.visit));
    const state = here ? "here" : verdict(spot);
    const words = here || state === "asking"
      ? fill(text.moving, { name: `${move.visit.family}, ${move.visit.first}`, visit: ordinal(move.visit), when: when(spot.day, spot.start) })
      : fill(text[state], values);
    pill.querySelector("span").textContent = words;
    pill.dataset.state = state;
    if (aloud) say(words);
  }

  function say(words) {
    document.getElementById("said").textContent = words;
  }

  // The visits of the same course, and the place that is left, look different while it is moved.
  function mark() {
    for (const block of drawn.querySelectorAll(".kin, .was-here")) {
      block.classList.remove("kin", "was-here");
      const left = visits.get(Number(block.querySelector("a.card")?.dataset.session));
      if (left) block.querySelector(".name").replaceChildren(...lines(left.family));
    }
    if (!move) return;
    for (const visit of visits.values()) {
      const link = visit.course === move.visit.course && linkOf(visit.session);
      if (!link) continue;
      if (visit.session !== move.visit.session) link.closest(".ec-event").classList.add("kin");
      else if (move.spot && !same(move.spot, origin(visit))) {
        link.closest(".ec-event").classList.add("was-here");
        link.querySelector(".name").replaceChildren(text.wasHere);
      }
    }
  }

  function landing(info) {
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
    const spot = move && landing(info);
    if (spot) {
      tell(spot, false);
      if (drawn.dataset.aim !== pill.dataset.state) drawn.dataset.aim = pill.dataset.state;
      const at = drawn.querySelector(".ec-preview .at");
      if (at) at.lastChild.textContent = clock(spot.start);
    }
    return true;
  }

  function dropped(info) {
    info.revert();
    delete drawn.dataset.aim;
    const spot = move && landing(info);
    if (!spot || same(spot, origin(move.visit))) return leave();
    move.spot = spot;
    mark();
    haunt();
    look();
  }

  function step(key, shift) {
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
    mark();
    haunt();
    tell(spot);
  }

  // To other dates, with what is being moved.
  function along(address) {
    const url = new URL(address);
    url.searchParams.set("move", move.visit.session);
    location.assign(url);
  }

  function arrive() {
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
    if (!move?.spot) return;
    if (same(move.spot, origin(move.visit))) {
      leave();
      return;
    }
    const mine = move;
    await move.ready;
    if (move !== mine) return;
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
    haunt();
    body.replaceChildren();
    tell(spot);
    await htmx.ajax("POST", text.move.replace("/0/", `/${visit.session}/`), { target: body, swap: "innerHTML", values }).catch(() => {});
    if (move !== mine) return;
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
    const at = (move.ghost ?? linkOf(move.visit.session) ?? drawn).getBoundingClientRect();
    const { width, height } = panel.getBoundingClientRect();
    const left = at.right + 12 + width < window.innerWidth ? at.right + 12 : at.left - 12 - width;
    const top = Math.min(at.top, window.innerHeight - height - 12);
    panel.style.left = `${Math.max(12, Math.min(left, window.innerWidth - width - 12))}px`;
    panel.style.top = `${Math.max(12, top)}px`;
  }

  function leave({ said = text.left } = {}) {
    const session = move?.visit.session;
    const had = move;
    move = null;
    pill.hidden = true;
    root.classList.remove("aiming");
    delete drawn.dataset.aim;
    if (panel.open) panel.close();
    mark();
    place();
    if (!had) return;
    if (location.search.includes("move=")) history.replaceState(null, "", here());
    say(said);
    if (stale) refresh();
    const link = linkOf(session);
    (link ? stop(link) : drawn).focus({ focusVisible: !had.dragged });
  }

  // Escape leaves everything as it was; "Another time" goes on from where the visit has been put.
  let further = false;
  panel.addEventListener("close", () => {
    if (!further || !move) {
      leave();
      return;
    }
    further = false;
    move.dragged = false;
    body.replaceChildren();
    (linkOf(move.visit.session) ?? drawn).focus();
    tell(move.spot);
  });
  panel.addEventListener("click", (event) => {
    if (!event.target.closest("[data-look-close]")) return;
    event.preventDefault();
    further = true;
    panel.close();
  });
  document.querySelector(".head").addEventListener("click", (event) => {
    const link = event.target.closest("a[href]");
    if (!move || !link || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    along(link.href);
  });
  pill.querySelector("button").addEventListener("click", () => leave());
  body.addEventListener("htmx:afterSettle", () => move && panel.open && beside());
  // Somebody else was quicker: what is possible now is marked.
  body.addEventListener("htmx:afterRequest", ({ detail }) => {
    const mine = move;
    if (mine && detail.xhr.status === 409) know().then(() => move === mine && tell(mine.spot, false)).catch(() => {});
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
    if (panel.open || event.ctrlKey || event.metaKey || event.altKey || !calendar) return;
    const link = event.target.closest?.("a.card");
    const arrow = event.key.startsWith("Arrow");
    if (move && !move.dragged && (arrow || event.key === "Enter")) {
      event.preventDefault();
      if (arrow) step(event.key, event.shiftKey);
      else look();
    } else if (move && event.key === "Escape") {
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
    const visit = visits.get(Number(link.dataset.session));
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
  drawn.addEventListener("click", (event) => move && event.preventDefault(), true);
  drawn.addEventListener("focusin", (event) => {
    if (event.target.matches("a.card")) last = stop(event.target).dataset.session;
  });

  // -------------------------------------------------------------------------------------------------- keeping up

  // The part of the page that holds the data follows the database (live.js); what is drawn follows the data, but not
  // while something is being moved over it.
  let stale = false;

  function refresh() {
    stale = Boolean(move);
    if (stale) return;
    const outline = () => JSON.stringify([data.hours, data.days.map(([day]) => day), rows()]);
    const before = outline();
    const focused = document.activeElement?.dataset?.session;
    take(document.getElementById("calendar-data"));
    if (!calendar) return;
    if (before !== outline()) draw();
    else {
      calendar.setOption("dayHeaderFormat", (date) => dayHead(date));
      calendar.setOption("events", events());
    }
    if (focused) requestAnimationFrame(() => linkOf(focused)?.focus());
  }

  // Each minute the part is asked for, too: then only the time is another one.
  document.addEventListener("live:changed", () => {
    const { now: _, ...fresh } = JSON.parse(document.getElementById("calendar-data").textContent);
    const { now: __, ...shown } = data;
    if (JSON.stringify(fresh) === JSON.stringify(shown)) minute();
    else refresh();
  });

  function minute() {
    if (calendar && !move) {
      for (const link of drawn.querySelectorAll("a.card")) {
        const visit = visits.get(Number(link.dataset.session));
        if (!visit || visit.past) continue;
        const { late } = visit;
        const found = classes(visit);
        const block = link.closest(".ec-event");
        for (const name of ["past", "running", "coming", "late"]) block.classList.toggle(name, found.includes(name));
        if (late !== visit.late) link.replaceWith(content(visit).domNodes[0]);
      }
      stop();
      place();
    }
  }

  // -------------------------------------------------------------------------------------------------------- start

  function draw() {
    if (calendar) EventCalendar.destroy(calendar);
    level();
    drawn.classList.toggle("by-prescriber", !byChair());
    under = over = undefined;
    calendar = EventCalendar.create(drawn, options());
    root.classList.add("has-drawing");
    const width = hourWidth();
    if (Math.abs(width - calendar.getOption("slotWidth")) > 0.01) calendar.setOption("slotWidth", width);
  }

  function fit() {
    if (wide.matches && !calendar) draw();
    if (!calendar || !wide.matches) return;
    level();
    calendar.setOption("slotWidth", hourWidth());
    requestAnimationFrame(() => {
      frame = null;
      place();
    });
  }

  drawn.tabIndex = -1;
  take(document.getElementById("calendar-data"));
  fit();
  // Only then has the browser looked for what wants the focus first.
  window.addEventListener("load", () => setTimeout(() => calendar && arrive()));
  window.addEventListener("resize", fit);
  setInterval(minute, 30000);
})();
