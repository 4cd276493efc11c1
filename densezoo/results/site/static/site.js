// What every page has: the theme, tables that are searched, filtered and sorted, and buttons that copy.
"use strict";

(function theme() {
  const button = document.querySelector("[data-theme-button]");
  const themes = ["light dark", "light", "dark"];
  const names = { "light dark": "auto", light: "light", dark: "dark" };
  let kept = null;
  try { kept = localStorage.getItem("densezoo-theme"); } catch { /* a browser may keep nothing for files */ }
  let current = themes.includes(kept) ? kept : themes[0];
  function show() {
    document.documentElement.style.colorScheme = current;
    button.textContent = `Theme: ${names[current]}`;
  }
  button.hidden = false;
  button.addEventListener("click", () => {
    current = themes[(themes.indexOf(current) + 1) % themes.length];
    try { localStorage.setItem("densezoo-theme", current); } catch { /* then it lasts for this page */ }
    show();
  });
  show();
})();

/** What stands behind the # of the page's address, as {name: value}; written without a step in the history. */
const address = {
  read: () => Object.fromEntries(new URLSearchParams(location.hash.slice(1))),
  write(values) {
    const kept = Object.entries(values).filter(([, value]) => value !== "" && value !== null && value !== undefined);
    const hash = new URLSearchParams(kept).toString();
    history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
  },
};

/** An element with attributes; children are elements or text, which is never read as HTML. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== null && value !== undefined) made.setAttribute(key, value);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** A table's columns and rows of texts, written into an element; numbers is a set of columns. */
function fill(table, columns, rows, numbers = new Set()) {
  const kind = (i) => (numbers.has(i) ? { class: "number" } : {});
  const head = element("tr", {}, ...columns.map((name, i) => element("th", { scope: "col", ...kind(i) }, name)));
  const lines = rows.map(({ cells, differs }) =>
    element("tr", differs ? { class: "differs" } : {}, ...cells.map((cell, i) => element(i ? "td" : "th", i ? kind(i) : { scope: "row" }, cell ?? ""))));
  table.replaceChildren(element("thead", {}, head), element("tbody", {}, ...lines));
}

class SortableTable {
  constructor(table) {
    this.table = table;
    this.body = table.tBodies[0];
    this.rows = [...this.body.rows];
    this.headings = [...table.tHead.rows[0].cells];
    this.form = document.querySelector("[data-filters]");
    this.status = document.querySelector("[data-status]");
    this.empty = document.querySelector("[data-empty]");
    this.texts = new Intl.Collator("en", { numeric: true });
    this.order = null;
    this.shown = this.rows.length;
    this.tellConditions();
    this.found = new Map(this.rows.map((row) => [row, `${row.textContent.toLowerCase()} ${row.dataset.words}`]));
    this.headings.forEach((heading, i) => {
      const button = element("button", { type: "button" }, ...heading.childNodes);
      heading.replaceChildren(button);
      button.addEventListener("click", () => this.sort(i));
    });
    this.form.hidden = this.status.hidden = false;
    this.form.addEventListener("input", () => this.filter());
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.form.addEventListener("reset", () => setTimeout(() => this.filter()));
    const more = this.form.querySelector("[data-more]"); // where the screen is narrow
    more.addEventListener("click", () => more.setAttribute("aria-expanded", this.form.classList.toggle("open")));
    document.querySelector("[data-clear]").addEventListener("click", () => {
      this.form.reset();
      this.form.elements.q.focus();
    });
    this.restore();
  }

  /** Each row's dataset and protocol, which a narrow screen shows below the name: no figure stands without them. */
  tellConditions() {
    const columns = this.headings.flatMap((heading, i) => (["dataset", "protocol"].includes(heading.dataset.name) ? [i] : []));
    for (const row of this.rows) row.cells[0].dataset.conditions = columns.map((i) => row.cells[i].textContent).filter(Boolean).join(", ");
  }

  restore() {
    const { sort, ...values } = address.read();
    for (const [name, value] of Object.entries(values)) {
      const field = this.form.elements.namedItem(name);
      if (field) field.value = value;
    }
    if (sort) {
      const i = this.headings.findIndex((heading) => heading.dataset.name === sort.replace(/^-/, ""));
      if (i >= 0) this.sort(i, sort.startsWith("-"));
    }
    this.filter();
  }

  key(row, i) {
    const text = row.cells[i].textContent.trim();
    if (!text) return null;
    return this.headings[i].classList.contains("number") ? parseFloat(text.replaceAll(",", "")) : text;
  }

  sort(i, descending = null) {
    const heading = this.headings[i];
    const number = heading.classList.contains("number");
    const now = heading.getAttribute("aria-sort");
    const down = descending ?? (now ? now === "ascending" : number);
    const keyed = this.rows.map((row) => [this.key(row, i), row]);
    const compare = number ? (a, b) => a - b : (a, b) => this.texts.compare(a, b);
    keyed.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null); // what is empty comes last either way
      return down ? compare(b, a) : compare(a, b);
    });
    this.headings.forEach((each) => each.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    this.body.append(...keyed.map(([, row]) => row));
    this.order = (down ? "-" : "") + heading.dataset.name;
    this.tell();
    this.remember();
  }

  filter() {
    const words = this.form.elements.q.value.toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = [...this.form.querySelectorAll("select")].filter((select) => select.value);
    const bounds = [...this.form.querySelectorAll("[data-column]")].filter((input) => input.value !== "");
    const columns = new Map(this.headings.map((heading, i) => [heading.dataset.name, i]));
    const inside = (row, input) => {
      const value = this.key(row, columns.get(input.dataset.column));
      const bound = Number(input.value);
      return value !== null && (input.dataset.way === "min" ? value >= bound : value <= bound);
    };
    const texts = this.found;
    let shown = 0;
    for (const row of this.rows) {
      const fits = words.every((word) => texts.get(row).includes(word))
        && chosen.every((select) => (columns.has(select.name) ? this.key(row, columns.get(select.name)) : row.dataset[select.name]) === select.value)
        && bounds.every((input) => inside(row, input));
      row.hidden = !fits;
      shown += fits;
    }
    this.shown = shown;
    this.tell();
    this.empty.hidden = shown > 0;
    this.table.parentElement.hidden = shown === 0;
    this.remember();
  }

  /** Say how many rows there are, and that figures of several datasets are sorted where they are. */
  tell() {
    const all = this.rows.length;
    const figures = ["top1", "top5", "measured"].includes(this.order?.replace(/^-/, ""));
    const mixed = figures && !this.form.elements.dataset?.value;
    this.status.textContent = `${this.shown === all ? "" : `${this.shown} of `}${all} ${this.table.dataset.noun}`
      + (mixed ? ". Figures of different datasets can't be compared: choose one." : "");
  }

  remember() {
    address.write({ ...Object.fromEntries(new FormData(this.form)), sort: this.order });
  }
}
for (const table of document.querySelectorAll("[data-sortable]")) new SortableTable(table);

(function choose() {
  const tray = document.querySelector("[data-tray]");
  if (!tray) return;
  const boxes = [...document.querySelectorAll("[data-sortable] tbody th a")].map((link) => {
    const box = element("input", { type: "checkbox", value: link.textContent, "aria-label": `compare ${link.textContent}` });
    link.before(box);
    return box;
  });
  const link = tray.querySelector("[data-compare]");
  let chosen = [];
  function show() {
    boxes.forEach((box) => { box.checked = chosen.includes(box.value); });
    tray.hidden = chosen.length === 0;
    tray.querySelector("[data-chosen]").textContent = chosen.length === 1 ? `${chosen[0]}: choose another to compare it with` : chosen.join(" and ");
    link.hidden = chosen.length < 2;
    link.href = `compare.html#${new URLSearchParams({ a: chosen[0] ?? "", b: chosen[1] ?? "" })}`;
  }
  boxes.forEach((box) => {
    box.addEventListener("change", () => {
      chosen = box.checked ? [...chosen, box.value].slice(-2) : chosen.filter((name) => name !== box.value);
      show();
    });
  });
  tray.querySelector("[data-unchoose]").addEventListener("click", () => { chosen = []; show(); });
  show();
})();

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(button.previousElementSibling.textContent);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not allowed";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
}
