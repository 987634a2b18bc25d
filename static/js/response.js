// The decision of a clinician: the button says what is chosen, "r" goes from reason to reason. Works without it.

const form = document.querySelector("#decision form");

if (form) {
  const record = form.querySelector("[data-records] span");

  form.addEventListener("change", ({ target }) => {
    if (target.dataset.act) record.textContent = target.dataset.act;
  });

  form.querySelector("[data-next-reason]").addEventListener("click", () => {
    const reasons = [...form.querySelectorAll("[name=why]")];
    const next = reasons[(reasons.findIndex((reason) => reason.checked) + 1) % reasons.length];
    next.checked = true;
    next.focus();
  });
}
