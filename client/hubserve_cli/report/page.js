// Search, filter, sort and enlarge. Without it, the page shows all images in the order of the run.
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
  }));
  const all = cards.slice();
  const number = new Intl.NumberFormat("en");
  let sorted = "";

  const order = () => {
    if (sort.value === sorted) return;
    sorted = sort.value;
    const [by, direction] = [sorted.slice(0, -1), sorted.endsWith("-") ? -1 : 1];
    // What has no such figure comes last. The sort is stable: equal ones stay in the order of the run.
    const figure = new Map(all.map((card) => [card, Number(card.node.dataset[by] ?? NaN)]));
    const before = (one, other) => {
      const [a, b] = [figure.get(one), figure.get(other)];
      return Number.isNaN(a) - Number.isNaN(b) || direction * (a - b) || 0;
    };
    const wanted = sorted ? all.slice().sort(before) : all;
    list.append(...wanted.map((card) => card.node));
  };

  // A thumbnail becomes a button that shows it large, with all that its card says.
  const dialog = byId("large");
  const [picture, classes, name, about] = ["large-picture", "large-classes", "large-name", "large-about"].map(byId);
  const [previous, next] = ["previous", "next"].map(byId);
  let current = null;
  for (const {node} of cards) {
    const image = node.querySelector("img.picture");
    if (!image) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "enlarge";
    button.tabIndex = -1;
    button.setAttribute("aria-label", `Enlarge ${node.querySelector(".name").textContent}`);
    image.replaceWith(button);
    button.append(image);
  }
  // The next one that is shown and has a picture, in the order on the page.
  const beside = (node, step) => {
    do node = node?.[step]; while (node && (node.hidden || !node.querySelector(".enlarge")));
    return node;
  };
  // One of the images is a stop of the Tab key; the arrow keys go from one to the next.
  let stop = null;
  const rove = (node) => {
    if (stop) stop.tabIndex = -1;
    stop = node?.querySelector(".enlarge");
    if (stop) stop.tabIndex = 0;
  };
  const steps = {ArrowLeft: "previousElementSibling", ArrowUp: "previousElementSibling", ArrowRight: "nextElementSibling", ArrowDown: "nextElementSibling"};
  const copy = (to, from) => to.replaceChildren(...Array.from(from.childNodes, (child) => child.cloneNode(true)));
  const enlarge = (node) => {
    current = node;
    picture.src = node.querySelector("img.picture").src;
    copy(classes, node.querySelector("ol"));
    copy(name, node.querySelector(".name"));
    copy(about, node.querySelector(".about"));
    previous.disabled = !beside(node, "previousElementSibling");
    next.disabled = !beside(node, "nextElementSibling");
    if (!dialog.open) dialog.showModal();
  };
  const move = (step) => {
    const node = beside(current, step);
    if (node) enlarge(node);
  };
  list.addEventListener("click", (event) => {
    const button = event.target.closest(".enlarge");
    if (button) enlarge(button.closest(".card"));
  });
  list.addEventListener("keydown", (event) => {
    const button = event.target.closest(".enlarge");
    const node = button && steps[event.key] && beside(button.closest(".card"), steps[event.key]);
    if (!node) return;
    event.preventDefault();
    rove(node);
    stop.focus();
  });
  previous.addEventListener("click", () => move("previousElementSibling"));
  next.addEventListener("click", () => move("nextElementSibling"));
  byId("close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  // Not on the dialog: a button that is disabled while it has the focus passes on no keys.
  document.addEventListener("keydown", (event) => {
    if (!dialog.open) return;
    if (event.key === "ArrowLeft") move("previousElementSibling");
    if (event.key === "ArrowRight") move("nextElementSibling");
  });
  dialog.addEventListener("close", () => {
    // To the image that was looked at last, which need not be the one that was clicked.
    rove(current);
    stop?.focus();
    picture.removeAttribute("src");
  });

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
    const first = list.firstElementChild;
    rove(first && !first.hidden && first.querySelector(".enlarge") ? first : beside(first, "nextElementSibling"));
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
