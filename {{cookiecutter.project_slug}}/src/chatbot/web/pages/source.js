"use strict";
// The panel that shows where a citation comes from: its passage in its document, marked, with what stands around it.

const NEIGHBOURS = 2;  // passages at each side
const MORE = 10;  // passages that a button adds
const REPEATED = 12;  // characters; what two passages share by chance is shorter

const shown = { citation: null, passages: [], next: null, waits: false };  // waits: for a key

function place(citation) {
  return [citation.page && `${say("page")} ${citation.page}`, citation.heading].filter(Boolean).join(", ");
}

function addressOf(citation) {
  return new URL(citation.passage_url.slice(1), location.origin + location.pathname).href;
}

async function openSource(citation, text) {
  Object.assign(shown, { citation, passages: [{ ...citation, text }], next: null, waits: false });
  describe(citation.title, citation.source, citation.original_url);
  note("");
  drawPassages();
  if (!$("source").open) $("source").showModal();
  showCited();
  const page = await read(`around=${encodeURIComponent(citation.chunk_id)}&limit=${2 * NEIGHBOURS + 1}`);
  if (!page) return;
  if (!citation.title) describe(page.document.title, page.document.source, null);
  Object.assign(shown, { passages: page.passages, next: page.next });
  $("source-text").lang = page.document.language;
  drawPassages();
  showCited();
}

function openAddress() {  // #passage=DOCUMENT/CHUNK, as a citation's passage_url has it
  const [, document_id, chunk_id] = /^#passage=([\w-]+)\/([\w-]+)$/.exec(location.hash) ?? [];
  if (chunk_id) openSource({ document_id, chunk_id, title: "", source: "", quote: "", page: null, heading: "" }, "");
}

function describe(title, source, original) {
  const number = shown.citation.number ? `[${shown.citation.number}] ` : "";
  $("source-title").textContent = number + title || say("source");
  const address = /^https?:/i.test(original ?? source) ? original ?? source : "";
  $("source-name").textContent = address ? "" : source;
  $("source-link").parentElement.hidden = !address;
  $("source-link").href = address;
}

async function read(query) {  // null when it did not come, or the panel shows another citation by now
  const { citation } = shown;
  try {
    const response = await call("GET", `v1/documents/${citation.document_id}/passages?${query}`);
    const page = await response.json();
    return shown.citation === citation ? page : null;
  } catch (error) {
    const { word } = asProblem(error);
    if (shown.citation !== citation) return null;
    note(word === "status_404" ? "source_gone" : word);
    if (shown.waits = word === "status_401") $("source").close();  // the form for the key is behind it
    return null;
  }
}

async function readBefore() {
  const end = shown.passages[0].position;
  const start = Math.max(0, end - MORE);
  const page = await read(`start=${start}&limit=${end - start}`);
  if (!page) return;
  const height = $("source").scrollHeight;
  shown.passages.unshift(...page.passages);
  drawPassages();
  $("source").scrollTop += $("source").scrollHeight - height;  // what was read stays where it was
}

async function readAfter() {
  const page = await read(`start=${shown.next}&limit=${MORE}`);
  if (!page) return;
  shown.passages.push(...page.passages);
  shown.next = page.next;
  drawPassages();
}

function note(word) {
  $("source-note").dataset.word = word || "ready";
  $("source-note").textContent = say(word || "ready");
}

function drawPassages() {
  const { citation, passages } = shown;
  const cited = passages.findIndex((each) => each.chunk_id === citation.chunk_id);
  $("source-text").replaceChildren();
  for (const [i, passage] of passages.entries()) {
    if (place(passage) && (!i || place(passage) !== place(passages[i - 1])))
      element("h3", place(passage), $("source-text"));
    const node = element("blockquote", "", $("source-text"), i === cited ? "cited" : "");
    if (i === cited) showMarked(node, passage.text, citation.quote || passage.text);
    else node.textContent = onceOnly(passages, i, cited);
  }
  const focused = document.activeElement;
  $("before").hidden = !passages[0].position;
  $("after").hidden = shown.next === null;
  if (focused.hidden) $("source-text").focus({ preventScroll: true });
}

function onceOnly(passages, i, cited) {  // without the words that the passage next to it, on the cited one's side, has
  const { text } = passages[i];
  if (i > cited) return text.slice(repeated(passages[i - 1].text, text)).trimStart();
  return text.slice(0, text.length - repeated(text, passages[i + 1].text)).trimEnd();
}

function repeated(before, after) {
  for (let n = Math.min(before.length, after.length); n >= REPEATED; n--)
    if (before.endsWith(after.slice(0, n))) return n;
  return 0;
}

function showMarked(node, text, quote) {  // a quote has single spaces where the passage may break its lines
  const escaped = quote.trim().split(/\s+/).map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const found = quote.trim() && new RegExp(escaped.join("\\s+")).exec(text);
  node.replaceChildren(found ? text.slice(0, found.index) : text);
  if (!found) return;
  element("mark", found[0], node);
  node.append(text.slice(found.index + found[0].length));
}

function showCited() {
  $("source-text").querySelector("mark, .cited")?.scrollIntoView({ block: "center" });
}

function closeSource() {
  if (location.hash.startsWith("#passage=")) history.replaceState(history.state, "", location.pathname + location.search);
}
