// A text box that offers what may be meant while one types: the editable combobox with list autocomplete and manual
// selection of the WAI-ARIA Authoring Practices. Without it the box is a plain one.
// https://www.w3.org/WAI/ARIA/apg/patterns/combobox/

const WAIT = 120; // ms; shorter than a pause in typing, longer than the time between two keys

/** Make `input` a combobox.
 *
 * search(text, signal): the options for a text, in an array (or a promise of it); render(option, element) fills the
 * element of one; pick(option) is called when one is chosen.
 */
export function combobox(input, { search, render, pick }) {
  const list = document.createElement("ul");
  list.id = `${input.id}-options`;
  list.className = "options";
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Suggestions");
  list.hidden = true;
  const says = document.createElement("span");
  says.className = "visually-hidden";
  says.setAttribute("aria-live", "polite");
  input.after(list, says);
  if (input.type === "search") input.type = "text"; // a search box has a role of its own already
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
    says.textContent = "";
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
    says.textContent = options.length ? `${count}, use the arrow keys` : "No suggestions";
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
      if (!signal.aborted) close(); // no connection: what is typed can be sent all the same
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
    if (event.isComposing) return; // Enter and the arrows belong to the input method then
    if (event.key === "Enter" && current >= 0) choose(current);
    else if (event.key === "Escape" && !list.hidden) close();
    else if (event.key === "ArrowDown" && list.hidden && input.value.trim()) look();
    else if (event.key === "ArrowDown" && !list.hidden) mark((current + 1) % options.length);
    else if (event.key === "ArrowUp" && !list.hidden) mark((current < 1 ? options.length : current) - 1);
    else return;
    event.preventDefault(); // Enter doesn't send the form then, and Escape doesn't empty the box or close a dialog
  });
  input.addEventListener("blur", close);
  list.addEventListener("mousedown", (event) => event.preventDefault()); // the focus stays where it is
  list.addEventListener("click", (event) => {
    const element = event.target.closest("[role=option]");
    if (element) choose([...list.children].indexOf(element));
  });
}

/** The JSON at an address with a text as its `q`; an error for anything but JSON. */
export async function ask(address, text, signal) {
  const url = new URL(address, location.href);
  url.searchParams.set("q", text);
  const response = await fetch(url, { signal });
  if (!response.ok || response.redirected) throw new Error(String(response.status));
  return response.json();
}
