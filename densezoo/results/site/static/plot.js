// Accuracy over cost: a point an accuracy, drawn by Observable Plot.
"use strict";

const values = zoo; // of zoo.js
const form = document.querySelector("[data-plot-form]");
const place = document.querySelector("[data-plot]");
const state = document.querySelector("[data-status]");
const readout = document.querySelector("[data-readout]");
const SHAPES = ["circle", "triangle", "square", "diamond2", "star", "wye", "times"];
const OTHERS = "others";
const SERIES = 6;

/** Every accuracy with the model that it is of. */
const every = values.models.flatMap((model) => model.accuracies.map((accuracy) => ({ protocol: accuracy.label, ...accuracy, model })));
/** {name: {label, of: accuracy -> cost}}: sizes, and a cost for each of the conditions that speed was measured under. */
const costs = {
  params: { label: "parameters, millions", of: (p) => p.model.params / 1e6, unit: "M parameters" },
  flops: { label: "multiply-adds of one image, 10⁹", of: (p) => p.gflops, unit: "GFLOPs" },
};
for (const conditions of new Set(values.models.flatMap((model) => model.speeds.map((speed) => speed.conditions)))) {
  costs[conditions] = {
    label: `images a second, measured: ${conditions}`,
    of: (p) => p.model.speeds.find((speed) => speed.conditions === conditions && sideOf(p) === speed.side)?.rate,
    unit: "images/s",
    faster: true,
  };
}

/** The side of the images that an accuracy's protocol crops; its steps say it. */
function sideOf(point) {
  const steps = values.protocols[point.protocol];
  const crop = /to (\d+)/.exec(steps?.["short side to crop"] ?? "");
  return crop ? Number(crop[1]) : point.model.side;
}

function options(select, entries, chosen) {
  select.replaceChildren(...entries.map(([value, text]) => element("option", { value }, text)));
  if (entries.some(([value]) => value === chosen)) select.value = chosen;
}

function protocolsOf(dataset) {
  const count = new Map();
  for (const point of every) if (point.dataset === dataset) count.set(point.label, (count.get(point.label) ?? 0) + 1);
  return [...count].sort((a, b) => b[1] - a[1]);
}

/** The points that are asked for, each with x, y and the series that it belongs to. */
function chosenPoints() {
  const { dataset, protocol, x, y } = form.elements;
  const cost = costs[x.value];
  const points = every
    .filter((p) => p.dataset === dataset.value && (protocol.value === "every" || (protocol.value === "own" ? p.own || p.label === p.model.protocol : p.label === protocol.value)))
    .map((p) => ({ ...p, x: cost.of(p), y: p[y.value] === undefined ? null : Number(p[y.value]) }))
    .filter((p) => p.x && p.y !== null);
  const count = new Map();
  for (const p of points) count.set(p.label, (count.get(p.label) ?? 0) + 1);
  const named = [...count].sort((a, b) => b[1] - a[1]).slice(0, SERIES).map(([name]) => name);
  for (const p of points) p.series = named.includes(p.label) ? p.label : OTHERS;
  const series = count.size > SERIES ? [...named, OTHERS] : named;
  return { points, series, cost };
}

/** The points that no other beats in accuracy at the same cost or less, from cheap to dear. */
function front(points, cost) {
  const dear = (p) => (cost.faster ? -p.x : p.x);
  const ordered = [...points].sort((a, b) => dear(a) - dear(b) || b.y - a.y);
  let best = -Infinity;
  return ordered.filter((p) => p.y > best && ((best = p.y), true));
}

function describe(p, cost) {
  const figure = form.elements.y.value === "published" ? `${p.published} % published by ${p.by}` : `${p.measured.toFixed(2)} % measured (${p.interval.map((b) => b.toFixed(2)).join(" to ")})`;
  return [p.model.name, figure, `protocol ${p.label}`, `${p.x >= 100 ? p.x.toFixed(0) : p.x.toFixed(2)} ${cost.unit}`];
}

function draw() {
  const { points, series, cost } = chosenPoints();
  place.replaceChildren();
  readout.textContent = "";
  table(points, cost);
  state.textContent = points.length ? `${points.length} point${points.length === 1 ? "" : "s"}` : "Nothing to show: no such figure has such a cost. Choose another dataset, protocol or axis.";
  if (!points.length) {
    place.append(element("p", { class: "empty" }, "Nothing to show here."));
    return;
  }
  const width = Math.max(320, place.clientWidth);
  const narrow = width < 560;
  const best = front(points, cost);
  const colours = series.map((_, i) => `var(--series-${series[i] === OTHERS ? SERIES : i})`);
  const shapes = series.map((name, i) => SHAPES[name === OTHERS ? SERIES : i]);
  const labelled = narrow ? [] : best.filter((p, i) => i === 0 || p.model.arch !== best[i - 1].model.arch);
  const [least, most] = d3.extent(points, (p) => Math.log(p.x));
  const isRight = (p) => Math.log(p.x) > least + 0.75 * (most - least); // there a label stands left of its point
  const chart = Plot.plot({
    width,
    height: narrow ? 380 : 520,
    marginLeft: 52,
    marginBottom: 48,
    marginTop: 24,
    marginRight: 20,
    style: { fontSize: "13px", background: "transparent", color: "inherit", fontFamily: "inherit" },
    x: { type: "log", label: cost.label, labelAnchor: "center", labelArrow: "none", tickFormat: (d) => d.toLocaleString("en", { maximumSignificantDigits: 2 }), ticks: narrow ? 4 : 8, inset: 16, nice: false },
    y: { label: "top-1, %", grid: true, labelArrow: "none", inset: 12 },
    color: { type: "ordinal", domain: series, range: colours },
    symbol: { domain: series, range: shapes },
    marks: [
      Plot.line(best, { x: "x", y: "y", curve: cost.faster ? "step-before" : "step-after", stroke: "currentColor", strokeOpacity: 0.45, strokeDasharray: "4 3" }),
      Plot.dot(points, { x: "x", y: "y", stroke: "series", symbol: "series", r: 5, strokeWidth: 2, fill: "var(--page)", fillOpacity: 0.6, href: (p) => `models/${encodeURIComponent(p.model.name)}.html`, className: "points" }),
      ...[false, true].map((end) => Plot.text(labelled.filter((p) => isRight(p) === end), { x: "x", y: "y", text: (p) => p.model.arch, dy: -12, dx: end ? -4 : 4, textAnchor: end ? "end" : "start", fill: "currentColor", stroke: "var(--page)", strokeWidth: 4, fontSize: 12, className: "names" })),
    ],
  });
  place.append(legend(series, colours, shapes), chart);
  thin([...chart.querySelectorAll(".names text")]);
  interact(chart, points, cost);
}

/** Remove each label that would cover one that comes later. */
function thin(labels) {
  const kept = [];
  for (const label of labels.reverse()) {
    const box = label.getBoundingClientRect();
    if (kept.some((other) => box.left < other.right && other.left < box.right && box.top < other.bottom && other.top < box.bottom)) label.remove();
    else kept.push(box);
  }
}

function legend(series, colours, shapes) {
  const list = element("ul", { class: "legend", "aria-label": "Protocols" });
  series.forEach((name, i) => {
    const mark = d3.create("svg").attr("width", 16).attr("height", 16).attr("viewBox", "-8 -8 16 16").attr("aria-hidden", "true");
    mark.append("path").attr("d", d3.symbol(symbolOf(shapes[i]), 64)()).attr("fill", "none").attr("stroke", colours[i]).attr("stroke-width", 2);
    list.append(element("li", {}, mark.node(), name));
  });
  return list;
}

function symbolOf(name) {
  return d3[`symbol${name[0].toUpperCase()}${name.slice(1)}`];
}

/** Hovering, touching and the keyboard: the plot is one stop of the Tab key, arrow keys go from point to point. */
function interact(chart, points, cost) {
  const svg = chart.tagName === "svg" ? chart : chart.querySelector("svg");
  svg.setAttribute("role", "group");
  svg.setAttribute("aria-label", `Top-1 over ${cost.label}: ${points.length} points`);
  for (const group of svg.querySelectorAll("g[aria-label], g[aria-description]")) {
    group.removeAttribute("aria-label"); // a group without a role has no name
    group.removeAttribute("aria-description");
  }
  const links = [...svg.querySelectorAll(".points a, a")];
  const tip = element("div", { class: "tip", hidden: "" });
  place.append(tip);
  const ordered = points.map((p, i) => ({ p, link: links[i] })).sort((a, b) => a.p.x - b.p.x || a.p.y - b.p.y);
  let at = -1;

  function show(i, speak) {
    at = i;
    const { p, link } = ordered[i];
    const [name, ...lines] = describe(p, cost);
    tip.replaceChildren(element("strong", {}, name), ...lines.flatMap((line) => [line, element("br")]));
    tip.hidden = false;
    const box = place.getBoundingClientRect();
    const dot = link.getBoundingClientRect();
    const leftward = dot.left - box.left > box.width / 2;
    tip.style.left = `${dot.left - box.left + (leftward ? -12 - tip.offsetWidth : dot.width + 12)}px`;
    tip.style.top = `${Math.max(0, dot.top - box.top - tip.offsetHeight / 2)}px`;
    ordered.forEach(({ link: each }, j) => each.setAttribute("tabindex", j === i ? "0" : "-1"));
    if (speak) readout.textContent = [name, ...lines].join(", ");
  }
  const hide = () => { tip.hidden = true; };

  ordered.forEach(({ p, link }, i) => {
    link.setAttribute("tabindex", i === 0 ? "0" : "-1");
    link.setAttribute("aria-label", describe(p, cost).join(", "));
    link.addEventListener("focus", () => show(i, false));
    link.addEventListener("blur", hide);
  });
  svg.addEventListener("keydown", (event) => {
    const move = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, Home: -Infinity, End: Infinity }[event.key];
    if (move === undefined) return;
    event.preventDefault();
    const next = Math.min(ordered.length - 1, Math.max(0, (at < 0 ? 0 : at) + move));
    ordered[next].link.focus();
  });
  svg.addEventListener("pointermove", (event) => {
    let [nearest, distance] = [-1, 24];
    ordered.forEach(({ link }, i) => {
      const dot = link.getBoundingClientRect();
      const away = Math.hypot(event.clientX - dot.left - dot.width / 2, event.clientY - dot.top - dot.height / 2);
      if (away < distance) [nearest, distance] = [i, away];
    });
    if (nearest < 0) hide(); else show(nearest, false);
    svg.style.cursor = nearest < 0 ? "" : "pointer";
  });
  svg.addEventListener("pointerleave", hide);
  svg.addEventListener("click", (event) => {
    if (!tip.hidden && at >= 0 && !event.target.closest("a")) ordered[at].link.dispatchEvent(new MouseEvent("click", { bubbles: false, cancelable: true }));
  });
  svg.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
}

function table(points, cost) {
  const rows = [...points].sort((a, b) => b.y - a.y).map((p) => ({
    cells: [element("a", { href: `models/${encodeURIComponent(p.model.name)}.html` }, p.model.name), p.label, form.elements.y.value === "published" ? p.published : p.measured.toFixed(2), p.x.toLocaleString("en", { maximumSignificantDigits: 4 })],
  }));
  fill(document.querySelector("[data-points]"), ["Model", "Protocol", "Top-1, %", cost.label], rows, new Set([2, 3]));
}

function change(event) {
  if (event?.target.name === "dataset") choices();
  const { dataset, protocol, x, y } = form.elements;
  address.write({ dataset: dataset.value, protocol: protocol.value, x: x.value, y: y.value });
  draw();
}

function choices(asked = {}) {
  const { dataset, protocol } = form.elements;
  const kept = asked.protocol ?? protocol.value;
  options(protocol, [["own", "each model's own"], ["every", "every one"], ...protocolsOf(dataset.value).map(([name, n]) => [name, `${name} (${n})`])], kept || "own");
}

(function start() {
  const asked = address.read();
  const { dataset, x, y } = form.elements;
  options(dataset, Object.entries(values.datasets), asked.dataset);
  options(x, Object.entries(costs).map(([name, cost]) => [name, cost.label]), asked.x);
  if (asked.y) y.value = asked.y;
  choices(asked);
  draw();
})();
form.addEventListener("input", change);
form.addEventListener("submit", (event) => event.preventDefault());
let width = place.clientWidth;
new ResizeObserver(() => {
  if (Math.abs(place.clientWidth - width) < 8) return;
  width = place.clientWidth;
  draw();
}).observe(place);
