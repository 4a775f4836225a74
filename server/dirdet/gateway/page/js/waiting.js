// A picture that is not done: how far it is, or why there is nothing.

import { byId, make } from "./dom.js";

/** retry(picture), remove(picture), askKey(problem): what a person may do about it. */
export function createWaiting({ retry, remove, askKey }) {
  let shown = null;

  function show(picture) {
    const progress = byId("progress");
    const says = saysOf(picture);
    progress.hidden = !says;
    if (says) {
      const part = picture.state === "sending" ? picture.sent : null;
      progress.replaceChildren(
        make("p", {}, says),
        make("progress", { max: 1, "aria-label": says, ...(part === null ? {} : { value: part }) }),
      );
    }
    showFailure(picture);
  }

  function showFailure(picture) {
    const failure = byId("failure");
    const problem = picture.state === "failed" ? picture.problem : null;
    failure.hidden = !problem;
    if (!problem || problem === shown) return;
    shown = problem;
    const wantsKey = problem.status === 401;
    const again = make("button", { type: "button", class: wantsKey ? "primary" : null }, wantsKey ? "Give a key" : "Try again");
    again.addEventListener("click", () => (wantsKey ? askKey(problem) : retry(picture)));
    const gone = make("button", { type: "button", class: wantsKey ? null : "primary" }, "Remove");
    gone.addEventListener("click", () => remove(picture));
    failure.replaceChildren(
      make("h2", {}, wantsKey ? "This server asks for a key" : problem.title),
      make("p", {}, `${picture.name}: ${wantsKey ? "it is detected once you give one." : problem.detail}`),
      make("p", { class: "buttons" }, ...(wantsKey ? [again, gone] : [gone, again])),
    );
  }

  return { show };
}

function saysOf(picture) {
  if (picture.state === "waiting") return "Waiting for its turn";
  if (picture.state === "sending") return `Sending, ${Math.round(picture.sent * 100)} %`;
  if (picture.state === "detecting") return "Detecting";
  if (picture.state !== "pausing") return "";
  const left = Math.max(1, Math.ceil((picture.again - Date.now()) / 1000));
  return `${picture.problem.title}: ${picture.problem.detail}. Again in ${left} s`;
}
