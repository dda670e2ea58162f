// What a search can be narrowed to is counted after the films are there, where the window is wide enough to show it
// beside them; on a phone when somebody opens it. Without this a link leads to a page that has it.
"use strict";

(() => {
  const details = document.querySelector("details[data-facets]");
  if (!details) return;
  const body = details.querySelector(".facets-body");
  const link = body.firstElementChild;
  let loaded = false;

  const load = async () => {
    if (loaded) return;
    loaded = true;
    body.setAttribute("aria-busy", "true");
    link.textContent = "Counting …";
    try {
      const answer = await fetch(details.dataset.facets);
      if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      body.replaceChildren(...page.body.childNodes);
    } catch {
      link.textContent = "The counts can’t be had just now. Close and open this to try again.";
      body.replaceChildren(link);
      loaded = false;
    }
    body.removeAttribute("aria-busy");
  };

  details.addEventListener("toggle", () => details.open && load());
  if (matchMedia("(min-width: 64rem)").matches) details.open = true;
})();
