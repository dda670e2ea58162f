// A control for the id of another record lets one type its name and pick from what is found (WAI-ARIA: combobox with a
// listbox). Without this the id is typed.
"use strict";

(() => {
  const WAIT = 150; // ms; shorter than a pause in typing, longer than the time between two keys

  const equip = (input) => {
    const list = document.createElement("ul");
    list.id = `${input.id}-list`;
    list.className = "picker-list";
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", "Found");
    list.hidden = true;
    input.after(list);
    const says = document.getElementById(`${input.id}-names`);
    says.setAttribute("role", "status");
    for (const [name, value] of [["role", "combobox"], ["aria-autocomplete", "list"], ["aria-expanded", "false"], ["aria-controls", list.id]])
      input.setAttribute(name, value);

    let current = -1;
    let timer = 0;
    let asked = new AbortController();

    const close = () => {
      clearTimeout(timer);
      asked.abort();
      list.hidden = true;
      current = -1;
      input.setAttribute("aria-expanded", "false");
      input.removeAttribute("aria-activedescendant");
    };
    const mark = (index) => {
      list.children[current]?.setAttribute("aria-selected", "false");
      current = (index + list.children.length) % list.children.length;
      const option = list.children[current];
      option.setAttribute("aria-selected", "true");
      option.scrollIntoView({ block: "nearest" });
      input.setAttribute("aria-activedescendant", option.id);
    };
    const pick = (option) => {
      input.value = option.dataset.id;
      says.textContent = option.textContent;
      close();
      input.dispatchEvent(new Event("change", { bubbles: true }));
    };
    const offer = (matches) => {
      list.replaceChildren(
        ...matches.map((match, index) => {
          const option = document.createElement("li");
          option.id = `${list.id}-${index}`;
          option.dataset.id = match.id;
          option.setAttribute("role", "option");
          option.setAttribute("aria-selected", "false");
          option.textContent = match.detail ? `${match.name} (${match.detail})` : match.name;
          return option;
        }),
      );
      list.hidden = !matches.length;
      current = -1;
      input.setAttribute("aria-expanded", String(!list.hidden));
      input.removeAttribute("aria-activedescendant");
      says.textContent = matches.length ? `${matches.length} found, choose with the arrow keys` : "Nothing found by this name";
    };
    const look = async () => {
      asked.abort();
      asked = new AbortController();
      try {
        const response = await fetch(`${input.dataset.pick}?q=${encodeURIComponent(input.value)}`, { signal: asked.signal });
        if (response.ok && !response.redirected) offer((await response.json()).matches);
      } catch {
        // Asked anew meanwhile, or no connection: the id can be typed.
      }
    };

    input.addEventListener("input", () => {
      close();
      if (input.value.trim()) timer = setTimeout(look, WAIT);
    });
    input.addEventListener("keydown", (event) => {
      if (list.hidden) return;
      if (event.key === "ArrowDown") mark(current + 1);
      else if (event.key === "ArrowUp") mark(current < 0 ? -1 : current - 1);
      else if (event.key === "Enter" && current >= 0) pick(list.children[current]);
      else if (event.key === "Escape") close();
      else return;
      event.preventDefault(); // Enter doesn't send the form then, and Escape doesn't close its dialog
    });
    input.addEventListener("blur", close);
    list.addEventListener("mousedown", (event) => event.preventDefault()); // the focus stays where it is
    list.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (option) pick(option);
    });
  };

  // Forms come into dialogs later, so a control is equipped when it is first used.
  document.addEventListener("focusin", (event) => {
    if (event.target.matches("input[data-pick]:not([role])")) equip(event.target);
  });
})();
