// Two models side by side.
"use strict";

const values = zoo; // of zoo.js
const models = new Map(values.models.map((model) => [model.name, model]));
const form = document.querySelector("[data-compare-form]");
const place = document.querySelector("[data-comparison]");
const state = document.querySelector("[data-status]");
document.getElementById("names").append(...values.models.map((model) => element("option", { value: model.name })));

const comma = new Intl.NumberFormat("en");
/** {fact: model -> its text}. */
const facts = {
  Family: (m) => m.family,
  Architecture: (m) => m.arch,
  Publisher: (m) => m.publisher,
  Training: (m) => m.training,
  Parameters: (m) => comma.format(m.params),
  Classes: (m) => comma.format(m.classes),
  Licence: (m) => m.license ?? "not stated",
  Weights: (m) => m.weights,
  "Own protocol": (m) => m.protocol,
};

function link(name) {
  return element("a", { href: `models/${encodeURIComponent(name)}.html` }, name);
}

function section(title, table) {
  const region = element("div", { class: "scroll", role: "region", "aria-label": title, tabindex: "0" }, table);
  return [element("h2", {}, title), region];
}

/** {dataset, label: {published, measured, ...}} of a model; the first figure of the same stands. */
function byConditions(model) {
  const found = new Map();
  for (const accuracy of model.accuracies) {
    const key = `${accuracy.dataset}\n${accuracy.label}`;
    if (!found.has(key)) found.set(key, accuracy);
  }
  return found;
}

function figureOf(accuracy) {
  if (!accuracy) return "";
  const measured = accuracy.measured === undefined ? null : `${accuracy.measured.toFixed(2)} measured`;
  return [accuracy.published, measured].filter(Boolean).join(", ");
}

function accuracies(a, b) {
  const [first, second] = [byConditions(a), byConditions(b)];
  const keys = [...new Set([...first.keys(), ...second.keys()])];
  const order = (key) => (first.has(key) && second.has(key) ? 0 : 1);
  keys.sort((x, y) => order(x) - order(y));
  return keys.map((key) => {
    const [own, other] = [first.get(key), second.get(key)];
    const known = own ?? other;
    const change = own?.published !== undefined && other?.published !== undefined ? Number(other.published) - Number(own.published)
      : own?.measured !== undefined && other?.measured !== undefined ? other.measured - own.measured : null;
    const shown = change === null ? "" : (change > 0 ? "+" : change < 0 ? "−" : "") + Math.abs(change).toFixed(2);
    const dataset = values.datasets[known.dataset] ?? known.dataset;
    return { cells: [dataset, known.label, figureOf(own), figureOf(other), shown] };
  });
}

function show() {
  const [a, b] = ["a", "b"].map((name) => models.get(form.elements[name].value.trim()));
  const missing = ["a", "b"].filter((name) => form.elements[name].value.trim() && !models.has(form.elements[name].value.trim()));
  address.write({ a: form.elements.a.value.trim(), b: form.elements.b.value.trim() });
  for (const name of ["a", "b"]) form.elements[name].setAttribute("aria-invalid", missing.includes(name));
  if (!a || !b) {
    state.textContent = missing.length ? `There is no model ${missing.map((name) => `“${form.elements[name].value.trim()}”`).join(" and no ")}.` : "Choose two models.";
    place.replaceChildren();
    return;
  }
  const same = a.training === b.training && a !== b;
  const shared = accuracies(a, b).filter(({ cells }) => cells[4] !== "").length;
  state.textContent = [
    a === b ? "This is one model." : same ? `Both have the weights of one training, ${a.training}: what differs is the port and the protocol.` : "",
    shared ? `${shared} figure${shared === 1 ? "" : "s"} under the same protocol can be compared.` : "No figures under the same protocol: their accuracies can't be compared.",
  ].filter(Boolean).join(" ");

  const about = element("table");
  fill(about, ["Fact", link(a.name), link(b.name)], [
    ...Object.entries(facts).map(([fact, of]) => ({ cells: [fact, of(a), of(b)], differs: of(a) !== of(b) })),
  ]);
  const figures = element("table");
  fill(figures, ["Dataset", "Protocol", `${a.name}, %`, `${b.name}, %`, "Second less first"], accuracies(a, b), new Set([2, 3, 4]));
  const steps = element("table");
  const [ours, theirs] = [values.protocols[a.protocol], values.protocols[b.protocol]];
  if (ours && theirs) {
    fill(steps, ["Step", a.protocol, b.protocol], Object.keys(ours).map((step) => ({ cells: [step, ours[step], theirs[step]], differs: ours[step] !== theirs[step] })));
  }
  const speeds = [a, b].flatMap((model) => model.speeds.map((speed) => ({
    cells: [model.name, speed.conditions, String(speed.side), speed.rate.toLocaleString("en")],
  })));
  const rates = element("table");
  fill(rates, ["Model", "Conditions", "Side, px", "Images/s"], speeds, new Set([2, 3]));
  place.replaceChildren(
    ...section("What they are", about),
    ...section("Accuracies", figures),
    ...(ours && theirs ? section("What their protocols do", steps) : []),
    ...(speeds.length ? section("Measured speed", rates) : []),
  );
}

form.addEventListener("input", show);
form.addEventListener("submit", (event) => event.preventDefault());
document.querySelector("[data-swap]").addEventListener("click", () => {
  [form.elements.a.value, form.elements.b.value] = [form.elements.b.value, form.elements.a.value];
  show();
});
function restore() {
  const { a, b } = address.read();
  form.elements.a.value = a ?? values.models[0].name;
  form.elements.b.value = b ?? "";
  show();
}
window.addEventListener("hashchange", restore);
restore();
