// The catalogue goes on by itself as one scrolls down, and a film moves up for each that leaves.
// Without this, "More films" leads to the next page. What it fetches is that page, so there is one template for both.

const list = document.querySelector("[data-endless]");
const pager = document.querySelector(".pager");
const AHEAD = "1200px"; // two screens of a phone: loaded before one arrives

if (list && pager) {
  const first = Number(list.getAttribute("start"));
  let ready = Promise.resolve(); // one page after the other: each says where the next begins

  const more = (rows) => {
    ready = ready.then(() => append(rows)).catch(() => {}); // the link stays, and can be followed
    return ready;
  };

  async function append(rows) {
    const link = pager.querySelector("[rel=next]");
    if (!link) return;
    const address = new URL(link.href);
    if (rows) address.searchParams.set("rows", rows);
    const answer = await fetch(address);
    if (!answer.ok) throw new Error(answer.statusText);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const cards = page.querySelectorAll("[data-endless] > .card");
    if (!rows && cards.length) cards[0].dataset.address = link.href;
    list.append(...cards);
    pager.replaceChildren(...(page.querySelector(".pager")?.children ?? []));
    number();
  }

  function number() {
    let rank = first;
    for (const place of list.querySelectorAll(".card-rank")) place.lastChild.data = String(rank++);
  }

  list.addEventListener("card-left", () => {
    number();
    more(1);
  });
  list.addEventListener("card-back", number);

  const watch = new IntersectionObserver(
    async ([entry]) => {
      if (!entry.isIntersecting) return;
      watch.disconnect();
      const link = pager.querySelector("[rel=next]")?.href;
      await more();
      const next = pager.querySelector("[rel=next]")?.href;
      if (next && next !== link) watch.observe(pager); // asks again, should the end be still in view
    },
    { rootMargin: AHEAD },
  );
  watch.observe(pager);

  // The address is the one of the page in view, and coming back finds the film that was opened in its place.
  list.addEventListener("click", (event) => {
    const opened = event.target.closest(".card-link");
    if (!opened) return;
    let card = opened.closest(".card");
    while (card && !card.dataset.address) card = card.previousElementSibling;
    const film = opened.getAttribute("href");
    history.replaceState({ film }, "", card?.dataset.address ?? location.href);
  });
  if (history.state?.film) {
    history.scrollRestoration = "manual";
    const opened = list.querySelector(`.card-link[href="${CSS.escape(history.state.film)}"]`);
    opened?.scrollIntoView({ block: "center" });
    opened?.focus({ preventScroll: true });
  }
}
