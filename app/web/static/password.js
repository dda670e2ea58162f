// Checks a new password on the server while it is typed. The form works without this.

const PAUSE = 400; // milliseconds without a key press

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

  // The form's response will tell, and its session ends with the form: cancel a pending check.
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
      if (!answer.ok) return void (verdict.textContent = ""); // rate limited: don't show an outdated verdict
      const { problem } = await answer.json();
      verdict.textContent = problem ?? "Good password.";
      verdict.classList.toggle("field-verdict-good", !problem);
    } catch {
      // Superseded, or no network: the form's response will tell.
    }
  }
}
