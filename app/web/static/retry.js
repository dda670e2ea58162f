// The page that says that the database is away asks from time to time, and opens what was wanted when it is back.
"use strict";

(() => {
  const WAIT = 3_000; // ms between two questions
  const GIVE_UP = 60; // questions; who is still there after three minutes can press the button
  const says = document.querySelector("[data-retry]");
  says.textContent = "This page opens by itself as soon as the library answers.";
  let asked = 0;
  const look = async () => {
    asked += 1;
    const answer = await fetch(says.dataset.retry, { cache: "no-store" }).catch(() => null);
    if (answer?.ok) return location.reload();
    if (asked < GIVE_UP) return setTimeout(look, WAIT);
    says.textContent = "The library still doesn’t answer. Please come back later.";
  };
  setTimeout(look, WAIT);
})();
