// Suggests films and people in search bars, and names in person fields. Forms work without it.
import { ask, combobox } from "./combobox.js";

const line = (element, ...parts) =>
  element.append(
    ...parts
      .filter(([, text]) => text)
      .map(([className, text]) => Object.assign(document.createElement("span"), { className, textContent: text })),
  );

// Choosing a film or a person opens its page; Enter searches for the text as usual.
for (const input of document.querySelectorAll("input[data-suggest]"))
  combobox(input, {
    search: async (text, signal) => (await ask(input.dataset.suggest, text, signal)).suggestions,
    render: ({ kind, text, detail }, element) => {
      element.dataset.kind = kind;
      line(element, ["option-text", text], ["option-detail", detail]);
    },
    pick: ({ url }) => location.assign(url),
  });

// Choosing a person fills in the name and a hidden id; typing clears the id.
for (const input of document.querySelectorAll("input[data-people]")) {
  const exactly = input.form.elements[input.dataset.exactly];
  input.addEventListener("input", () => (exactly.value = ""));
  combobox(input, {
    search: async (text, signal) => (await ask(input.dataset.people, text, signal)).people,
    render: ({ name, detail }, element) => line(element, ["option-text", name], ["option-detail", detail]),
    pick: ({ id, name }) => {
      input.value = name;
      exactly.value = id;
    },
  });
}

// Leave empty choices out, so that the address stays short.
for (const form of document.querySelectorAll("form[data-short]"))
  form.addEventListener("formdata", ({ formData }) => {
    for (const [name, value] of [...formData]) if (!value) formData.delete(name);
  });

// Tell users when a search takes long: the database may be electing a new primary.
const PATIENCE = 2_000; // ms
for (const form of document.querySelectorAll("form[role=search]")) {
  const notice = document.createElement("p");
  notice.className = "search-slow";
  notice.setAttribute("aria-live", "polite");
  form.append(notice);
  let timer = 0;
  form.addEventListener("submit", () => {
    timer = setTimeout(() => (notice.textContent = "Still searching. This is taking longer than usual."), PATIENCE);
  });
  window.addEventListener("pageshow", () => {
    clearTimeout(timer);
    notice.textContent = "";
  });
}
