// Infinite scrolling for the catalogue, and a new film for each one that leaves. Without this, "More films" leads to the
// next page; this script fetches the same page. Ranks, also in the next page's address, count what the list shows.

const list = document.querySelector("[data-endless]");
const pager = document.querySelector(".pager");
const AHEAD = "1200px"; // two phone screens: loaded before the user gets there

if (list && pager) {
  const here = location.href;
  const first = Number(list.getAttribute("start"));
  const size = list.children.length; // cards on a page
  const filled = new WeakMap(); // card that replaced one that left -> the link it came from
  let ready = Promise.resolve(); // one step at a time: each page tells where the next begins

  const next = () => pager.querySelector("[rel=next]");
  const shownWith = (page) => [...list.children].filter((card) => card.dataset.page === page);

  const then = (step) => {
    ready = ready.then(step).catch(() => {}); // the link stays usable
    return ready;
  };

  async function append() {
    const link = next();
    if (link) await add(link, link.href, link.href);
  }

  /** Add one film for one that left. It belongs to the last page while that page isn't full. */
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

  /** A film is back: remove its replacement, which comes again with the next page. */
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
      if (next() && next().href !== link) watch.observe(pager); // observing again reports whether the end is still in view
    },
    { rootMargin: AHEAD },
  );
  watch.observe(pager);

  // Keep the address of the page in view and the film that was opened, so that going back finds it.
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
    // If it was liked meanwhile, it is gone: use the one that moved up, or the last.
    const opened =
      list.querySelector(`.card-link[href="${CSS.escape(film)}"]`) ??
      [...list.querySelectorAll(".card-link")].slice(0, place + 1).at(-1);
    opened?.scrollIntoView({ block: "center" });
    opened?.focus({ preventScroll: true });
  }
}
