// On the page for an unavailable database: polls, and reloads when the database is back.
"use strict";

(() => {
  const WAIT = 3_000; // ms between checks
  const GIVE_UP = 60; // checks; after three minutes users can press the button
  const notice = document.querySelector("[data-retry]");
  notice.textContent = "This page will reload by itself when the library is back.";
  let asked = 0;
  const look = async () => {
    asked += 1;
    const answer = await fetch(notice.dataset.retry, { cache: "no-store" }).catch(() => null);
    if (answer?.ok) return location.reload();
    if (asked < GIVE_UP) return setTimeout(look, WAIT);
    notice.textContent = "The library still isn’t responding. Please come back later.";
  };
  setTimeout(look, WAIT);
})();
