// One photograph under two protocols.
"use strict";

const values = JSON.parse(document.getElementById("values").textContent);
const form = document.querySelector("[data-why-form]");
const frame = document.querySelector("[data-frame]");
const cut = document.querySelector("[data-cut]");
const [left, right] = [frame.querySelector("[data-left]"), frame.querySelector("[data-right]")];
const state = document.querySelector("[data-status]");
const shots = new Map(values.shots.map((shot) => [shot.protocol, shot]));

function show() {
  const [first, second] = [form.elements.left.value, form.elements.right.value];
  for (const [image, name] of [[left, first], [right, second]]) {
    image.src = shots.get(name).path;
    image.alt = `the photograph under ${name}, ${shots.get(name).side} pixels a side`;
  }
  frame.querySelector("[data-name-left]").textContent = first;
  frame.querySelector("[data-name-right]").textContent = second;
  const difference = form.elements.view.value === "difference";
  frame.classList.toggle("difference", difference);
  frame.style.setProperty("--zoom", form.elements.zoom.value);
  cut.disabled = difference;
  slide();

  const [ours, theirs] = [values.steps[first], values.steps[second]];
  const rows = Object.keys(ours).map((step) => ({ cells: [step, ours[step], theirs[step]], differs: ours[step] !== theirs[step] }));
  fill(document.querySelector("[data-steps]"), ["Step", first, second], rows);
  const differing = rows.filter((row) => row.differs).map((row) => row.cells[0]);
  const alike = shots.get(first).path === shots.get(second).path;
  state.textContent = first === second ? "Choose two protocols."
    : `${differing.length ? `They differ in: ${differing.join(", ")}.` : "They do the same."} ${alike ? "The pixels of this photograph are the same." : "The pixels differ."}`;
  const figures = Object.entries(values.figures).filter(([, own]) => own[first] && own[second]).map(([training, own]) => {
    const change = Number(own[second]) - Number(own[first]);
    return { cells: [training, own[first], own[second], (change > 0 ? "+" : change < 0 ? "−" : "") + Math.abs(change).toFixed(2)] };
  });
  fill(document.querySelector("[data-figures]"), ["Training", first, second, "Change"],
    figures.length ? figures : [{ cells: ["no training has a figure under both", "", "", ""] }], new Set([1, 2, 3]));
  address.write({ left: first, right: second, view: difference ? "difference" : "", zoom: form.elements.zoom.value === "1" ? "" : form.elements.zoom.value });
}

function slide() {
  frame.style.setProperty("--cut", `${cut.value}%`);
  cut.setAttribute("aria-valuetext", `${cut.value} percent ${form.elements.left.value}, the rest ${form.elements.right.value}`);
}

function drag(event) {
  if (cut.disabled || (event.type === "pointermove" && event.pointerType !== "mouse" && !event.buttons)) return;
  const box = frame.getBoundingClientRect();
  cut.value = Math.round((100 * (event.clientX - box.left)) / box.width);
  slide();
}

form.addEventListener("input", show);
form.addEventListener("submit", (event) => event.preventDefault());
cut.addEventListener("input", slide);
frame.addEventListener("pointermove", drag);
frame.addEventListener("pointerdown", drag);

const asked = address.read();
const names = [...shots.keys()];
form.elements.left.value = [asked.left, values.first?.left, names[0]].find((name) => shots.has(name)) ?? "";
form.elements.right.value = [asked.right, values.first?.right, names.at(-1)].find((name) => shots.has(name)) ?? "";
for (const name of ["view", "zoom"]) if (asked[name]) form.elements[name].value = asked[name];
if (names.length) show();
