// What lies over the rows of the calendar: the line of now, where the visit that is moved may go, where it would be.

const marks = (() => {
  const { drawn, text, rows, rowOf, now, make, icon, content, lines, linkOf } = calendar;

  let under; // lies between the rows and the visits: where it may go, the line of now
  let over; // lies above the visits: where it would be
  let frame; // where days and rows are drawn

  const origin = (visit) => ({ day: visit.day, row: rowOf(visit), start: visit.start });
  const same = (one, other) => one.day === other.day && one.row === other.row && one.start === other.start;

  function windowAt({ day, row, start }) {
    return (calendar.move?.windows ?? []).filter((one) => one.day === day && one.row === row && one.first <= start && start <= one.last
      && (start - one.first) % one.step === 0).sort((one, other) => one.override - other.override)[0];
  }

  // What the visit that is moved may do there.
  function verdict(spot) {
    const found = windowAt(spot);
    return !calendar.move.windows ? "asking" : !found ? "no" : found.override ? "override" : "fits";
  }

  function box(day, row, start, end) {
    const { data } = calendar;
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
    const { data, move } = calendar;
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
  }

  // The visit where it would be.
  function haunt() {
    over?.replaceChildren();
    const { visit, spot } = calendar.move ?? {};
    if (!spot) return;
    const target = box(spot.day, spot.row, spot.start, spot.start + visit.end - visit.start);
    if (visit.day >= 0 && !same(spot, origin(visit))) over.append(trail(box(visit.day, rowOf(visit), visit.start, visit.end), target));
    const shown = { ...visit, day: spot.day, start: spot.start, late: false };
    const ghost = put(over, make("div", { class: `ghost ${verdict(spot)}`, "aria-hidden": "true" }, ...content(shown).domNodes), target);
    ghost.inert = true;
    ghost.scrollIntoView({ block: "nearest", inline: "nearest" });
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

  // The visits of the same course, and the place that is left, look different while it is moved.
  function mark() {
    const { move, visits } = calendar;
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

  function show() {
    mark();
    place();
    haunt();
  }

  drawn.addEventListener("calendar:drawn", () => {
    frame = null;
    show();
  });

  return { origin, same, windowAt, verdict, show, get ghost() { return over?.querySelector(".ghost"); } };
})();
