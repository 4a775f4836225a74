// Zoom and pan of the stage, which scrolls: buttons, keys, the wheel with Ctrl, dragging.

import { byId } from "./dom.js";

const STEP = 1.5;
const MOST = 12;

/** zoom() gives the present one, 1 fits the picture; setZoom(zoom) takes another. */
export function openZoom({ zoom, setZoom }) {
  const stage = byId("stage");

  function to(wanted, at) {
    const now = zoom();
    const next = Math.min(Math.max(wanted, 1), MOST);
    if (next === now) return;
    const box = stage.getBoundingClientRect();
    const x = at ? at.clientX - box.left : box.width / 2;
    const y = at ? at.clientY - box.top : box.height / 2;
    const left = ((stage.scrollLeft + x) * next) / now - x;
    const top = ((stage.scrollTop + y) * next) / now - y;
    setZoom(next);
    // Twice, so that the stage has its new size.
    requestAnimationFrame(() => requestAnimationFrame(() => stage.scrollTo({ left, top })));
  }

  byId("zoom-in").addEventListener("click", () => to(zoom() * STEP));
  byId("zoom-out").addEventListener("click", () => to(zoom() / STEP));
  byId("zoom-fit").addEventListener("click", () => to(1));
  stage.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const wanted = { "+": zoom() * STEP, "=": zoom() * STEP, "-": zoom() / STEP, 0: 1 }[event.key];
    if (wanted === undefined) return;
    event.preventDefault();
    to(wanted);
  });
  stage.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      to(zoom() * 1.0015 ** -event.deltaY, event);
    },
    { passive: false },
  );
  openDragging(stage);
}

function openDragging(stage) {
  let from = null;
  stage.addEventListener("pointerdown", (event) => {
    const scrolls = stage.scrollWidth > stage.clientWidth || stage.scrollHeight > stage.clientHeight;
    if (event.pointerType !== "mouse" || event.button !== 0 || !scrolls) return;
    from = { x: event.clientX + stage.scrollLeft, y: event.clientY + stage.scrollTop, moved: false, start: event };
  });
  stage.addEventListener("pointermove", (event) => {
    if (!from) return;
    from.moved ||= Math.hypot(event.clientX - from.start.clientX, event.clientY - from.start.clientY) > 4;
    if (from.moved) stage.scrollTo({ left: from.x - event.clientX, top: from.y - event.clientY });
  });
  window.addEventListener("pointerup", () => {
    if (from?.moved) {
      // The click that ends a drag picks nothing.
      const swallow = (event) => event.stopPropagation();
      stage.addEventListener("click", swallow, { capture: true });
      setTimeout(() => stage.removeEventListener("click", swallow, { capture: true }));
    }
    from = null;
  });
}
