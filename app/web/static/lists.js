// For lists: fits the filter form to its field, selects whole pages, and loads more rows on scrolling. All optional.
"use strict";

// The filter form: only the field's comparisons, and a control for its kind of value.
(() => {
  const form = document.querySelector("[data-filter-form]");
  if (!form) return;
  const { field, operator, value } = form.elements;
  const label = form.querySelector(`label[for=${value.id}]`);
  const hint = form.querySelector(".field-hint");
  const HINTS = { in: "Separate values with commas.", time: "A date like 2026-11-22, or a date and time (UTC)." };
  const row = document.createElement("div");
  row.className = "field-row";
  value.after(row);
  let proxies = []; // visible controls that write to the hidden `value`

  const select = (options) => {
    const control = document.createElement("select");
    control.append(...options.map(([key, text]) => new Option(text, key)));
    if (options.some(([key]) => key === value.value)) control.value = value.value;
    return [control];
  };
  const range = () => {
    const ends = value.value.includes("..") ? value.value.split("..") : [value.value, ""];
    return ends.slice(0, 2).map((end, index) => {
      const control = document.createElement("input");
      control.value = end;
      control.autocomplete = "off";
      if (index) control.setAttribute("aria-label", "and (end)");
      return control;
    });
  };

  const adapt = () => {
    const { kind, operators, choices } = field.selectedOptions[0].dataset;
    const allowed = operators.split(" ");
    for (const option of operator.options) option.hidden = option.disabled = !allowed.includes(option.value);
    if (operator.selectedOptions[0]?.disabled ?? true) operator.value = allowed[0];

    row.replaceChildren();
    const chosen = operator.value;
    if (chosen === "exists") proxies = select([["yes", "yes"], ["no", "no"]]);
    else if (choices && ["eq", "ne"].includes(chosen)) proxies = select(JSON.parse(choices));
    else if (chosen === "between") proxies = range();
    else proxies = [];
    value.hidden = proxies.length > 0;
    const write = () => (value.value = proxies.map((control) => control.value.trim()).join(".."));
    proxies.forEach((control, index) => {
      control.id = `${value.id}-${index}`;
      control.setAttribute("aria-describedby", value.getAttribute("aria-describedby"));
      control.addEventListener("input", write);
      row.append(control);
    });
    if (proxies.length) write();
    label.htmlFor = proxies[0]?.id ?? value.id;
    for (const control of [value, ...proxies]) control.inputMode = { integer: "numeric", number: "decimal" }[kind] ?? "";
    hint.textContent = HINTS[chosen] ?? HINTS[kind] ?? "";
  };

  field.addEventListener("change", () => {
    value.value = "";
    adapt();
  });
  operator.addEventListener("change", () => {
    if (row.querySelector("select")) value.value = ""; // a choice means nothing to other comparisons
    adapt();
  });
  adapt();
})();

// Selects all visible rows, and shows how many are selected.
(() => {
  const form = document.querySelector("[data-bulk]");
  const corner = form?.querySelector("[data-select-page]");
  if (!corner) return;
  const boxes = () => [...form.querySelectorAll("input[name=ids]")];
  const label = form.querySelector("[data-selected]");
  corner.innerHTML = '<label><span class="visually-hidden">Select all shown</span><input type="checkbox"></label>';
  const every = corner.querySelector("input");
  const count = () => {
    const selected = boxes().filter((box) => box.checked).length;
    label.textContent = selected ? `With ${selected.toLocaleString("en")} selected:` : "With selected:";
    every.checked = selected > 0 && selected === boxes().length;
    every.indeterminate = selected > 0 && !every.checked;
  };
  every.addEventListener("change", () => boxes().forEach((box) => (box.checked = every.checked)));
  form.addEventListener("change", count);
  form.addEventListener("rows-added", count);
  window.addEventListener("pageshow", count); // on going back the browser restores the selection
})();

// Loads the next page at the end of the list. The page links stay, and continue from the last row.
(() => {
  const area = document.querySelector("[data-scroll]");
  if (!area) return;
  const MOST = 1000; // rows; more make the page slow
  const rows = area.querySelector("tbody");
  const shown = document.querySelector("[data-shown]");
  const end = document.createElement("p");
  end.className = "list-end quiet";
  area.append(end);
  let loading = false;

  const next = (page) => page.querySelector("a[rel=next]");
  // The address follows the page in view, so that a reload comes back to it.
  const follow = () => {
    const begun = [...rows.querySelectorAll("[data-address]")].filter((row) => row.offsetTop <= area.scrollTop + area.clientHeight / 2);
    const address = begun.at(-1)?.dataset.address;
    if (address && address !== location.href) history.replaceState(null, "", address);
  };

  const load = async () => {
    const link = next(document);
    if (loading || !link) return;
    if (rows.children.length >= MOST) return void (end.textContent = "This page is full. Continue with “Next”.");
    loading = true;
    end.textContent = "Loading more …";
    try {
      const response = await fetch(link.href);
      if (!response.ok || response.redirected) throw new Error(response.status);
      add(new DOMParser().parseFromString(await response.text(), "text/html"), link.href);
      end.textContent = next(document) ? "" : "End of the list.";
    } catch {
      end.textContent = "Couldn’t load more rows. Use “Next” to try again.";
      watcher.disconnect();
    }
    loading = false;
    watcher.unobserve(end); // observing again reports whether the end is in view
    if (next(document)) watcher.observe(end);
  };

  const add = (page, address) => {
    const more = [...page.querySelectorAll("[data-scroll] tbody tr")];
    rows.append(...more);
    if (more.length) more[0].dataset.address = address;
    for (const [index, pager] of document.querySelectorAll(".pager").entries()) {
      const theirs = page.querySelectorAll(".pager")[index];
      const old = [...pager.children].slice(2); // Next and Last; the first two stay as they are
      const fresh = [...(theirs?.children ?? [])].slice(2);
      old.forEach((control, position) => (fresh[position] ? control.replaceWith(fresh[position]) : control.remove()));
    }
    shown.textContent = `${rows.children.length.toLocaleString("en")} shown`;
    rows.dispatchEvent(new Event("rows-added", { bubbles: true }));
  };

  const watcher = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && load(), {
    root: area,
    rootMargin: "0px 0px 300px 0px",
  });
  area.addEventListener("scroll", () => watcher.observe(end), { once: true }); // nothing more is loaded before the first scroll
  area.addEventListener("scroll", follow, { passive: true });
  rows.rows[0].dataset.address = location.href;
})();
