// Asks for the API key where the server wants one. It is given on, and kept nowhere here.

import { byId } from "./dom.js";

/** use(key) is called with what a person gave. Returns ask(problem), which opens the dialog. */
export function openKey(use) {
  const dialog = byId("key-dialog");
  const input = byId("key");
  byId("key-cancel").addEventListener("click", () => dialog.close("cancel"));
  byId("key-form").addEventListener("submit", () => {
    const key = input.value.trim();
    input.value = "";
    if (key) use(key);
  });
  dialog.addEventListener("close", () => (input.value = ""));
  return (problem) => {
    byId("key-says").textContent = problem.detail;
    if (!dialog.open) dialog.showModal();
  };
}
