// A control for the id of another record lets one type its name and pick from what is found. Without this the id is typed.
import { ask, combobox } from "./combobox.js";

const words = ({ name, detail }) => (detail ? `${name} (${detail})` : name);

const equip = (input) => {
  const names = document.getElementById(`${input.id}-names`);
  combobox(input, {
    search: async (text, signal) => (await ask(input.dataset.pick, text, signal)).matches,
    render: (match, element) => (element.textContent = words(match)),
    pick: (match) => {
      input.value = match.id;
      names.textContent = words(match);
      input.dispatchEvent(new Event("change", { bubbles: true }));
    },
  });
};

// Forms come into dialogs later, so a control is equipped when it is first used.
document.addEventListener("focusin", (event) => {
  if (event.target.matches("input[data-pick]:not([role])")) equip(event.target);
});
