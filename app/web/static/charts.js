// Without this, hovering shows a column's value in a tooltip, and each chart has a table. With it the value shows at once,
// and the arrow keys move from column to column.
"use strict";

for (const plot of document.querySelectorAll(".plot")) {
  const area = plot.querySelector(".plot-area");
  const bands = [...area.querySelectorAll(".plot-band")];
  const tip = document.createElement("div");
  tip.className = "plot-tip";
  tip.setAttribute("role", "status");
  plot.append(tip);
  for (const band of bands) band.querySelector("title").remove(); // avoids a second tooltip

  let current = -1;

  function show(number) {
    if (number === current) return;
    bands[current]?.classList.remove("is-current");
    current = number;
    const band = bands[number];
    tip.textContent = band ? band.dataset.text : "";
    if (!band) return;
    band.classList.add("is-current");
    const frame = plot.getBoundingClientRect();
    const place = band.getBoundingClientRect();
    const middle = place.left + place.width / 2 - frame.left - tip.offsetWidth / 2;
    tip.style.left = `${Math.max(0, Math.min(middle, frame.width - tip.offsetWidth))}px`;
  }

  area.addEventListener("pointermove", (event) => show(bands.indexOf(event.target.closest(".plot-band"))));
  area.addEventListener("pointerleave", () => show(-1));

  plot.tabIndex = 0;
  plot.setAttribute("role", "group");
  plot.setAttribute("aria-label", `${plot.dataset.label}. Use the arrow keys to move between values.`);
  plot.addEventListener("blur", () => show(-1));
  plot.addEventListener("keydown", (event) => {
    const last = bands.length - 1;
    const steps = {
      ArrowRight: Math.min(current + 1, last),
      ArrowLeft: current < 0 ? last : Math.max(current - 1, 0),
      Home: 0,
      End: last,
      Escape: -1,
    };
    if (!(event.key in steps) || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    show(steps[event.key]);
  });
}

for (const waiting of document.querySelectorAll("[data-reload]")) {
  setTimeout(() => location.reload(), Number(waiting.dataset.reload) * 1000);
}
