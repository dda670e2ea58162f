// Says while a password is being chosen what the server would say to it. The form works without.

const PAUSE = 400; // milliseconds without a key: somebody is reading, not typing

for (const input of document.querySelectorAll("[data-judge]")) {
  const verdict = document.createElement("p");
  verdict.className = "field-verdict";
  verdict.setAttribute("role", "status");
  input.after(verdict);
  let timer, asking;

  input.addEventListener("input", () => {
    clearTimeout(timer);
    asking?.abort();
    if (input.value) timer = setTimeout(judge, PAUSE);
    else verdict.textContent = "";
  });

  // The form's answer says it then, and ends the session that the question's token belongs to.
  input.form.addEventListener("submit", () => {
    clearTimeout(timer);
    asking?.abort();
  });

  async function judge() {
    asking = new AbortController();
    const { csrf_token, username } = input.form.elements;
    const body = new URLSearchParams({
      csrf_token: csrf_token.value,
      username: username?.value ?? "",
      password: input.value,
    });
    try {
      const answer = await fetch(input.dataset.judge, { method: "POST", body, signal: asking.signal });
      if (!answer.ok) return void (verdict.textContent = ""); // too many, say: what was said of another one isn't true
      const { problem } = await answer.json();
      verdict.textContent = problem ?? "A good password.";
      verdict.classList.toggle("field-verdict-good", !problem);
    } catch {
      // A later question, or no network: the form's own answer will say it.
    }
  }
}
