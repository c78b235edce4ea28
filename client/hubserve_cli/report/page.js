// Search, filter and sort. Without it, the page shows all images in the order of the run.
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const list = byId("cards");
  const [search, label, sort, count, clear] = ["search", "label", "sort", "count", "clear"].map(byId);
  const cards = Array.from(list.children, (node) => ({
    node,
    label: node.dataset.label,
    text: (node.querySelector(".name").textContent + "\n" +
      Array.from(node.querySelectorAll("h3, li span:first-child"), (part) => part.textContent).join("\n")).toLowerCase(),
    score: Number(node.dataset.score ?? NaN),
    entropy: Number(node.dataset.entropy ?? NaN),
    margin: Number(node.dataset.margin ?? NaN),
  }));
  const all = cards.slice();
  const number = new Intl.NumberFormat("en");
  let sorted = "";

  const order = () => {
    if (sort.value === sorted) return;
    sorted = sort.value;
    const [by, direction] = [sorted.slice(0, -1), sorted.endsWith("-") ? -1 : 1];
    // What has no such figure comes last. The sort is stable: equal ones stay in the order of the run.
    const before = (one, other) =>
      Number.isNaN(one[by]) - Number.isNaN(other[by]) || direction * (one[by] - other[by]) || 0;
    const wanted = sorted ? all.slice().sort(before) : all;
    list.append(...wanted.map((card) => card.node));
  };

  const update = () => {
    order();
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const card of cards) {
      const fits = (!label.value || card.label === label.value) && words.every((word) => card.text.includes(word));
      card.node.hidden = !fits;
      shown += fits;
    }
    const narrowed = Boolean(words.length || label.value);
    const of = `${number.format(cards.length)} image${cards.length === 1 ? "" : "s"}`;
    count.textContent = !narrowed ? of : shown ? `${number.format(shown)} of ${of}` : `None of ${of} matches`;
    clear.hidden = !narrowed;
  };

  let waiting = 0;
  // Typing a word is one change, for the eye and for a screen reader.
  search.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(update, 150);
  });
  label.addEventListener("change", update);
  sort.addEventListener("change", update);
  clear.addEventListener("click", () => {
    search.value = label.value = "";
    update();
    // The button goes away with the filter; the focus must not go with it.
    search.focus();
  });
  document.querySelector(".tools").hidden = false;
  // Some browsers keep what was chosen when the page is loaded again.
  update();
})();
