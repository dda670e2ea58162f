// Updates a job's page, and limits the bulk form to the operations of its field. Both work without this.
"use strict";

const POLL_MS = 1000;

const job = document.querySelector("[data-job]");
if (job) {
  const state = job.querySelector("[data-job-state]");
  const bar = job.querySelector("progress");
  const follow = async () => {
    try {
      const answer = await fetch(job.dataset.job, { headers: { Accept: "application/json" } });
      if (answer.redirected || !answer.ok) throw new Error(String(answer.status));
      const now = await answer.json();
      if (!now.open) {
        location.reload();
        return;
      }
      if (state.textContent !== now.text) state.textContent = now.text;
      if (now.total) {
        bar.max = now.total;
        bar.value = Math.min(now.done, now.total);
      }
    } catch {
      // The session may have ended or the network may be down: try again.
    }
    setTimeout(follow, POLL_MS);
  };
  setTimeout(follow, POLL_MS);
}

const field = document.querySelector("[data-bulk-field]");
if (field) {
  const operation = document.getElementById("bulk-operation");
  const value = document.getElementById("bulk-value");
  const choices = document.createElement("datalist");
  choices.id = "bulk-choices";
  value.after(choices);
  value.setAttribute("list", choices.id);

  const fit = () => {
    const { operations, choices: values } = field.selectedOptions[0].dataset;
    const possible = operations.split(" ");
    for (const option of operation.options) option.hidden = option.disabled = !possible.includes(option.value);
    if (operation.selectedOptions[0]?.disabled ?? true) operation.value = possible[0];
    choices.replaceChildren(...values.split(" ").filter(Boolean).map((word) => new Option(word, word)));
    value.disabled = operation.value === "unset";
  };
  field.addEventListener("change", fit);
  operation.addEventListener("change", fit);
  fit();
}
