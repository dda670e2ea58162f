// Hearts without a new page: shown at once, sent in the background, taken back when that fails, undone by a button.
// Other tabs are told. Lists that a film leaves when it is liked, or no longer, say so with data-leaves.

const FADE = matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 150; // milliseconds, as in likes.css
const TOAST = 10_000; // milliseconds that an undo is offered; no shorter than WCAG's advice for what vanishes
const REFUSED = {
  400: "This page is too old: reload it and try again.",
  401: "Please log in first.",
  429: "Those were very many at once. Wait a minute, then try again.",
};

const form = document.getElementById("hearts");
const tabs = new BroadcastChannel("film-library-hearts");
const sending = new Map(); // address -> {name, saved, sent, wanted}: a film whose heart is on its way to the server
const places = new Map(); // address -> where a card was that has left its list
const toast = document.createElement("div"); // lies behind the heart, so that Tab leads to what undoes it
toast.className = "toast";
const told = document.createElement("p"); // what it says, said aloud: a live region must stay in its place
told.className = "visually-hidden";
told.setAttribute("aria-live", "polite");
document.body.append(told);
let toastEnd, following;

const hearts = (address) => document.querySelectorAll(`.heart[formaction="${CSS.escape(address)}"]`);
const nameOf = (heart) => heart.getAttribute("aria-label").replace(/^Like /, "");

if (form) {
  document.addEventListener("click", (event) => {
    const heart = event.target.closest("button.heart");
    if (!heart) return;
    event.preventDefault();
    if (event.detail > 1) return; // the second half of a double click, which means no more than one
    press(heart.getAttribute("formaction"), heart.value === "yes", nameOf(heart));
  });
  // A key held down presses again and again, and the focus has gone on to the next film.
  document.addEventListener("keydown", (event) => {
    if (event.repeat && event.key === "Enter" && event.target.closest(".heart, .toast")) event.preventDefault();
  });
  tabs.addEventListener("message", ({ data }) => {
    const film = sending.get(data.address);
    if (film) film.saved = data.liked;
    else paint(data.address, data.liked);
  });
  // What waits for the answer to an earlier press can wait no longer.
  window.addEventListener("pagehide", () => {
    for (const [address, film] of sending) {
      if (film.sent !== film.wanted) send(address, (film.sent = film.wanted));
    }
  });
}

function press(address, liked, name) {
  comeBack(address); // pressed twice: the card that is about to leave stays
  paint(address, liked);
  leave(address, liked, name);
  const film = sending.get(address);
  if (film) film.wanted = liked;
  else deliver(address, { name, saved: !liked, wanted: liked });
}

/** Send what is wanted, one request after the other, until it is what was sent last; or show what is saved. */
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
  else takeBack(address, film, outcome);
}

async function send(address, liked) {
  const { csrf_token, next } = form.elements;
  const body = new URLSearchParams({ csrf_token: csrf_token.value, next: next.value, like: liked ? "yes" : "no" });
  const headers = { "X-Requested-With": "hearts" };
  try {
    const answer = await fetch(address, { method: "POST", body, headers, keepalive: true });
    if (answer.status === 401) location.assign((await answer.json()).log_in);
    return answer.ok ? "done" : answer.status;
  } catch {
    return null;
  }
}

function takeBack(address, film, outcome) {
  comeBack(address);
  paint(address, film.saved);
  say(hearts(address)[0], REFUSED[outcome] ?? `“${film.name}” wasn’t saved. Try again.`);
}

/** Show anew what a page says about all that is liked. */
async function follow() {
  const parts = document.querySelectorAll("[data-follows-hearts]");
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
    // A later heart, or no network: what is there stays.
  }
}

/** Show on every heart of the film whether it is liked. */
function paint(address, liked) {
  for (const heart of hearts(address)) {
    heart.setAttribute("aria-pressed", String(liked));
    heart.value = liked ? "no" : "yes";
  }
}

/** Take the film's card out of a list that it leaves; on other pages only say what happened. */
function leave(address, liked, name) {
  const said = liked ? `“${name}” is among your films.` : `“${name}” is no longer among your films.`;
  const undo = () => {
    press(address, !liked, name);
    hearts(address)[0]?.focus();
  };
  const all = [...hearts(address)];
  const pressed = all.find((heart) => heart === document.activeElement) ?? all[0];
  const card = all.map((heart) => heart.closest(".card")).find(Boolean);
  const list = card?.closest("[data-leaves]");
  if (list?.dataset.leaves !== (liked ? "liked" : "unliked")) return say(pressed, said, undo);
  const neighbour = card.nextElementSibling ?? card.previousElementSibling;
  say(neighbour?.querySelector(".heart") ?? list, said, undo);
  card.classList.add("card-leaving");
  const timer = setTimeout(() => {
    places.set(address, { list, card, before: card.nextElementSibling, after: card.previousElementSibling });
    if (card.contains(document.activeElement)) neighbour?.querySelector(".heart")?.focus();
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
  if (!place.list) return; // it hadn't left yet
  if (place.before?.isConnected) place.before.before(place.card);
  else if (place.after?.isConnected) place.after.after(place.card);
  else place.list.append(place.card);
  place.list.dispatchEvent(new CustomEvent("card-back"));
}

function say(place, text, undo) {
  clearTimeout(toastEnd);
  told.textContent = text;
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
