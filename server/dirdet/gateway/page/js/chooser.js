// Which of the server's detectors the page asks, where there are several; the address keeps the choice.

import { byId, make } from "./dom.js";

const PARAMETER = "detector";

/**
 * choose(name) is called when a person takes another. Returns show(told): what GET /detectors told, of which it
 * returns the name to begin with.
 */
export function createChooser(choose) {
  const select = byId("chooser");
  let usual = null;

  select.addEventListener("change", () => {
    const address = new URL(location.href);
    if (select.value === usual) address.searchParams.delete(PARAMETER);
    else address.searchParams.set(PARAMETER, select.value);
    history.replaceState(null, "", address);
    choose(select.value);
  });

  return function show({ default: first, detectors }) {
    const names = detectors.map((each) => each.name);
    const wanted = new URL(location.href).searchParams.get(PARAMETER);
    const chosen = names.includes(wanted) ? wanted : first;
    usual = first;
    select.replaceChildren(...names.map((name) => make("option", { value: name, selected: name === chosen }, name)));
    select.hidden = names.length < 2;
    byId("detector-name").hidden = !select.hidden;
    return chosen;
  };
}
