"use strict";
// The text of an answer: paragraphs, lists, code, bold, links to what is cited, and markers that open their sources.

const NEW_TAB = { target: "_blank", rel: "noopener noreferrer" };
const INLINE = /(`[^`\n]+`|\*\*[^\n]+?\*\*|\[\d+\]|\[[^[\]]+\]\(https?:\/\/[^\s()]+\))/;
const ITEM = /^\s*([-*+]|\d+[.)])\s+(.*)$/;
const HEADING = /^#{1,6}\s+(.*)$/;
const QUOTED = /^[“«]/;  // one quote a line

function write(turn) {
  turn.answer.replaceChildren();
  for (const [i, part] of turn.text.split(/^```.*\n?/m).entries()) {
    if (i % 2) element("code", part.replace(/\n$/, ""), element("pre", "", turn.answer));
    else for (const block of part.split(/\n\s*\n/)) if (block.trim()) writeBlock(turn, block.replace(/^\n+|\s+$/g, ""));
  }
}

function writeBlock(turn, block) {
  let list = null, paragraph = null;
  for (const line of block.split("\n")) {
    const [, mark, item] = ITEM.exec(line) ?? [];
    const heading = HEADING.exec(line)?.[1];
    const kind = /^\d/.test(mark) ? "OL" : "UL";
    if (mark && list?.tagName !== kind) list = element(kind, "", turn.answer);
    if (list?.tagName === "OL" && !list.children.length) list.start = parseInt(mark);
    if (mark) { writeInline(turn, element("li", "", list), item); paragraph = null; continue; }
    list = null;
    if (paragraph && heading === undefined && !QUOTED.test(line)) paragraph.append("\n");
    else paragraph = element("p", "", turn.answer);
    writeInline(turn, heading === undefined ? paragraph : element("strong", "", paragraph), heading ?? line);
    if (heading !== undefined) paragraph = null;
  }
}

function writeInline(turn, parent, text) {
  const sources = [...turn.citations.values()].map((each) => each.source);
  let claim = "";  // what a marker stands for: the words since the one before it
  for (const part of text.split(INLINE)) {
    const citation = turn.citations.get(/^\[(\d+)\]$/.exec(part)?.[1]);
    const [, label, address] = /^\[([^[\]]+)\]\((.+)\)$/.exec(part) ?? [];
    if (citation) { marker(turn, citation, parent, claim); continue; }
    claim = part.trim() && parent.lastChild?.className === "marker" ? part : claim + part;
    if (/^`.+`$/.test(part)) element("code", part.slice(1, -1), parent);
    else if (/^\*\*.+\*\*$/.test(part)) writeInline(turn, element("strong", "", parent), part.slice(2, -2));
    else if (sources.includes(address)) Object.assign(element("a", label, parent), { href: address, ...NEW_TAB });
    else parent.append(label ?? part);
  }
}

function marker(turn, citation, parent, claim) {
  const node = sourceButton(turn, citation, citation.number, parent, "marker", claim);
  node.ariaLabel = `${say("source")} ${citation.number}: ${citation.title}`;
}

// The words of a passage that one claim rests on: those that it quotes, else the sentence that says most of the same

function ownQuote(citation, claim, text) {
  const plain = claim.replace(/[`\u2060]/g, "");
  const [whole] = /[“«].*[”»]/s.exec(plain) ?? [""];
  const each = [whole, ...(plain.match(/[“«][^“”«»]+[”»]/g) ?? [])].map((quote) => quote.replace(/^[“«]\s*|\s*[”»]$/g, ""));
  const quoted = each.filter((quote) => quote && find(text, quote)).sort((a, b) => b.length - a.length)[0];
  if (quoted) return quoted;
  const said = new Set(terms(plain));
  const shared = (sentence) => terms(sentence).filter((term) => said.has(term)).length;
  const sentences = text.split(/(?<=[.!?…])\s+/);
  const best = sentences.reduce((a, b) => (shared(b) > shared(a) ? b : a), citation.quote);
  return best || citation.quote;
}

function terms(text) {
  return [...new Set(text.toLowerCase().match(/[\p{L}\p{N}]{4,}|\p{N}+/gu) ?? [])];
}
