// The eye beside a password: shows what was typed, and hides it again before it is sent.
for (const eye of document.querySelectorAll(".eye")) {
  const field = document.getElementById(eye.getAttribute("aria-controls"));
  const show = (shown) => {
    field.type = shown ? "text" : "password";
    eye.setAttribute("aria-pressed", String(shown));
  };
  eye.addEventListener("click", () => {
    show(field.type === "password");
    field.focus();
  });
  field.form.addEventListener("submit", () => show(false));
}
