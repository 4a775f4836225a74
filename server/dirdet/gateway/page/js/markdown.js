// A model card's Markdown as elements: headings, paragraphs, lists, tables, code, emphasis and links to the web.

import { make } from "./dom.js";

/** The elements of a text, one a block. */
export function rendered(text) {
  return text.trim().split(/\n{2,}/).map(block);
}

function block(source) {
  const lines = source.split("\n");
  const heading = /^(#{1,6}) (.*)$/.exec(lines[0]);
  if (heading && lines.length === 1) return make(`h${Math.min(heading[1].length + 2, 6)}`, {}, ...inline(heading[2]));
  if (lines.every((line) => /^( {4}|\t)/.test(line))) {
    return make("pre", {}, make("code", {}, lines.map((line) => line.replace(/^( {4}|\t)/, "")).join("\n")));
  }
  if (/^```/.test(lines[0])) return make("pre", {}, make("code", {}, lines.slice(1, -1).join("\n")));
  if (lines.length > 1 && /^\|?[\s:|-]+\|[\s:|-]*$/.test(lines[1])) return table(lines);
  if (/^[-*] /.test(lines[0])) return list(lines);
  return make("p", {}, ...inline(lines.join(" ")));
}

function table([head, , ...rows]) {
  const cells = (line, tag) => line.replace(/^\||\|\s*$/g, "").split("|").map((cell) => make(tag, {}, ...inline(cell.trim())));
  const body = rows.map((row) => make("tr", {}, ...cells(row, "td")));
  const grid = make("table", {}, make("thead", {}, make("tr", {}, ...cells(head, "th"))), make("tbody", {}, ...body));
  return make("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Table" }, grid);
}

function list(lines) {
  const items = lines.join("\n").split(/^[-*] /m).slice(1);
  return make("ul", {}, ...items.map((item) => make("li", {}, ...inline(item.replaceAll("\n", " ")))));
}

// Code first: nothing inside it means anything else.
function inline(text) {
  const pattern = /`([^`]+)`|\*\*([^*]+)\*\*|\[([^\]]+)\]\((https:\/\/[^)\s]+)\)/g;
  const parts = [];
  let at = 0;
  for (const match of text.matchAll(pattern)) {
    parts.push(text.slice(at, match.index));
    const [whole, code, strong, words, address] = match;
    if (code) parts.push(make("code", {}, code));
    else if (strong) parts.push(make("strong", {}, ...inline(strong)));
    else parts.push(make("a", { href: address, rel: "noopener noreferrer", target: "_blank" }, words));
    at = match.index + whole.length;
  }
  return [...parts, text.slice(at)].filter((part) => part !== "");
}
