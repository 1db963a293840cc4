"use strict";
// The panel that shows where a citation comes from: its passage in its document, marked, with what stands around it.
// Beside the page where there is room, over it on a phone.

const NEIGHBOURS = 2;  // passages at each side
const MORE = 10;  // passages that a button adds
const REPEATED = 12;  // characters; what two passages share by chance is shorter
const ROOM = matchMedia("(min-width: 64rem)");

const shown = { citation: null, passages: [], next: null, quote: "", waits: false };  // waits: for a key

function place(citation) {
  return [citation.page && `${say("page")} ${citation.page}`, citation.heading].filter(Boolean).join(", ");
}

function addressOf(citation) {
  return new URL(citation.passage_url.slice(1), location.origin + location.pathname).href;
}

async function openSource(citation, text, claim = "") {
  const quote = text ? ownQuote(citation, claim, text) : citation.quote;
  Object.assign(shown, { citation, passages: [{ ...citation, text }], next: null, quote, waits: false });
  describe(citation.title, citation.source, citation.original_url);
  note("");
  showPage(null);
  drawPassages();
  openPanel();
  showCited();
  const around = citation.chunk_id ? `around=${encodeURIComponent(citation.chunk_id)}&limit=${2 * NEIGHBOURS + 1}` : `limit=${MORE}`;
  const found = await read(around);
  if (!found) return;
  const cited = found.passages.find((each) => each.chunk_id === citation.chunk_id);
  if (!citation.title) describe(found.document.title, found.document.source, null);
  if (cited && !text) shown.quote = ownQuote(citation, claim, cited.text);
  Object.assign(shown, { passages: found.passages, next: found.next });
  $("source-text").lang = found.document.language;
  drawPassages();
  showCited();
  if (found.document.page_images && (citation.page ?? cited?.page)) offerPage(citation.page ?? cited.page);
}

function openPanel() {
  const panel = $("source");
  document.body.classList.add("beside");
  if (panel.open) return;
  if (ROOM.matches && !framed) panel.show();
  else panel.showModal();
}

function openAddress() {  // #passage=DOCUMENT/CHUNK, as a citation's passage_url has it
  const [, document_id, chunk_id] = /^#passage=([\w-]+)\/([\w-]+)$/.exec(location.hash) ?? [];
  if (chunk_id) openSource({ document_id, chunk_id, title: "", source: "", quote: "", page: null, heading: "" }, "");
}

function openDocument({ id, title, source }) {  // from its beginning
  return openSource({ document_id: id, chunk_id: "", title, source, quote: "", page: null, heading: "" }, "");
}

function describe(title, source, original) {
  $("source-number").textContent = shown.citation.number ?? "";
  $("source-title").textContent = title || say("source");
  const address = /^https?:/i.test(original ?? source) ? original ?? source : "";
  $("source-name").textContent = address ? "" : source;
  $("source-link").parentElement.hidden = !address;
  $("source-link").href = address;
}

async function read(query) {  // null when it did not come, or the panel shows another citation by now
  const { citation } = shown;
  try {
    const response = await call("GET", `v1/documents/${citation.document_id}/passages?${query}`);
    const found = await response.json();
    return shown.citation === citation ? found : null;
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
  const found = await read(`start=${start}&limit=${end - start}`);
  if (!found) return;
  const height = $("source").scrollHeight;
  shown.passages.unshift(...found.passages);
  drawPassages();
  $("source").scrollTop += $("source").scrollHeight - height;  // what was read stays where it was
}

async function readAfter() {
  const found = await read(`start=${shown.next}&limit=${MORE}`);
  if (!found) return;
  shown.passages.push(...found.passages);
  shown.next = found.next;
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
    if (i === cited) showMarked(node, passage.text, shown.quote || passage.text);
    else node.textContent = onceOnly(passages, i, cited);
  }
  const focused = document.activeElement;
  $("before").hidden = !passages[0]?.position;
  $("after").hidden = shown.next === null;
  if (focused.hidden) $("source-text").focus({ preventScroll: true });
}

function onceOnly(passages, i, cited) {  // without the words that the passage next to it, on the cited one's side, has
  const { text } = passages[i];
  if (i > cited) return i ? text.slice(repeated(passages[i - 1].text, text)).trimStart() : text;
  return text.slice(0, text.length - repeated(text, passages[i + 1].text)).trimEnd();
}

function repeated(before, after) {
  for (let n = Math.min(before.length, after.length); n >= REPEATED; n--)
    if (before.endsWith(after.slice(0, n))) return n;
  return 0;
}

function find(text, quote) {  // a quote has single spaces where the passage may break its lines
  const escaped = quote.trim().split(/\s+/).map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return quote.trim() && new RegExp(escaped.join("\\s+")).exec(text);
}

function showMarked(node, text, quote) {
  const found = find(text, quote);
  node.replaceChildren(found ? text.slice(0, found.index) : text);
  if (!found) return;
  element("mark", found[0], node);
  node.append(text.slice(found.index + found[0].length));
}

function showCited() {
  const cited = $("source-text").querySelector("mark, .cited");
  if (!cited) return;
  const panel = $("source");  // the panel alone: scrollIntoView would move the page behind it too
  const offset = cited.getBoundingClientRect().top - panel.getBoundingClientRect().top;
  panel.scrollTop += offset - Math.max(80, (panel.clientHeight - cited.offsetHeight) / 3);
}

function closeSource() {
  document.body.classList.remove("beside");
  showPage(null);
  if (location.hash.startsWith("#passage=")) history.replaceState(history.state, "", location.pathname + location.search);
  for (const node of document.querySelectorAll("[aria-current=location]")) node.ariaCurrent = null;
}

// The page of a PDF as it looks, with the quote marked

function offerPage(number) {
  $("source-page").hidden = false;
  $("source-page").dataset.number = number;
}

async function togglePage() {
  if (!$("source-image").hidden) return showPage(null, true);
  const { citation, quote } = shown;
  const query = quote ? `?quote=${encodeURIComponent(quote.slice(0, 1500))}` : "";
  const path = `v1/documents/${citation.document_id}/pages/${$("source-page").dataset.number}${query}`;
  try {
    const image = await (await call("GET", path)).blob();
    if (shown.citation === citation) showPage(image, true);
  } catch (error) {
    note(asProblem(error).word);
  }
}

function showPage(image, offered = false) {
  const node = $("source-image");
  if (node.src) URL.revokeObjectURL(node.src);
  node.hidden = !image;
  if (image) node.src = URL.createObjectURL(image);
  else node.removeAttribute("src");
  node.alt = image ? `${say("page")} ${$("source-page").dataset.number}` : "";
  $("source-page").hidden = !offered;
  $("source-page").dataset.word = image ? "as_text" : "as_page";
  $("source-page").textContent = say(image ? "as_text" : "as_page");
  for (const part of ["before", "source-text", "after"]) $(part).classList.toggle("behind", Boolean(image));
}

$("before").addEventListener("click", readBefore);
$("after").addEventListener("click", readAfter);
$("source-page").addEventListener("click", togglePage);
$("source").addEventListener("click", (event) => { if (event.target === $("source")) $("source").close(); });
$("source").addEventListener("close", closeSource);
document.addEventListener("keydown", (event) => {  // a panel that is beside the page is not modal
  if (event.key === "Escape" && $("source").open && !document.querySelector(":modal, :popover-open")) $("source").close();
});
ROOM.addEventListener("change", () => { if ($("source").open) $("source").close(); });
