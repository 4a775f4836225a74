// Asks for the API key where the server wants one. It is given on, and kept nowhere here.

import { byId } from "./dom.js";

/** use(key) is called with what a person gave, refused() where none was. Returns ask(), which opens the dialog. */
export function openKey(use, refused) {
  let given = false;
  const dialog = byId("key-dialog");
  const input = byId("key");
  byId("key-cancel").addEventListener("click", () => dialog.close("cancel"));
  byId("key-form").addEventListener("submit", () => {
    const key = input.value.trim();
    input.value = "";
    if (!key) return;
    given = true;
    use(key);
  });
  dialog.addEventListener("close", () => {
    input.value = "";
    if (dialog.returnValue !== "use") refused();
    dialog.returnValue = "";
  });
  return () => {
    // The problem's own words are for who writes a client.
    byId("key-says").textContent = given
      ? "The server does not know this key, or not any more."
      : "Paste the key that you were given. Whoever runs the server makes keys with “dirdet key”.";
    if (!dialog.open) dialog.showModal();
  };
}
