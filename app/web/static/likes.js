// Likes without a new page: shown at once, sent in the background, reverted if that fails, with an Undo button. Other
// tabs follow. data-leaves marks lists that a film leaves when it is liked or unliked.

const FADE = matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 150; // milliseconds, as in likes.css
const TOAST = 10_000; // milliseconds that Undo is offered; at least what WCAG advises for messages that disappear
const REFUSED = {
  400: "This page is out of date. Reload it and try again.",
  401: "Please log in first.",
  429: "That was a lot at once. Wait a minute, then try again.",
};

const form = document.getElementById("likes");
const tabs = new BroadcastChannel("film-library-likes");
const sending = new Map(); // address -> {name, saved, sent, wanted}: films being sent to the server
const places = new Map(); // address -> where a card was that left its list
const toast = document.createElement("div"); // placed after the button, so that Tab leads to Undo
toast.className = "toast";
const announcer = document.createElement("p"); // reads the toast aloud; a live region must not move
announcer.className = "visually-hidden";
announcer.setAttribute("aria-live", "polite");
document.body.append(announcer);
let toastEnd, following;

const buttons = (address) => document.querySelectorAll(`.like[formaction="${CSS.escape(address)}"]`);
const nameOf = (button) => button.getAttribute("aria-label").replace(/^Like /, "");

if (form) {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button.like");
    if (!button) return;
    event.preventDefault();
    if (event.detail > 1) return; // the second half of a double click
    press(button.getAttribute("formaction"), button.value === "yes", nameOf(button));
  });
  // A key held down repeats, after the focus has moved on to the next film.
  document.addEventListener("keydown", (event) => {
    if (event.repeat && event.key === "Enter" && event.target.closest(".like, .toast")) event.preventDefault();
  });
  tabs.addEventListener("message", ({ data }) => {
    const film = sending.get(data.address);
    if (film) film.saved = data.liked;
    else paint(data.address, data.liked);
  });
  // When the page goes away, send what still waits for an earlier answer.
  window.addEventListener("pagehide", () => {
    for (const [address, film] of sending) {
      if (film.sent !== film.wanted) send(address, (film.sent = film.wanted));
    }
  });
}

function press(address, liked, name) {
  comeBack(address); // pressed twice: a card that is about to leave stays
  paint(address, liked);
  leave(address, liked, name);
  const film = sending.get(address);
  if (film) film.wanted = liked;
  else deliver(address, { name, saved: !liked, wanted: liked });
}

/** Send the latest state, one request at a time, until it was sent; if that fails, show the saved state. */
async function deliver(address, film) {
  sending.set(address, film);
  let outcome;
  do {
    const liked = (film.sent = film.wanted);
    outcome = await send(address, liked);
    if (outcome === "done") {
      film.saved = liked;
      tabs.postMessage({ address, liked });
    }
  } while (film.sent !== film.wanted);
  sending.delete(address);
  if (outcome === "done") follow();
  else revert(address, film, outcome);
}

async function send(address, liked) {
  const { csrf_token, next } = form.elements;
  const body = new URLSearchParams({ csrf_token: csrf_token.value, next: next.value, like: liked ? "yes" : "no" });
  const headers = { "X-Requested-With": "like" };
  try {
    const answer = await fetch(address, { method: "POST", body, headers, keepalive: true });
    if (answer.status === 401) location.assign((await answer.json()).log_in);
    return answer.ok ? "done" : answer.status;
  } catch {
    return null;
  }
}

function revert(address, film, outcome) {
  comeBack(address);
  paint(address, film.saved);
  showToast(buttons(address)[0], REFUSED[outcome] ?? `“${film.name}” wasn’t saved. Try again.`);
}

/** Refresh the parts of the page that depend on all likes. */
async function follow() {
  const parts = document.querySelectorAll("[data-follows-likes]");
  if (!parts.length) return;
  following?.abort();
  following = new AbortController();
  try {
    const answer = await fetch(location.href, { signal: following.signal });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of parts) {
      const fresh = page.getElementById(part.id);
      if (fresh && !part.contains(document.activeElement)) part.replaceWith(fresh);
    }
  } catch {
    // A later like, or no network: leave the page as it is.
  }
}

/** Show on all of a film's buttons whether it is liked. */
function paint(address, liked) {
  for (const button of buttons(address)) {
    button.setAttribute("aria-pressed", String(liked));
    button.value = liked ? "no" : "yes";
  }
}

/** Remove the film's card from a list that it leaves; on other pages only show a message. */
function leave(address, liked, name) {
  const message = liked ? `“${name}” was added to your likes.` : `“${name}” was removed from your likes.`;
  const undo = () => {
    press(address, !liked, name);
    buttons(address)[0]?.focus();
  };
  const all = [...buttons(address)];
  const pressed = all.find((button) => button === document.activeElement) ?? all[0];
  const card = all.map((button) => button.closest(".card")).find(Boolean);
  const list = card?.closest("[data-leaves]");
  if (list?.dataset.leaves !== (liked ? "liked" : "unliked")) return showToast(pressed, message, undo);
  const neighbour = card.nextElementSibling ?? card.previousElementSibling;
  showToast(neighbour?.querySelector(".like") ?? list, message, undo);
  card.classList.add("card-leaving");
  const timer = setTimeout(() => {
    places.set(address, { list, card, before: card.nextElementSibling, after: card.previousElementSibling });
    if (card.contains(document.activeElement)) neighbour?.querySelector(".like")?.focus();
    card.remove();
    list.dispatchEvent(new CustomEvent("card-left"));
  }, FADE);
  places.set(address, { card, timer });
}

function comeBack(address) {
  const place = places.get(address);
  if (!place) return;
  places.delete(address);
  clearTimeout(place.timer);
  place.card.classList.remove("card-leaving");
  if (!place.list) return; // it was still there
  if (place.before?.isConnected) place.before.before(place.card);
  else if (place.after?.isConnected) place.after.after(place.card);
  else place.list.append(place.card);
  place.list.dispatchEvent(new CustomEvent("card-back"));
}

function showToast(place, text, undo) {
  clearTimeout(toastEnd);
  announcer.textContent = text;
  place?.after(toast);
  toast.replaceChildren(Object.assign(document.createElement("span"), { textContent: text }));
  if (undo) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: "Undo" });
    button.className = "link-button";
    button.addEventListener("click", undo);
    toast.append(button);
  }
  toastEnd = setTimeout(() => {
    if (!toast.contains(document.activeElement) && !toast.matches(":hover")) toast.replaceChildren();
  }, TOAST);
}
