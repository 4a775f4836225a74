// The page's state, and who wants to know when it has changed: told once a frame, however often it changes.

const HIDDEN_MS = 250; // a page in the background has no frames

/** initial: a flat object; values are replaced, never changed in place. */
export function createStore(initial) {
  let state = Object.freeze({ ...initial });
  let asked = null;
  const listeners = [];

  function tell() {
    clearTimeout(asked);
    if (asked === null) return;
    asked = null;
    const now = state;
    for (const listener of listeners) listener(now);
  }

  return {
    get: () => state,
    set(changes) {
      const changed = Object.entries(changes).some(([name, value]) => state[name] !== value);
      if (!changed) return;
      state = Object.freeze({ ...state, ...changes });
      if (asked !== null) return;
      asked = setTimeout(tell, HIDDEN_MS);
      requestAnimationFrame(tell);
    },
    onChange(listener) {
      listeners.push(listener);
    },
  };
}
