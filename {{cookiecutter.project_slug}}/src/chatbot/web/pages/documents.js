"use strict";
// The list of the documents: searched, filtered, read, and for those who may removed.

const FACETS = ["year", "author", "type", "language", "licence", "format"];
const view = { next: null, asked: 0 };

function chosen() {
  const found = new URLSearchParams();
  if ($("sought").value.trim()) found.set("q", $("sought").value.trim());
  for (const select of document.querySelectorAll("#facets select")) if (select.value) found.set(select.name, select.value);
  return found;
}

async function listDocuments(after = "") {
  const query = chosen();
  if (after) query.set("after", after);
  const turn = ++view.asked;
  try {
    const found = await (await call("GET", `v1/catalogue?${query}`)).json();
    if (turn !== view.asked) return;
    if (!after) $("documents").replaceChildren();
    for (const each of found.documents) listDocument(each);
    view.next = found.next;
    $("more").hidden = !found.next;
    $("count").textContent = count("documents", found.count);
    drawFacets(found.facets);
  } catch (error) {
    $("count").textContent = say(asProblem(error).word);
  }
}

function drawFacets(facets) {
  for (const name of FACETS) {
    let select = document.querySelector(`#facets [name=${name}]`);
    const value = select?.value ?? "";
    if (!select) {
      select = element("select", "", $("facets"));
      select.name = name;
      select.addEventListener("change", () => listDocuments());
    }
    select.ariaLabel = say(name);
    select.replaceChildren(new Option(say(name), ""));
    const values = Object.entries(facets[name]).sort(name === "year" ? (a, b) => b[0].localeCompare(a[0]) : () => 0);
    for (const [each, number] of values) select.add(new Option(`${named(name, each)} (${number})`, each, false, each === value));
    if (value && !(value in facets[name])) select.add(new Option(named(name, value), value, false, true));
    select.hidden = values.length < 2 && !value;
    select.classList.toggle("chosen", Boolean(value));
  }
}

function named(facet, value) {
  if (facet === "language") return new Intl.DisplayNames(language, { type: "language" }).of(value);
  if (facet === "format") return kind(value);
  return value;
}

function kind(type) {  // application/pdf: PDF
  const names = { "text/plain": say("text"), "text/csv": "CSV", "text/html": "HTML" };
  const last = type.split("/").pop().replace(/^x-|^vnd\./, "");
  const office = { wordprocessingml: "Word", presentationml: "PowerPoint", spreadsheetml: "Excel", opendocument: "OpenDocument" };
  const [, known] = Object.entries(office).find(([part]) => last.includes(part)) ?? [];
  return names[type] ?? known ?? (last.length < 5 ? last.toUpperCase() : last[0]?.toUpperCase() + last.slice(1));
}

function listDocument(each) {
  const item = element("li", "", $("documents"));
  const name = button(each.title || each.source, item, () => openDocument(each), "name");
  name.ariaHasPopup = "dialog";
  name.lang = each.language;
  const acts = element("div", "", item, "acts");
  if (each.state !== "complete") element("span", say(`state_${each.state}`), acts, `badge ${each.state}`);
  if (each.reading.is_partial) element("span", say("partial"), acts, "badge partial");
  original(each, acts);
  if (may("ingest")) removal(each, acts);
  const { authors, author, year, journal, type, licence, license } = each.metadata;
  const people = [authors ?? author ?? []].flat();
  const shortly = people.length > 3 ? `${people.slice(0, 3).join(", ")}…` : people.join(", ");
  const about = [shortly, year, journal, type, licence ?? license, each.media_type && kind(each.media_type), named("language", each.language)];
  element("p", about.filter(Boolean).join(" · "), item);
  element("p", [each.source, count("passages", each.chunks)].join(" · "), item);
  leftOut(each.reading, item);
}

function original(each, acts) {
  if (/^https?:/i.test(each.source))
    Object.assign(element("a", say("original"), acts), { href: each.source, target: "_blank", rel: "noopener noreferrer" });
  else if (may("ingest"))
    button(say("original"), acts, () => attempt("", async () => {
      const response = await call("GET", `v1/documents/${each.id}/original`);
      download(await response.blob(), each.source.split("/").pop());
    }), "plain");
}

function removal(each, acts) {
  const node = button("×", acts, async () => {
    if (!await confirmed(say("sure_document", each.title))) return;
    if (await attempt("removed", () => call("DELETE", `v1/documents/${each.id}`))) listDocuments();
  }, "plain");
  node.title = node.ariaLabel = say("remove", each.title);
}

function leftOut({ seen, left_out, notes }, item) {
  const reasons = Object.entries(left_out).map(([reason, number]) => `${number.toLocaleString(language)} ${inWords("reason", reason)}`);
  const missing = Object.values(left_out).reduce((sum, each) => sum + each, 0);
  if (!missing && !notes.length) return;
  const line = element("p", "", item);
  if (missing) line.append(say("left_out", missing.toLocaleString(language)).replace("{m}", seen.toLocaleString(language)), " ");
  const known = notes.map((note) => inWords("note", note));
  line.append([reasons.join(", "), ...known].filter(Boolean).join("; "));
}

function inWords(kind, text) {  // what readers of files say, in the page's language; its numbers and names stay
  for (const word of Object.keys(words[language]).filter((each) => each.startsWith(`${kind}: `))) {
    const [start, end] = word.slice(kind.length + 2).split("{n}");
    if (text === start && end === undefined) return say(word);
    if (end !== undefined && text.startsWith(start) && text.endsWith(end)) return say(word, text.slice(start.length, text.length - end.length));
  }
  return text;
}

let typing = null;

$("sought").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => listDocuments(), 250);
});
$("filters").addEventListener("submit", (event) => { event.preventDefault(); listDocuments(); });
$("more").addEventListener("click", () => listDocuments(view.next));
document.addEventListener("language", () => { listDocuments(); });
document.addEventListener("scopes", () => { listDocuments(); });
document.addEventListener("key", async () => {
  await identify();
  tell("key_taken");
});
document.querySelector(".forget").addEventListener("click", () => {
  remember("access-key", "");
  showKeyForms(false);
  identify();
});
