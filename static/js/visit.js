// A visit at the chair: Enter leads from field to field, digits choose a grade, unusual values are asked about and
// impossible ones refused while they are typed. The server judges all of it again; without this script it does so alone.

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-print]")) window.print();
});

// A step that a colleague has taken is told beside what is being typed; nothing typed is lost.
document.addEventListener("live:changed", ({ target }) => {
  const work = document.querySelector(".visit-work");
  if (!work || work.dataset.stage === target.dataset.stage || work.querySelector("[data-moved-on]")) return;
  const notice = document.getElementById("moved-on").content.firstElementChild.cloneNode(true);
  notice.dataset.movedOn = "";
  work.prepend(notice);
});

// How long a step can still be undone.
setInterval(() => {
  for (const left of document.querySelectorAll("[data-seconds]")) {
    left.counted ??= { from: left.dataset.seconds, at: performance.now() };
    if (left.counted.from !== left.dataset.seconds) left.counted = { from: left.dataset.seconds, at: performance.now() };
    const seconds = Math.max(0, Math.round(left.counted.from - (performance.now() - left.counted.at) / 1000));
    left.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    if (!seconds) left.closest("form").hidden = true;
  }
}, 1000);

// mg follow mg/kg, until somebody types mg.
const dose = document.querySelector(".dose[data-weight]");
dose?.addEventListener("input", ({ target }) => {
  const mg = dose.querySelector("[name=mg]");
  if (target === mg) mg.dataset.own = "";
  else if (target.name === "mg_per_kg" && !("own" in mg.dataset)) {
    const made = target.value * dose.dataset.weight;
    mg.value = made ? made.toFixed(1) : "";
  }
});

// A question is answered by the first letter of an answer, and the next one comes.
document.addEventListener("keydown", (event) => {
  const question = event.target.closest?.(".question");
  if (!question || event.ctrlKey || event.altKey || event.metaKey || event.key.length !== 1) return;
  const key = event.key.toLocaleLowerCase();
  const answer = [...question.querySelectorAll("label")].find((label) => label.textContent.trim().toLocaleLowerCase().startsWith(key));
  if (!answer) return;
  event.preventDefault();
  event.stopPropagation();
  answer.querySelector("input").checked = true;
  const next = question.nextElementSibling?.matches(".question") ? question.nextElementSibling : question.parentElement.nextElementSibling;
  (next?.querySelector("input") ?? answer.querySelector("input")).focus();
}, true);

const opening = document.querySelector("form.act :is(input:not([type=hidden]), select, textarea)");
if (opening && !document.querySelector(".visit-work [autofocus]") && document.activeElement === document.body) opening.focus();

const form = document.querySelector("form[data-vitals]");
if (form) measure(form);

function measure(form) {
  const opened = Date.now();
  const numbers = [...form.querySelectorAll("[data-number]")];
  const grades = [...form.querySelectorAll(".grades")];
  const save = form.querySelector(".visit-foot .primary");
  const left = form.querySelector(".count-left");

  function field(entry) {
    return entry.querySelector("input:not([type=hidden])");
  }

  // What is asked to be said about an alarming round, while nothing is.
  function unsaid() {
    const asked = form.querySelector("[data-must-say]");
    return asked && !asked.querySelector(":checked") && !form.elements.action.value.trim() ? [form.elements.called] : [];
  }

  function empty() {
    const missing = numbers.map(field).filter((input) => !input.value.trim());
    const ungraded = grades.filter((grade) => !grade.querySelector(":checked")).map((grade) => grade.querySelector("input"));
    return [...missing, ...ungraded, ...unsaid()];
  }

  function count() {
    const missing = empty().length;
    const { one, many } = left.dataset;
    left.textContent = missing ? (missing === 1 ? one : many.replace("%n", missing)) : "";
  }

  // When it was taken: when somebody began to type.
  function begin() {
    const began = form.elements.began;
    if (began.value) return;
    const now = new Date(Date.parse(form.dataset.now) + Date.now() - opened);
    began.value = now.toISOString();
    const offset = form.dataset.now.match(/([+-])(\d\d):(\d\d)$/); // the site's clock, not the browser's
    const ahead = offset ? (offset[1] === "-" ? -1 : 1) * (60 * offset[2] + +offset[3]) : 0;
    const told = form.querySelector("[data-taken]");
    told.textContent = told.dataset.text.replace("%t", new Date(now.getTime() + 60000 * ahead).toISOString().slice(11, 16));
    told.hidden = false;
  }

  // What stands below a number: the difference, a question, or why it cannot be.
  function judge(entry) {
    const said = entry.querySelector("[data-since]");
    const { least, most, low, high, jump, before, amber, red } = entry.dataset;
    said.dataset.was ??= said.textContent;
    const text = field(entry).value.trim();
    const value = Number(text);
    entry.classList.remove("more", "asks", "wrong", "alarm");
    if (!text) {
      said.textContent = said.dataset.was;
      return "empty";
    }
    if (!/^\d+$/.test(text) || value < +least || value > +most) {
      entry.classList.add("wrong");
      said.textContent = said.dataset.refuses;
      return "impossible";
    }
    const change = before === undefined ? 0 : value - before;
    const unusual = value < +low || value > +high || Math.abs(change) >= +jump;
    if (before !== undefined) said.textContent = said.dataset.more.replace("%n", `${change > 0 ? "+" : change < 0 ? "−" : "±"}${Math.abs(change)}`);
    else said.textContent = "";
    const down = +red < +amber; // the saturation stands out downwards
    const beyond = (limit) => limit !== undefined && (down ? value <= +limit : value >= +limit);
    if (beyond(red)) entry.classList.add("alarm");
    else if (beyond(amber) || Math.abs(change) >= 20) entry.classList.add("more");
    if (unusual && !confirmed(entry)) {
      entry.classList.remove("more");
      entry.classList.add("asks");
      said.textContent = said.dataset.asks.replace("%v", value);
      return "unusual";
    }
    return "";
  }

  function confirmed(entry) {
    const input = field(entry);
    return form.querySelector(`input[name=confirmed][value="${input.name}=${input.value.trim()}"]`);
  }

  function confirm(entry) {
    const input = field(entry);
    const meant = document.createElement("input");
    meant.type = "hidden";
    meant.name = "confirmed";
    meant.value = `${input.name}=${input.value.trim()}`;
    entry.append(meant);
    judge(entry);
  }

  // The rules of the visit speak about what was typed so far.
  function look() {
    if (numbers.some((entry) => field(entry).value.trim())) window.htmx?.trigger(form, "look");
  }

  function onwards(from) {
    const graded = grades.map((grade) => grade.querySelector(":checked") ?? grade.querySelector("input"));
    const fields = [...numbers.map(field), ...graded, ...unsaid()];
    const place = fields.findIndex((input) => input === from || (input.type === "radio" && input.name === from.name));
    const next = fields[place + 1] ?? save;
    next.focus();
    next.select?.();
  }

  for (const entry of numbers) {
    const input = field(entry);
    input.addEventListener("input", () => {
      begin();
      judge(entry);
      count();
    });
    input.addEventListener("change", look);
    input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.ctrlKey || event.isComposing) return;
      event.preventDefault();
      const verdict = judge(entry);
      if (verdict === "unusual" && entry.dataset.asked === input.value) confirm(entry);
      else if (verdict === "unusual" || verdict === "impossible") {
        entry.dataset.asked = input.value;
        input.select();
        look();
        return;
      }
      look();
      onwards(input);
    });
  }

  function choose(chosen) {
    chosen.checked = true;
    begin();
    count();
    onwards(chosen);
  }

  // Wherever the focus has gone, a digit is for what is still awaited: typed into the first empty number, or the first
  // open grade. Only in a complete round it is a key of the page.
  document.addEventListener("keydown", (event) => {
    if (!/^\d$/.test(event.key) || event.ctrlKey || event.altKey || event.metaKey) return;
    if (document.documentElement.dataset.keys === "off" || document.querySelector("dialog[open]")) return;
    if (event.target.closest("select, textarea, .grades, input:not([type=checkbox])")) return;
    const awaited = empty().find((input) => input !== form.elements.called);
    if (!awaited) return;
    event.stopPropagation();
    awaited.focus(); // a number is typed on into
    if (awaited.type !== "radio") return;
    event.preventDefault();
    const chosen = awaited.closest(".grades").querySelector(`input[value="${event.key}"]`);
    if (chosen) choose(chosen);
  }, true);

  for (const grade of grades) {
    grade.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.altKey || event.metaKey) return;
      if (event.key === "Enter") {
        event.preventDefault();
        if (grade.querySelector(":checked")) onwards(event.target); // what is not graded is not jumped over
        return;
      }
      const chosen = /^\d$/.test(event.key) && grade.querySelector(`input[value="${event.key}"]`);
      if (!/^\d$/.test(event.key)) return;
      event.preventDefault(); // a digit here is a grade, never a key of the page
      if (chosen) choose(chosen);
    });
    grade.addEventListener("change", () => {
      begin();
      count();
    });
    grade.querySelector("legend kbd")?.closest("legend").addEventListener("click", () => grade.querySelector("input").focus());
  }

  // What is missing or asked about is gone to; nothing is sent before.
  form.addEventListener("submit", (event) => {
    const wrong = numbers.find((entry) => judge(entry) === "impossible");
    const missing = wrong ? field(wrong) : empty()[0];
    if (!missing) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    missing.focus();
    missing.select?.();
  }, true);

  count();
  const first = form.querySelector(".number.wrong input, .number.asks input") ?? numbers.map(field).find((input) => !input.value) ?? save;
  if (!document.activeElement?.matches("input, textarea, select") && !form.querySelector("[autofocus]")) first.focus();
}
