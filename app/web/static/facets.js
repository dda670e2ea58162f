// Loads the facets after the films: at once if the window has room for them, on phones when they are opened. Without this
// a link leads to a page with facets.
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
      link.textContent = "Couldn’t load the filters. Close and reopen this to try again.";
      body.replaceChildren(link);
      loaded = false;
    }
    body.removeAttribute("aria-busy");
  };

  details.addEventListener("toggle", () => details.open && load());
  if (matchMedia("(min-width: 64rem)").matches) details.open = true;
})();
