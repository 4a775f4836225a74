// What went wrong, in the server's own words (application/problem+json) or, where it said none, in ours.

// Worth another try by itself: the detector is busy or away for a moment.
const PASSING = new Set([429, 503]);

/**
 * status: 0 where no answer came. Returns { status, title, detail, retryAfterS }; retryAfterS is null where trying
 * again would not help.
 */
export function problemOf(status, text, retryAfter) {
  if (status === 0) {
    return { status, title: "No answer", detail: "The server could not be reached, or broke off.", retryAfterS: null };
  }
  const told = parsed(text);
  return {
    status,
    title: told.title ?? `The server answered ${status}`,
    detail: told.detail ?? "It gave no reason.",
    retryAfterS: PASSING.has(status) ? secondsOf(retryAfter) : null,
  };
}

function parsed(text) {
  try {
    const told = JSON.parse(text);
    return typeof told === "object" && told !== null ? told : {};
  } catch {
    return {};
  }
}

/** Seconds of a Retry-After header: a number, or a date; 2 without. */
export function secondsOf(retryAfter, now = Date.now()) {
  const seconds = Number(retryAfter ?? Number.NaN);
  if (Number.isFinite(seconds)) return Math.min(Math.max(seconds, 1), 600);
  const date = Date.parse(retryAfter ?? "");
  return Number.isNaN(date) ? 2 : Math.min(Math.max(Math.ceil((date - now) / 1000), 1), 600);
}
