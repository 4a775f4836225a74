// The classes that were found, each to be switched off and on.

import { colourOf } from "./colours.js";
import { byId, make } from "./dom.js";

/** toggle(classId) is called when a person switches one. */
export function createLegend(toggle) {
  const legend = byId("legend");
  const title = legend.querySelector("legend");
  let buttons = new Map();
  let known = [];

  legend.addEventListener("click", (event) => {
    const id = event.target.closest("[data-class]")?.dataset.class;
    if (id !== undefined) toggle(Number(id));
  });

  /** names: of all classes by class_id; a class is listed if it has a candidate above the score, or is switched off. */
  function show({ answer, result, settings }, names) {
    const kept = countBy(result.kept.map((row) => answer.candidates[row].class_id));
    const above = answer.candidates.filter((each) => each.score > settings.score_threshold).map((each) => each.class_id);
    const listed = [...new Set([...above, ...settings.hidden])].sort((one, other) => one - other);
    legend.hidden = listed.length < 2 && settings.hidden.size === 0;
    if (names.join("\n") !== known.join("\n")) buttons = new Map(); // another detector's classes
    known = names;
    // Buttons stay the same elements, so that the one with the focus keeps it.
    buttons = new Map(listed.map((id) => [id, buttons.get(id) ?? button(id, names[id])]));
    for (const [id, element] of buttons) {
      element.setAttribute("aria-pressed", !settings.hidden.has(id));
      element.querySelector(".number").textContent = kept.get(id) ?? 0;
    }
    const wanted = [...buttons.values()];
    const present = [...legend.querySelectorAll("button")];
    if (wanted.length !== present.length || wanted.some((each, at) => each !== present[at])) {
      legend.replaceChildren(title, ...wanted);
    }
  }

  return { show };
}

function button(id, name) {
  return make(
    "button",
    { type: "button", class: "class", "data-class": id },
    make("span", { class: "swatch", style: { backgroundColor: colourOf(id) } }),
    `${name} `,
    make("span", { class: "number" }),
  );
}

function countBy(values) {
  const counts = new Map();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}
