// The catalogue goes on by itself as one scrolls down, and a film moves up for each that leaves.
// Without this, "More films" leads to the next page. What it fetches is that page, so there is one template for both.
// Ranks number what the list shows, whatever has left it, and so does the address of what comes next.

const list = document.querySelector("[data-endless]");
const pager = document.querySelector(".pager");
const AHEAD = "1200px"; // two screens of a phone: loaded before one arrives

if (list && pager) {
  const here = location.href;
  const first = Number(list.getAttribute("start"));
  const size = list.children.length; // cards on a page
  const filled = new WeakMap(); // card that came for one that left -> the link that led to it
  let ready = Promise.resolve(); // one step after the other: each page says where the next begins

  const next = () => pager.querySelector("[rel=next]");
  const shownWith = (page) => [...list.children].filter((card) => card.dataset.page === page);

  const then = (step) => {
    ready = ready.then(step).catch(() => {}); // the link stays, and can be followed
    return ready;
  };

  async function append() {
    const link = next();
    if (link) await add(link, link.href, link.href);
  }

  /** One film for one that left. It belongs to the last page as long as that has fewer than it shows when asked for. */
  async function fill() {
    const link = next();
    if (!link) return;
    const address = new URL(link.href);
    address.searchParams.set("rows", 1);
    const last = list.lastElementChild?.dataset.page;
    const [card] = await add(link, address, shownWith(last).length < size ? last : link.href);
    if (card) filled.set(card, link);
  }

  async function add(link, address, belongsTo) {
    const answer = await fetch(address);
    if (!answer.ok) throw new Error(answer.statusText);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const cards = page.querySelectorAll("[data-endless] > .card");
    if (belongsTo) for (const card of cards) card.dataset.page = belongsTo;
    list.append(...cards);
    pager.replaceChildren(...(page.querySelector(".pager")?.children ?? []));
    number();
    return cards;
  }

  /** A film is back: the one that came for it goes, to come again with the next page. */
  function empty() {
    const last = list.lastElementChild;
    if (!filled.has(last)) return;
    pager.replaceChildren(filled.get(last));
    last.remove();
    number();
  }

  function number() {
    let rank = first;
    for (const place of list.querySelectorAll(".card-rank")) place.lastChild.data = String(rank++);
    if (next()) next().href = ranked(next().href, rank);
  }

  function ranked(address, rank) {
    const url = new URL(address);
    if (url.searchParams.has("rank")) url.searchParams.set("rank", rank);
    return url.href;
  }

  list.addEventListener("card-left", () => {
    number();
    then(fill);
  });
  list.addEventListener("card-back", () => {
    number();
    then(empty);
  });

  const watch = new IntersectionObserver(
    async ([entry]) => {
      if (!entry.isIntersecting) return;
      watch.disconnect();
      const link = next()?.href;
      await then(append);
      if (next() && next().href !== link) watch.observe(pager); // asks again, should the end be still in view
    },
    { rootMargin: AHEAD },
  );
  watch.observe(pager);

  // The address is the one of the page in view, and coming back finds the film that was opened in its place.
  list.addEventListener("click", (event) => {
    const opened = event.target.closest(".card-link");
    if (!opened) return;
    const card = opened.closest(".card");
    const page = shownWith(card.dataset.page);
    const rank = first + [...list.children].indexOf(page[0]);
    const state = { film: opened.getAttribute("href"), place: page.indexOf(card) };
    history.replaceState(state, "", ranked(card.dataset.page ?? here, rank));
  });
  if (history.state?.film) {
    history.scrollRestoration = "manual";
    const { film, place } = history.state;
    // Liked meanwhile, it isn't there any more: then the one that moved up, or the last.
    const opened =
      list.querySelector(`.card-link[href="${CSS.escape(film)}"]`) ??
      [...list.querySelectorAll(".card-link")].slice(0, place + 1).at(-1);
    opened?.scrollIntoView({ block: "center" });
    opened?.focus({ preventScroll: true });
  }
}
