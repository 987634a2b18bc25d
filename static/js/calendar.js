// The calendar: draws what the page carries and keeps up with the clinic. What lies over the rows is in
// calendar-marks.js, how a visit is given another place in calendar-moving.js.
//
// Every time in here is one of the site's clocks, in minutes since midnight: the browser's own zone has no part in it.
// The policy allows no inline styles; what is placed to scale is placed by the style objects of elements.

const calendar = (() => {
  const root = document.getElementById("calendar");
  const drawn = document.getElementById("drawn");
  const text = root.dataset;
  const wide = matchMedia("(min-width: 761px)");

  let data;
  let visits; // by the id of their session
  let widget; // the library's, once something is drawn
  let loaded; // when the data came, by the browser's own count of time
  let format; // of the site's zone
  let moment; // what was said last when it was asked what time it is
  let stale = false; // the data is newer than what is drawn

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
      const [session, course, chair, prescriber, day, start, end, shape, state, number, of, family, first, needsTime, expected] = row;
      const visit = { session, course, chair, prescriber, day, start, end, number, of, family, first, needsTime, expected };
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
      state: [visit.stateLabel, visit.overdue && text.overdue, visit.late && text.late, comes(visit), visit.needsTime && text.needsTime].filter(Boolean).join(", "),
    });
  }

  const comes = (visit) => visit.open && visit.expected !== null && fill(text.comes, { time: clock(visit.expected) });

  function content(visit) {
    const beside = byChair() ? data.prescribers[visit.prescriber][2] : data.chairs[visit.chair][1];
    const sign = visit.overdue || visit.late || comes(visit) ? "clock-exclamation" : visit.needsTime ? "arrows-exchange" : visit.icon;
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
    const running = ["checked-in", "giving", "monitoring", "ready"].includes(visit.state);
    const over = (at) => day < date || (day === date && at <= minute);
    const dosed = visit.start + visit.shape[0] + visit.shape[1];
    visit.past = !running && over(visit.end); // who is still here is not done
    visit.overdue = running && (over(visit.end) || (visit.state === "giving" && over(dosed + 1)));
    visit.late = !visit.past && visit.open && day === date && visit.start < minute;
    const found = ["visit-block", visit.past ? "past" : running ? "running" : "coming"];
    if (visit.state === "held") found.push("held");
    if (visit.late) found.push("late");
    if (visit.overdue) found.push("overdue");
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
    const below = root.querySelector(".legend").offsetHeight + 16; // and the gaps around it, see calendar.css
    const room = window.innerHeight - drawn.getBoundingClientRect().top - window.scrollY - below - 50; // the drawing's own head
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
      eventContent: ({ event }) => (event.extendedProps.visit ? content(inHand(event)) : offContent(event)),
      eventClassNames: ({ event }) => (event.extendedProps.visit ? classes(event.extendedProps.visit) : []),
      eventAllUpdated: updated,
      editable: data.mayMove,
      eventDurationEditable: false,
      eventDragMinDistance: 5,
      longPressDelay: 500,
      ...calendar.dragging,
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

  // What is dragged says the time that it has now.
  function inHand({ display, start, extendedProps: { visit } }) {
    return display === "preview" ? { ...visit, start: start.getHours() * 60 + start.getMinutes() } : visit;
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
    stop();
    changed();
  }

  // What lies over the rows is put there anew (calendar-marks.js).
  const changed = () => drawn.dispatchEvent(new Event("calendar:drawn"));

  // One visit is reached by Tab, the others from there by the arrows.
  function stop(wanted) {
    const links = [...drawn.querySelectorAll(".ec-event:not(.ec-preview, .ec-ghost) a.card")];
    const chosen = wanted ?? links.find((link) => link.tabIndex === 0) ?? links.find((link) => !link.closest(".past")) ?? links[0];
    for (const link of links) link.tabIndex = link === chosen ? 0 : -1;
    return chosen;
  }

  const linkOf = (session) => drawn.querySelector(`.ec-event:not(.ec-preview, .ec-ghost) a[data-session="${session}"]`);

  // -------------------------------------------------------------------------------------------------- keeping up

  // The part of the page that holds the data follows the database (live.js); what is drawn follows the data, but not
  // while something is being moved over it.
  function refresh() {
    stale = Boolean(calendar.move);
    if (stale) return;
    const outline = () => JSON.stringify([data.hours, data.days.map(([day]) => day), rows()]);
    const before = outline();
    const focused = document.activeElement?.dataset?.session;
    take(document.getElementById("calendar-data"));
    if (!widget) return;
    if (before !== outline()) draw();
    else {
      widget.setOption("dayHeaderFormat", (date) => dayHead(date));
      widget.setOption("events", events());
    }
    if (focused) requestAnimationFrame(() => linkOf(focused)?.focus());
  }

  // What has been moved is down again.
  function catchUp() {
    if (stale) refresh();
  }

  // Each minute the part is asked for, too: then only the time is another one.
  document.addEventListener("live:changed", () => {
    const { now: later, ...fresh } = JSON.parse(document.getElementById("calendar-data").textContent);
    const { now: _, ...shown } = data;
    if (JSON.stringify(fresh) !== JSON.stringify(shown)) {
      refresh();
      return;
    }
    data.now = later;
    loaded = performance.now(); // which may have stood still while the machine slept
    moment = null;
    minute();
  });

  function minute() {
    if (!widget || calendar.move) return;
    for (const link of drawn.querySelectorAll("a.card")) {
      const visit = visits.get(Number(link.dataset.session));
      if (!visit || visit.past) continue;
      const { late, overdue } = visit;
      const found = classes(visit);
      const block = link.closest(".ec-event");
      for (const name of ["past", "running", "coming", "late", "overdue"]) block.classList.toggle(name, found.includes(name));
      if (late !== visit.late || overdue !== visit.overdue) relabel(link, visit);
    }
    stop();
    changed();
  }

  // The link stays, and the focus with it.
  function relabel(link, visit) {
    const [fresh] = content(visit).domNodes;
    link.title = fresh.title;
    link.replaceChildren(...fresh.childNodes);
  }

  // -------------------------------------------------------------------------------------------------------- start

  function draw() {
    if (widget) EventCalendar.destroy(widget);
    level();
    drawn.classList.toggle("by-prescriber", !byChair());
    widget = EventCalendar.create(drawn, options());
    root.classList.add("has-drawing");
    level(); // only now it is known where the drawing begins and how high the legend is
    const width = hourWidth();
    if (Math.abs(width - widget.getOption("slotWidth")) > 0.01) widget.setOption("slotWidth", width);
  }

  function fit() {
    if (wide.matches && !widget) draw();
    if (!widget || !wide.matches) return;
    level();
    widget.setOption("slotWidth", hourWidth());
    requestAnimationFrame(changed);
  }

  drawn.tabIndex = -1;
  take(document.getElementById("calendar-data"));
  // The other two have then said what they add.
  document.addEventListener("DOMContentLoaded", fit);
  window.addEventListener("resize", fit);
  setInterval(minute, 30000);

  return {
    root, drawn, text, byChair, rows, rowOf, clock, when, fill, ordinal, now, make, icon, content, lines, linkOf, stop, catchUp,
    get data() { return data; },
    get visits() { return visits; },
    dragging: {}, // what is done when a visit is dragged
    move: null, // what is being moved, see aim()
  };
})();
