// The session as its pages see it: the warning before it ends, the notice when it has, and forms that arrive too late.
// Everything works without it: what is sent too late then comes back by clinic/door.py all the same.

// What the pressed button says goes along with the form, for the page that may have to offer it once more.
window.addEventListener("submit", ({ target: form, submitter }) => {
  if (form.method !== "post" || !submitter || form.elements.resume_label?.value) return;
  const label = document.createElement("input");
  label.type = "hidden";
  label.name = "resume_label";
  const words = submitter.cloneNode(true);
  for (const aside of words.querySelectorAll("kbd, svg")) aside.remove();
  const said = submitter.dataset.says || submitter.getAttribute("aria-label") || words.textContent;
  label.value = said.trim().replace(/\s+/g, " ") || submitter.value;
  form.append(label);
  setTimeout(() => label.remove());
}, { capture: true });

// Somebody stands at the door: whoever is signed in, it is not in this browser.
if (document.querySelector(".door")) localStorage.setItem("session-ends", "0");

const dialog = document.getElementById("idle");
if (dialog) watch();

function watch() {
  const idle = 1000 * dialog.dataset.seconds;
  const warned = Math.min(1000 * dialog.dataset.warns, idle / 2);
  const left = dialog.querySelector(".left");
  const notice = document.getElementById("signed-out");
  const banner = document.getElementById("banner");
  let asking = false;
  let asked = 0;

  // All windows of the browser share when the session ends, so that work in one keeps the others; 0 is signed out.
  const ends = () => Number(localStorage.getItem("session-ends"));
  const renewed = (seconds) => localStorage.setItem("session-ends", String(Date.now() + seconds));
  const over = () => banner.querySelector("[data-session]") !== null;
  renewed(idle);

  // Ask how long it lasts; a look renews nothing.
  async function ask({ look }) {
    if (asking || (look && Date.now() < asked + 3000)) return;
    asking = true;
    asked = Date.now();
    try {
      const headers = look ? { "X-Background": "1" } : {};
      const answer = await fetch(dialog.dataset.asks, { headers, redirect: "manual" });
      if (answer.ok) {
        const { seconds, staff, token } = await answer.json();
        renewed(1000 * seconds);
        if (String(staff) === dialog.dataset.staff) begin(token);
        else end(); // somebody else is: what is sent from here shows them whose name it will bear
      } else if (answer.status === 401 || answer.type === "opaqueredirect") {
        localStorage.setItem("session-ends", "0");
        end();
      }
    } catch {
      // No connection: neither signed in nor out is certain, and the page says elsewhere that it is not live.
    } finally {
      asking = false;
    }
  }

  function begin(token) {
    for (const field of document.getElementsByName("csrfmiddlewaretoken")) field.value = token;
    banner.querySelector("[data-session]")?.remove();
    if (dialog.open && ends() - Date.now() > warned) dialog.close();
  }

  function end() {
    if (dialog.open) dialog.close();
    if (over()) return;
    const shown = document.importNode(notice.content.firstElementChild, true);
    shown.dataset.session = "over";
    shown.querySelector("a").search = new URLSearchParams({ next: location.pathname + location.search });
    banner.append(shown);
  }

  function tick() {
    const rest = ends() - Date.now();
    if (over()) {
      if (rest > 0) ask({ look: true }); // signed in again, in another window: with another token
    } else if (rest <= 0) {
      ask({ look: true });
    } else if (rest > warned) {
      if (dialog.open) dialog.close();
    } else {
      const seconds = Math.ceil(rest / 1000);
      left.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
      if (!dialog.open) dialog.showModal();
    }
  }
  setInterval(tick, 1000);
  addEventListener("storage", ({ key }) => key === "session-ends" && tick());
  document.addEventListener("visibilitychange", () => document.hidden || tick());
  document.addEventListener("signed-out", () => ask({ look: true }));

  // A key or a tap is work, though the server hears of it once a minute only. While the question stands, the answer
  // counts.
  function worked() {
    if (!over() && !dialog.open && ends() - Date.now() < idle - 60_000) ask({ look: false });
  }
  addEventListener("keydown", worked, { capture: true, passive: true });
  addEventListener("pointerdown", worked, { capture: true, passive: true });
  dialog.querySelector("[data-stays]").addEventListener("click", () => ask({ look: false }));
  dialog.addEventListener("cancel", (event) => {
    event.preventDefault();
    ask({ look: false });
  });

  // Parts of the page. A form that came too late is sent once more as a page, whose answer brings back what was typed;
  // whatever else comes too late leaves the page as it stands.
  document.addEventListener("htmx:afterRequest", ({ detail: { xhr, requestConfig } }) => {
    const background = Object.keys(requestConfig.headers).some((name) => name.toLowerCase() === "x-background");
    const submitted = requestConfig.triggeringEvent?.type === "submit";
    if (submitted && xhr.getResponseHeader("X-Send-As") === "page") {
      sendAsPage(requestConfig);
    } else if (xhr.status === 401 || xhr.getResponseHeader("X-Send-As")) {
      ask({ look: true }); // signed out, or in again with another token: then the next try has it
    } else if (xhr.status >= 200 && xhr.status < 400 && !background) {
      renewed(idle);
    }
  });
}

function sendAsPage({ path, formData }) {
  const form = document.createElement("form");
  form.method = "post";
  form.action = path;
  form.hidden = true;
  for (const [name, value] of formData) {
    const field = document.createElement("textarea"); // keeps the lines of what was typed
    field.name = name;
    field.value = value;
    form.append(field);
  }
  document.body.append(form);
  form.submit();
}
