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
      const next = one("nav[aria-label=Pages] a[rel=next]");
      if (!entries.some((entry) => entry.isIntersecting) || loading || !next) return;
      loading = true;
      try {
        const page = await parsed(next.href);
        const tiles = all(".grid > li", page);
        if (tiles.length) begins.push({ tile: tiles[0], address: next.href });
        grid.append(...tiles);
        const below = one("nav[aria-label=Pages]");
        const nav = one("nav[aria-label=Pages]", page);
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
  const below = one("nav[aria-label=Pages]");
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

// Keys that press a button, once: the answer is for the image that was shown.
for (const button of all("[data-key]")) keys[button.dataset.key] = () => button.click();
let sent = false;
for (const form of all("form.review"))
  form.addEventListener("submit", (event) => {
    if (sent) event.preventDefault();
    sent = true;
  });
addEventListener("pageshow", () => (sent = false)); // also where a page is kept for going back

addEventListener("keydown", (event) => {
  if (event.repeat && all("[data-key]").length) return;
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (event.target.closest("input, select, textarea") || !(event.key in keys)) return;
  event.preventDefault();
  keys[event.key]();
});

// Zoom and pan: buttons, + - 0, a double click, Ctrl and the wheel; dragging moves.
const zooming = (figure) => {
  const picture = one(".picture, img", figure);
  const frame = document.createElement("div");
  frame.className = "zoom";
  picture.replaceWith(frame);
  frame.append(picture);
  let scale = 1, x = 0, y = 0, from = null;

  const show = () => {
    if (scale === 1) x = y = 0;
    const { clientWidth: width, clientHeight: height } = frame;
    x = Math.min(0, Math.max(width * (1 - scale), x));
    y = Math.min(0, Math.max(height * (1 - scale), y));
    picture.style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
    frame.classList.toggle("zoomed", scale > 1);
  };
  const zoom = (factor, at = { x: frame.clientWidth / 2, y: frame.clientHeight / 2 }) => {
    const before = scale;
    scale = Math.min(16, Math.max(1, scale * factor));
    x = at.x - ((at.x - x) * scale) / before;
    y = at.y - ((at.y - y) * scale) / before;
    show();
  };
  const place = (event) => {
    const { left, top } = frame.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  };

  frame.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    zoom(event.deltaY < 0 ? 1.25 : 0.8, place(event));
  }, { passive: false });
  frame.addEventListener("dblclick", (event) => zoom(scale > 1 ? 1 / scale : 3, place(event)));
  frame.addEventListener("pointerdown", (event) => {
    if (scale === 1) return;
    event.preventDefault();
    from = { x: event.clientX - x, y: event.clientY - y };
    frame.setPointerCapture(event.pointerId);
  });
  frame.addEventListener("pointermove", (event) => {
    if (!from) return;
    [x, y] = [event.clientX - from.x, event.clientY - from.y];
    show();
  });
  for (const end of ["pointerup", "pointercancel"]) frame.addEventListener(end, () => (from = null));

  const buttons = document.createElement("span");
  buttons.className = "zooms";
  for (const [text, name, factor] of [["+", "Zoom in", 1.5], ["−", "Zoom out", 1 / 1.5], ["1:1", "Whole picture", 0]]) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    button.setAttribute("aria-label", name);
    button.addEventListener("click", () => zoom(factor || 1 / scale));
    buttons.append(button);
  }
  one("figcaption", figure).append(buttons);
  return { "+": () => zoom(1.5), "-": () => zoom(1 / 1.5), 0: () => zoom(1 / scale) };
};
const zooms = all(".pictures figure").map(zooming);
if (zooms.length) Object.assign(keys, zooms[0]);

// Choose images: Shift and a click take all from the last one that was clicked.
const choosing = (grid, form) => {
  const picks = () => all(".pick input", grid);
  let last = null;
  const count = () => {
    const chosen = picks().filter((pick) => pick.checked).length;
    one("#chosen").textContent = chosen ? `${chosen} chosen` : "";
  };
  grid.addEventListener("click", (event) => {
    const pick = event.target.closest(".pick input");
    if (!pick) return;
    const boxes = picks();
    if (event.shiftKey && last && boxes.includes(last)) {
      const [from, to] = [boxes.indexOf(last), boxes.indexOf(pick)].sort((a, b) => a - b);
      for (const box of boxes.slice(from, to + 1)) box.checked = pick.checked;
    }
    last = pick;
    count();
  });
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Choose all that is shown";
  button.addEventListener("click", () => {
    const boxes = picks();
    const on = !boxes.every((box) => box.checked);
    for (const box of boxes) box.checked = on;
    count();
  });
  form.append(button);
  count();
};
const marking = one("#marking");
if (marking) choosing(one(".grid"), marking);

const boxes = one("#boxes");
if (boxes) {
  boxes.checked = sessionStorage.getItem("boxes") === "1";
  boxes.addEventListener("change", () => sessionStorage.setItem("boxes", boxes.checked ? "1" : "0"));
}
completion(one("#q"), one("#completion"));
const grid = one(".grid");
if (grid) scrolling(grid);
