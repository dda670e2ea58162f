// Lets users pick a referenced record by name. Without this they type its id.
import { ask, combobox } from "./combobox.js";

const words = ({ name, detail }) => (detail ? `${name} (${detail})` : name);

const setUp = (input) => {
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

// Dialogs load their forms later, so a control is set up on its first focus.
document.addEventListener("focusin", (event) => {
  if (event.target.matches("input[data-pick]:not([role])")) setUp(event.target);
});
