"use strict";
// Completion, endless scrolling and keys. The server makes all links.

const one = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

const parsed = async (address, signal) => {
  const answer = await fetch(address, { signal });
  if (!answer.ok) throw new Error(answer.statusText);
  return new DOMParser().parseFromString(await answer.text(), "text/html");
};

const completion = (input, list) => {
  let asked = new AbortController();
  const options = () => all("li", list);
  const chosen = () => one("[aria-selected=true]", list);

  const show = (items) => {
    list.replaceChildren(...items);
    list.hidden = items.length === 0;
    input.setAttribute("aria-expanded", String(!list.hidden));
    input.removeAttribute("aria-activedescendant");
  };

  const choose = (step) => {
    const items = options();
    if (!items.length) return;
    const before = chosen();
    const place = before ? items.indexOf(before) + step : step > 0 ? 0 : items.length - 1;
    before?.setAttribute("aria-selected", "false");
    const now = items.at(place % items.length);
    now.setAttribute("aria-selected", "true");
    input.setAttribute("aria-activedescendant", now.id);
  };

  const ask = async () => {
    asked.abort();
    asked = new AbortController();
    const text = input.value;
    if (!text.trim() || text.endsWith(" ")) return show([]);
    const address = new URL(input.dataset.complete, location);
    address.searchParams.set("q", text);
    try {
      const answer = await parsed(address, asked.signal);
      if (document.activeElement === input) show(all("li", answer));
    } catch (error) {
      if (error.name !== "AbortError") show([]);
    }
  };

  input.setAttribute("role", "combobox");
  input.setAttribute("aria-autocomplete", "list");
  input.setAttribute("aria-controls", list.id);
  input.setAttribute("aria-expanded", "false");
  input.addEventListener("input", ask);
  input.addEventListener("blur", () => show([]));
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") choose(event.key === "ArrowDown" ? 1 : -1);
    else if (event.key === "Enter" && chosen()) location.assign(chosen().dataset.href);
    else if (event.key === "Escape") list.hidden ? input.blur() : show([]);
    else return;
    event.preventDefault();
  });
  // Keep the focus in the field: losing it closes the list.
  list.addEventListener("pointerdown", (event) => event.preventDefault());
  list.addEventListener("click", (event) => {
    const option = event.target.closest("li");
    if (option) location.assign(option.dataset.href);
  });
};

const MOST_PAGES = 20; // limits memory; then the links below lead on

const scrolling = (grid) => {
  const begins = [{ tile: grid.firstElementChild, address: location.href }];
  let loading = false;

  const watch = new IntersectionObserver(
    async (entries) => {
      const next = one("nav.pages:last-child a[rel=next]");
      if (!entries.some((entry) => entry.isIntersecting) || loading || !next) return;
      loading = true;
      try {
        const page = await parsed(next.href);
        const tiles = all(".grid > li", page);
        if (tiles.length) begins.push({ tile: tiles[0], address: next.href });
        grid.append(...tiles);
        const below = one("nav.pages:last-child");
        const nav = one("nav.pages:last-child", page);
        watch.disconnect();
        below.replaceWith(nav);
        if (begins.length < MOST_PAGES) watch.observe(nav);
      } catch {
        watch.disconnect(); // the link below still works
      }
      loading = false;
    },
    { rootMargin: "800px" },
  );
  const below = one("nav.pages:last-child");
  if (below) watch.observe(below);

  // Keep the address of the page in sight.
  let here = location.href;
  const follow = () => {
    const passed = begins.filter(({ tile }) => tile.getBoundingClientRect().top < innerHeight / 2);
    const { address } = passed.at(-1) ?? begins[0];
    if (address !== here) history.replaceState(null, "", (here = address));
  };
  let waiting = false;
  addEventListener(
    "scroll",
    () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => {
        waiting = false;
        follow();
      });
    },
    { passive: true },
  );
};

const step = (forward) => {
  const tiles = all(".grid > li > a");
  if (!tiles.length) return one(`.steps a[rel=${forward ? "next" : "prev"}]`)?.click();
  const place = tiles.indexOf(document.activeElement);
  const next = place < 0 ? (forward ? 0 : tiles.length - 1) : place + (forward ? 1 : -1);
  tiles[next]?.focus();
};

const search = () => {
  const field = one("#q");
  if (field.value && !field.value.endsWith(" ")) field.value += " ";
  field.focus();
  field.setSelectionRange(field.value.length, field.value.length);
};

const keys = {
  "/": search,
  ArrowRight: () => step(true),
  j: () => step(true),
  ArrowLeft: () => step(false),
  k: () => step(false),
  Escape: () => one("#back")?.click(),
};

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (event.target.closest("input, select, textarea") || !(event.key in keys)) return;
  event.preventDefault();
  keys[event.key]();
});

const boxes = one("#boxes");
if (boxes) {
  boxes.checked = sessionStorage.getItem("boxes") === "1";
  boxes.addEventListener("change", () => sessionStorage.setItem("boxes", boxes.checked ? "1" : "0"));
}
completion(one("#q"), one("#completion"));
const grid = one(".grid");
if (grid) scrolling(grid);
