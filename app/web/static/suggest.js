// Search bars offer films and people while one types, and the pickers of people offer names. Every form works without.
import { ask, combobox } from "./combobox.js";

const line = (element, ...parts) =>
  element.append(
    ...parts
      .filter(([, text]) => text)
      .map(([className, text]) => Object.assign(document.createElement("span"), { className, textContent: text })),
  );

// Choosing a film or a person leads there; what is typed is searched for by Enter, as ever.
for (const input of document.querySelectorAll("input[data-suggest]"))
  combobox(input, {
    search: async (text, signal) => (await ask(input.dataset.suggest, text, signal)).suggestions,
    render: ({ kind, text, detail }, element) => {
      element.dataset.kind = kind;
      line(element, ["option-text", text], ["option-detail", detail]);
    },
    pick: ({ url }) => location.assign(url),
  });

// Choosing a person fills in the name and, hidden, who exactly is meant; typing anew forgets the latter.
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

// A form of choices is sent without those that nobody made, so that its address stays short.
for (const form of document.querySelectorAll("form[data-short]"))
  form.addEventListener("formdata", ({ formData }) => {
    for (const [name, value] of [...formData]) if (!value) formData.delete(name);
  });

// A search that takes long says so: the database may be choosing a new primary.
const PATIENCE = 2_000; // ms
for (const form of document.querySelectorAll("form[role=search]")) {
  const says = document.createElement("p");
  says.className = "search-slow";
  says.setAttribute("aria-live", "polite");
  form.append(says);
  let timer = 0;
  form.addEventListener("submit", () => {
    timer = setTimeout(() => (says.textContent = "Still looking. This takes longer than usual; please stay."), PATIENCE);
  });
  window.addEventListener("pageshow", () => {
    clearTimeout(timer);
    says.textContent = "";
  });
}
