// How pictures come onto the page: chosen, dropped anywhere, pasted, or the example.

import { announce, byId } from "./dom.js";

/** take(files) is given what came, never nothing. */
export function openIntake(take) {
  const input = byId("file");
  for (const id of ["choose", "add"]) byId(id).addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    give([...input.files], take);
    input.value = ""; // the same file can be chosen again
  });
  byId("example").addEventListener("click", async () => {
    const response = await fetch("page/example.jpg");
    if (response.ok) take([new File([await response.blob()], "chelsea.jpg", { type: "image/jpeg" })]);
  });
  document.addEventListener("paste", (event) => give(filesOf(event.clipboardData), take));
  openDrop(take);
}

/** What a person may choose; a telephone then also turns its own types into one of these. */
export function acceptTypes(types) {
  byId("file").accept = types.join(",");
}

function openDrop(take) {
  const veil = byId("dropping");
  const bringsFiles = (event) => event.dataTransfer?.types.includes("Files");
  let inside = 0; // enter and leave come for every element that is passed
  document.addEventListener("dragenter", (event) => {
    if (!bringsFiles(event)) return;
    inside += 1;
    veil.hidden = false;
  });
  document.addEventListener("dragleave", (event) => {
    if (!bringsFiles(event)) return;
    inside = Math.max(inside - 1, 0);
    veil.hidden = inside === 0;
  });
  document.addEventListener("dragover", (event) => {
    if (bringsFiles(event)) event.preventDefault();
  });
  document.addEventListener("drop", (event) => {
    if (!bringsFiles(event)) return;
    event.preventDefault(); // else the browser leaves the page for the picture
    inside = 0;
    veil.hidden = true;
    give(filesOf(event.dataTransfer), take);
  });
}

// Folders come as files that cannot be read.
function filesOf(transfer) {
  const items = [...(transfer?.items ?? [])].filter((item) => item.kind === "file");
  const folders = items.filter((item) => item.webkitGetAsEntry?.()?.isDirectory);
  if (folders.length) announce("Folders are not read: drop the pictures in them.");
  return items.filter((item) => !folders.includes(item)).map((item) => item.getAsFile());
}

function give(files, take) {
  const named = files.filter(Boolean);
  if (named.length) take(named);
}
