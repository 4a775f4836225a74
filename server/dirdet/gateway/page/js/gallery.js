// Several pictures: a strip of them, each with what is known of it.

import { byId, make } from "./dom.js";
import { count } from "./figures.js";

/** open(picture), remove(picture): what a person does. */
export function createGallery({ open, remove }) {
  const gallery = byId("gallery");
  const tiles = new Map();

  function tileOf(picture) {
    const photo = make("img", { alt: "", loading: "lazy", decoding: "async" });
    const badge = make("span", { class: "badge" });
    const number = make("span", { class: "number" });
    const choose = make("button", { type: "button", class: "thumb", title: picture.name }, photo, number, badge);
    choose.addEventListener("click", () => open(picture));
    const close = make("button", { type: "button", class: "close", "aria-label": `Remove ${picture.name}` }, "✕");
    close.addEventListener("click", () => remove(picture));
    return { element: make("div", { class: "tile" }, choose, close), photo, badge, number, choose };
  }

  /** kept(picture): how many boxes are kept of a picture that is done. */
  function show(pictures, current, kept) {
    gallery.hidden = pictures.length < 2;
    for (const [picture, tile] of tiles) {
      if (pictures.includes(picture)) continue;
      tile.element.remove();
      tiles.delete(picture);
    }
    for (const picture of pictures) {
      if (!tiles.has(picture)) {
        tiles.set(picture, tileOf(picture));
        gallery.append(tiles.get(picture).element);
      }
      const { photo, badge, number, choose } = tiles.get(picture);
      if (photo.src !== picture.url) photo.src = picture.url;
      const [short, long] = stateOf(picture, kept);
      badge.textContent = short;
      badge.className = `badge ${picture.state}`;
      choose.setAttribute("aria-label", `${picture.name}, ${long}`);
      number.textContent = pictures.indexOf(picture) + 1;
      choose.setAttribute("aria-current", picture === current);
    }
  }

  return { show };
}

function stateOf(picture, kept) {
  if (picture.state === "done") return [String(kept(picture)), count(kept(picture), "box", "boxes")];
  if (picture.state === "failed") return ["!", picture.problem.title];
  return ["…", "not done yet"];
}
