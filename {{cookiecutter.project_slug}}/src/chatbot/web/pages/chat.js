"use strict";
// The chat page. Whatever comes from documents, models or people becomes text nodes, never HTML.

const $ = (id) => document.getElementById(id);
const words = JSON.parse($("words").textContent);
const state = {
  language: "",
  conversation: history.state,  // its id
  next: null,  // where the list of conversations goes on
  asking: null,  // what aborts the answer that is being written
};

// Small helpers

function element(tag, text = "", parent = null, className = "") {
  const node = document.createElement(tag);
  node.textContent = text;
  if (className) node.className = className;
  parent?.append(node);
  return node;
}

function button(text, parent, act, className = "") {
  const node = element("button", text, parent, className);
  node.type = "button";
  node.addEventListener("click", act);
  return node;
}

function wordButton(word, parent, act) {
  const node = button(say(word), parent, act);
  node.dataset.word = word;
  return node;
}

// Words, in the language of the page

function say(word, n) {
  return words[state.language][word].replace("{n}", n);
}

function translate(root) {
  for (const node of root.querySelectorAll("[data-word]")) node.textContent = say(node.dataset.word, node.dataset.n);
  for (const node of root.querySelectorAll("[data-label]"))
    node.title = node.ariaLabel = say(node.dataset.label, node.dataset.n);
}

function preferred() {  // storage may be forbidden
  const asked = new URLSearchParams(location.search).get("language");  // by the page that embeds this one
  try { return [localStorage.language, asked].find((each) => each in words); } catch { return asked in words && asked; }
}

function prefer(language) {
  try { localStorage.language = language; } catch { /* until the next reload, then */ }
  speak(language);
}

function speak(language) {
  state.language = language;
  document.documentElement.lang = language;
  translate(document);
  $("language").lang = language === "en" ? "fr" : "en";
  $("privacy").href = `privacy#${language}`;
  $("suggestions").replaceChildren();
  for (const question of words[language].suggestions)
    button(question, element("li", "", $("suggestions")), () => askFromTalk(question));
}

function tell(word) {
  $("status").dataset.word = word;
  $("status").textContent = say(word);
}

// The server

const GATEWAY = [502, 504];  // a proxy answers in its place

function problemOf(data, wait = 0) {  // RFC 9457, with our own words where we have some
  const word = data.fallback ? "model_down" : GATEWAY.includes(data.status) ? "unreachable" : `status_${data.status}`;
  const detail = data.errors?.map((each) => each.detail).join(" ") || data.detail;
  return { word: word in words.en ? word : "failed", detail, wait, fallback: data.fallback };
}

function asProblem(error, begun) {
  if (error.word) return error;
  if (error.name === "AbortError") return { word: "stopped" };
  return { word: !navigator.onLine ? "offline" : begun ? "broken" : "unreachable" };
}

async function call(method, path, body, signal, last) {
  const headers = { Accept: body?.stream ? "text/event-stream" : "application/json" };
  if (body) headers["Content-Type"] = "application/json";
  if (last) headers["Last-Event-ID"] = last;
  const response = await request(path, { method, headers, body: body && JSON.stringify(body), signal });
  if (response.ok) return response;
  const data = await response.json().catch(() => ({}));
  throw problemOf({ ...data, status: response.status }, Number(response.headers.get("Retry-After")));
}

async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let buffer = ""; ;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (buffer + value).split("\n\n");
    buffer = blocks.pop();
    for (const block of blocks) {
      const name = /^event: (.*)$/m.exec(block)?.[1];
      const data = /^data: (.*)$/m.exec(block)?.[1];
      const id = /^id: (.*)$/m.exec(block)?.[1];
      if (name && data) yield [name, JSON.parse(data), id];
    }
  }
}

// Markdown, as much of it as an answer may have: paragraphs, lists, code, bold, links to what is cited

const NEW_TAB = { target: "_blank", rel: "noopener noreferrer" };
const INLINE = /(`[^`\n]+`|\*\*[^\n]+?\*\*|\[\d+\]|\[[^[\]]+\]\(https?:\/\/[^\s()]+\))/;

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
    const [, mark, item] = /^\s*([-*+]|\d+[.)])\s+(.*)$/.exec(line) ?? [];
    const heading = /^#{1,6}\s+(.*)$/.exec(line)?.[1];
    const kind = /^\d/.test(mark) ? "OL" : "UL";
    if (mark && list?.tagName !== kind) list = element(kind, "", turn.answer);
    if (list?.tagName === "OL" && !list.children.length) list.start = parseInt(mark);
    if (mark) { writeInline(turn, element("li", "", list), item); paragraph = null; continue; }
    list = null;
    if (paragraph && heading === undefined) paragraph.append("\n");
    else paragraph = element("p", "", turn.answer);
    writeInline(turn, heading === undefined ? paragraph : element("strong", "", paragraph), heading ?? line);
    if (heading !== undefined) paragraph = null;
  }
}

function writeInline(turn, parent, text) {
  const sources = [...turn.citations.values()].map((each) => each.source);
  for (const part of text.split(INLINE)) {
    const citation = turn.citations.get(/^\[(\d+)\]$/.exec(part)?.[1]);
    const [, label, address] = /^\[([^[\]]+)\]\((.+)\)$/.exec(part) ?? [];
    if (citation) marker(turn, citation, parent);
    else if (/^`.+`$/.test(part)) element("code", part.slice(1, -1), parent);
    else if (/^\*\*.+\*\*$/.test(part)) writeInline(turn, element("strong", "", parent), part.slice(2, -2));
    else if (sources.includes(address)) Object.assign(element("a", label, parent), { href: address, ...NEW_TAB });
    else parent.append(label ?? part);
  }
}

// Sources

function sourceButton(turn, citation, text, parent, className) {
  const known = () => turn.passages.get(citation.chunk_id) ?? citation.quote;  // until the document comes
  const node = button(text, parent, () => openSource(citation, known()), className);
  node.ariaHasPopup = "dialog";
  return node;
}

function marker(turn, citation, parent) {
  const node = sourceButton(turn, citation, citation.number, parent, "marker");
  node.ariaLabel = `${say("source")} ${citation.number}: ${citation.title}`;
}

function listSource(turn, citation) {
  const node = sourceButton(turn, citation, "", element("li", "", turn.sources.lastElementChild));
  element("b", citation.number, node);
  element("small", place(citation), element("span", citation.title + " ", node));
  turn.sources.hidden = false;
}

// Turns: a question with its answer

function newTurn(question) {
  const node = $("turn").content.cloneNode(true).firstElementChild;
  const [answer, sources, actions] = ["answer", "sources", "actions"].map((name) => node.querySelector("." + name));
  const kept = { id: null, text: "", citations: new Map(), passages: new Map() };
  const turn = { node, question, answer, sources, actions, ...kept };
  translate(node);
  node.querySelector("h2").textContent = question;
  for (const each of actions.children) each.addEventListener("click", () => ACTIONS[each.dataset.do](turn));
  node.querySelector("form").addEventListener("submit", (event) => { event.preventDefault(); sendComment(turn); });
  $("welcome").hidden = true;
  $("talk").append(node);
  return turn;
}

function cite(turn, citation) {
  if (turn.citations.has(String(citation.number))) return;
  turn.citations.set(String(citation.number), citation);
  listSource(turn, citation);
}

function complete(turn, id, text, citations, feedback) {
  Object.assign(turn, { id, text });
  for (const citation of citations) cite(turn, citation);
  write(turn);
  turn.actions.hidden = !id;
  if (feedback) press(turn, feedback.rating);
  turn.node.querySelector("form textarea").value = feedback?.comment ?? "";
}

const ACTIONS = {
  up: (turn) => rate(turn, "up"),
  down: (turn) => rate(turn, "down"),
  copy: (turn) => copy(withSources(turn)),
  share,
};

function press(turn, rating) {
  turn.rating = rating;
  for (const node of turn.actions.querySelectorAll("[aria-pressed]"))
    node.ariaPressed = String(node.dataset.do === rating);
}

async function rate(turn, rating) {
  const before = turn.rating;
  press(turn, rating);
  const form = turn.node.querySelector("form");
  form.hidden = false;
  form.scrollIntoView({ block: "nearest" });
  if (!await sendFeedback(turn)) press(turn, before);
}

async function sendComment(turn) {
  if (!await sendFeedback(turn)) return;
  turn.node.querySelector("form").hidden = true;
  turn.actions.querySelector("[aria-pressed=true]").focus();
}

async function sendFeedback(turn) {
  const comment = turn.node.querySelector("form textarea").value;
  return attempt("thanks", () => call("POST", "v1/feedback", { message_id: turn.id, rating: turn.rating, comment }));
}

async function attempt(done, act, failed) {  // says what became of it, and whether it went well
  try {
    await act();
    tell(done);
    return true;
  } catch (error) {
    tell(failed ?? asProblem(error).word);
    return false;
  }
}

function withSources(turn) {
  const about = (each) => [each.title, place(each), each.original_url ?? each.source, addressOf(each)];
  const line = (each) => `[${each.number}] ${about(each).filter(Boolean).join(", ")}`;
  return [turn.text, [...turn.citations.values()].map(line).join("\n")].filter(Boolean).join("\n\n");
}

function copy(text) {  // without HTTPS there is no clipboard
  return attempt("copied", () => navigator.clipboard.writeText(text), "not_copied");
}

async function share(turn) {
  const text = `${turn.question}\n\n${withSources(turn)}`;
  if (navigator.share) await navigator.share({ title: document.title, text }).catch(() => {});
  else await copy(text);
}

// Asking

function askFromTalk(question, model) {  // by a button that goes, so that the focus needs another place
  $("talk").focus({ preventScroll: true });
  ask(question, model);
}

async function ask(question, model = null) {
  if (state.asking) return;
  const asking = state.asking = new AbortController();
  const turn = newTurn(question);
  busy(true);
  turn.node.scrollIntoView({ block: "start" });
  try {
    const body = { question, stream: true, conversation_id: state.conversation, model };
    await receive(turn, (last) => call("POST", "v1/chat", body, asking.signal, last));
    tell("done");
    announce(turn.text);
  } catch (error) {
    if (state.asking === asking) fail(turn, asProblem(error, turn.begun));
  }
  if (state.asking !== asking) return;  // another conversation was opened meanwhile
  state.asking = null;
  busy(false);
  listConversations();
}

function announce(text) {  // once, and not to be found on the page again
  $("spoken").textContent = text;
  setTimeout(() => { $("spoken").textContent = ""; }, 3000);
}

async function receive(turn, send) {  // when the connection breaks, its rest once more
  try {
    await follow(turn, await send());
  } catch (error) {
    if (error.word || error.name === "AbortError" || !turn.last) throw error;
    await send(turn.last).then((response) => follow(turn, response)).catch((again) => {
      throw again.name === "AbortError" ? again : error;
    });
  }
}

async function follow(turn, response) {
  turn.begun = true;
  for await (const [name, data, id] of events(response)) {
    if (id) turn.last = id;
    if (name === "sources") for (const each of data.passages) turn.passages.set(each.chunk_id, each.text);
    if (name === "token") turn.text += data.text;
    if (name === "citation") cite(turn, data);
    if (name === "token" || name === "citation") write(turn);
    if (name === "error") throw problemOf(data);
    if (name === "done") {
      setConversation(data.conversation_id);
      return complete(turn, data.message_id, data.answer, data.citations);
    }
  }
  throw new TypeError("the stream ended before the answer did");
}

function busy(isBusy) {
  const [gone, focused] = isBusy ? [$("send"), $("talk")] : [$("stop"), $("question")];
  const moves = gone.matches(":focus");
  $("send").hidden = isBusy;
  $("stop").hidden = !isBusy;
  $("talk").ariaBusy = String(isBusy);
  if (isBusy) tell("busy");
  if (moves) focused.focus({ preventScroll: true });
}

function fail(turn, problem) {
  tell("ready");  // the alert says it
  const box = element("div", "", turn.node, `error ${problem.word}`);
  box.setAttribute("role", "alert");
  element("p", say(problem.word), box).dataset.word = problem.word;
  if (problem.detail) element("p", problem.detail, box, "detail").lang = "en";
  const wait = problem.wait && duration(problem.wait);
  if (wait) Object.assign(element("p", say("later", wait), box).dataset, { word: "later", n: wait });
  const again = (model) => () => { turn.node.remove(); askFromTalk(turn.question, model); };
  wordButton("again", box, again(null));
  if (problem.fallback) wordButton("quotes", box, again(problem.fallback));
  if (problem.word === "status_404") setConversation(null);  // deleted elsewhere: the next question begins anew
}

function duration(seconds) {
  const [size, unit] = seconds < 100 ? [1, "s"] : seconds < 6000 ? [60, "min"] : [3600, "h"];
  return `${Math.ceil(seconds / size)} ${unit}`;
}

// Conversations

function setConversation(id) {
  state.conversation = id;
  history.replaceState(id, "");  // outlives a reload, in this tab only
}

function clear() {
  state.asking?.abort();
  state.asking = null;
  busy(false);
  tell("ready");
  for (const node of $("talk").querySelectorAll("article")) node.remove();
  $("welcome").hidden = false;
}

function begin() {
  clear();
  setConversation(null);
  listConversations();
  closeMenu();
  $("question").focus();
}

async function openConversation(id) {
  clear();
  setConversation(id);
  closeMenu();
  const read = async () => show(await (await call("GET", `v1/conversations/${id}`)).json());
  if (!await attempt("opened", read) && state.conversation === id) setConversation(null);
  listConversations();
}

function show(conversation) {
  if (state.conversation !== conversation.id) return;
  for (const message of conversation.messages)
    complete(newTurn(message.question), message.id, message.answer, message.citations, message.feedback);
  $("talk").lastElementChild.scrollIntoView({ block: "start" });
}

async function listConversations(after = "") {
  const path = after ? `v1/conversations?after=${encodeURIComponent(after)}` : "v1/conversations";
  const page = await call("GET", path).then((response) => response.json()).catch(() => null);
  if (!page) return;  // asking will say what is wrong
  if (!after) $("list").replaceChildren();
  for (const each of page.conversations) listConversation(each);
  state.next = page.next;
  $("more").hidden = !page.next;
}

function listConversation({ id, title }) {
  const item = element("li", "", $("list"));
  const opener = button(title, item, () => openConversation(id));
  opener.title = title;
  if (id === state.conversation) opener.ariaCurrent = "true";
  Object.assign(button("×", item, () => remove(id)).dataset, { label: "delete", n: title });
  translate(item);
}

async function remove(id) {
  if (!await confirmed(say("sure"))) return;
  if (!await attempt("ready", () => call("DELETE", `v1/conversations/${id}`))) return;
  if (id === state.conversation) begin();
  else await listConversations();
  tell("deleted");
  $("new").focus();
}

function closeMenu() {
  if ($("history").matches(":popover-open")) $("history").hidePopover();
}

// The access key

async function useKey() {
  if (!await attempt("key_taken", () => call("GET", "v1/conversations"), "ready")) return;
  if (state.conversation) await openConversation(state.conversation);
  else await listConversations();
  if (shown.waits) openSource(shown.citation, shown.passages[0].text);
  else $("question").focus();
}

function forgetKey() {
  remember("access-key", "");
  showKeyForms(false);
  begin();
}

// What people do

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const question = $("question").value.trim();
  if (!question || state.asking) return;
  $("question").value = "";
  ask(question);
});
$("question").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $("form").requestSubmit();
});
$("stop").addEventListener("click", () => state.asking?.abort());
$("new").addEventListener("click", begin);
$("more").addEventListener("click", () => listConversations(state.next));
$("before").addEventListener("click", readBefore);
$("after").addEventListener("click", readAfter);
$("source").addEventListener("click", (event) => { if (event.target === $("source")) $("source").close(); });
$("source").addEventListener("close", closeSource);
window.addEventListener("hashchange", openAddress);
document.addEventListener("key", useKey);
$("forget").addEventListener("click", forgetKey);
$("language").addEventListener("click", () => prefer(state.language === "en" ? "fr" : "en"));

if (framed) window.addEventListener("focus", () => {  // browsers do not let a frame take it by itself
  if (document.activeElement === document.body) $("question").focus();
});

speak(preferred() || document.documentElement.lang);
if (state.conversation) openConversation(state.conversation);
else listConversations();
openAddress();
