// A text box with suggestions: the editable combobox with list autocomplete and manual selection from the WAI-ARIA
// Authoring Practices. Without it the box is a plain one.
// https://www.w3.org/WAI/ARIA/apg/patterns/combobox/

const WAIT = 120; // ms; shorter than a pause in typing, longer than the time between keys

/** Make `input` a combobox.
 *
 * search(text, signal) returns the options for a text (an array or a promise of one); render(option, element) fills an
 * option's element; pick(option) is called when one is chosen.
 */
export function combobox(input, { search, render, pick }) {
  const list = document.createElement("ul");
  list.id = `${input.id}-options`;
  list.className = "options";
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Suggestions");
  list.hidden = true;
  const announcer = document.createElement("span");
  announcer.className = "visually-hidden";
  announcer.setAttribute("aria-live", "polite");
  input.after(list, announcer);
  if (input.type === "search") input.type = "text"; // type=search already has a role
  input.autocomplete = "off";
  for (const [name, value] of [["role", "combobox"], ["aria-autocomplete", "list"], ["aria-expanded", "false"], ["aria-controls", list.id]])
    input.setAttribute(name, value);

  let options = [];
  let current = -1;
  let timer = 0;
  let asked = new AbortController();

  const mark = (index) => {
    list.children[current]?.setAttribute("aria-selected", "false");
    current = index;
    const element = list.children[current];
    if (!element) return input.removeAttribute("aria-activedescendant");
    element.setAttribute("aria-selected", "true");
    element.scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", element.id);
  };
  const show = (open) => {
    list.hidden = !open;
    input.setAttribute("aria-expanded", String(open));
    mark(-1);
  };
  const close = () => {
    clearTimeout(timer);
    asked.abort();
    announcer.textContent = "";
    show(false);
  };
  const choose = (index) => {
    const option = options[index];
    close();
    pick(option);
  };
  const offer = (found) => {
    options = found;
    list.replaceChildren(
      ...options.map((option, index) => {
        const element = document.createElement("li");
        element.id = `${list.id}-${index}`;
        element.setAttribute("role", "option");
        element.setAttribute("aria-selected", "false");
        render(option, element);
        return element;
      }),
    );
    show(options.length > 0);
    const count = options.length === 1 ? "1 suggestion" : `${options.length} suggestions`;
    announcer.textContent = options.length ? `${count}, use the arrow keys` : "No suggestions";
  };
  const look = async () => {
    clearTimeout(timer);
    asked.abort();
    asked = new AbortController();
    const { signal } = asked;
    try {
      const found = await search(input.value.trim(), signal);
      if (!signal.aborted) offer(found);
    } catch {
      if (!signal.aborted) close(); // no connection: the text can still be submitted
    }
  };

  input.addEventListener("input", () => {
    mark(-1);
    clearTimeout(timer);
    asked.abort();
    if (input.value.trim()) timer = setTimeout(look, WAIT);
    else close();
  });
  input.addEventListener("keydown", (event) => {
    if (event.isComposing) return; // these keys belong to the input method
    if (event.key === "Enter" && current >= 0) choose(current);
    else if (event.key === "Escape" && !list.hidden) close();
    else if (event.key === "ArrowDown" && list.hidden && input.value.trim()) look();
    else if (event.key === "ArrowDown" && !list.hidden) mark((current + 1) % options.length);
    else if (event.key === "ArrowUp" && !list.hidden) mark((current < 1 ? options.length : current) - 1);
    else return;
    event.preventDefault(); // so that Enter doesn't submit and Escape doesn't clear the box or close a dialog
  });
  input.addEventListener("blur", close);
  list.addEventListener("mousedown", (event) => event.preventDefault()); // keeps the focus in the box
  list.addEventListener("click", (event) => {
    const element = event.target.closest("[role=option]");
    if (element) choose([...list.children].indexOf(element));
  });
}

/** Fetch JSON from an address with `text` as `q`. Throws for anything else. */
export async function ask(address, text, signal) {
  const url = new URL(address, location.href);
  url.searchParams.set("q", text);
  const response = await fetch(url, { signal });
  if (!response.ok || response.redirected) throw new Error(String(response.status));
  return response.json();
}
