"use strict";
// The chat: questions, their answers as they come, and what one does with them.

const state = {
  conversation: null,  // its id
  title: "",
  share: null,  // the address of the link for others
  asking: null,  // what aborts the answer that is being written
};

// Sources

function sourceButton(turn, citation, text, parent, className, claim = "") {
  const known = () => turn.passages.get(citation.chunk_id) ?? "";  // until the document comes
  const node = button(text, parent, () => {
    openSource(citation, known(), claim);
    for (const each of document.querySelectorAll("[aria-current=location]")) each.ariaCurrent = null;
    node.ariaCurrent = "location";
  }, className);
  node.ariaHasPopup = "dialog";
  return node;
}

function listSources(turn) {  // those of one document together
  const documents = Map.groupBy(turn.citations.values(), (each) => each.document_id);
  const rows = turn.sources.lastElementChild;
  rows.replaceChildren();
  for (const citations of documents.values()) {
    const item = element("li", "", rows);
    element("span", citations[0].title, item, "title");
    for (const citation of citations) {
      const node = sourceButton(turn, citation, "", item);
      element("b", citation.number, node);
      element("span", place(citation) || citation.quote, node);
    }
  }
  turn.sources.hidden = !documents.size;
}

// Turns: a question with its answer

function newTurn(question) {
  const node = $("turn").content.cloneNode(true).firstElementChild;
  const [answer, sources, actions, busy] = ["answer", "sources", "actions", "busy"].map((name) => node.querySelector(`.${name}`));
  const kept = { id: null, text: "", citations: new Map(), passages: new Map() };
  const turn = { node, question, answer, sources, actions, busy, ...kept };
  translate(node);
  node.querySelector("h2").textContent = question;
  for (const each of node.querySelectorAll("[data-do]")) each.addEventListener("click", () => ACTIONS[each.dataset.do](turn));
  const submit = (name, act) => node.querySelector(name).addEventListener("submit", (event) => { event.preventDefault(); act(turn); });
  submit(".comment", sendComment);
  submit(".edit", askEdited);
  $("welcome").hidden = true;
  $("talk").append(node);
  return turn;
}

function cite(turn, citation) {
  if (turn.citations.has(String(citation.number))) return;
  turn.citations.set(String(citation.number), citation);
  listSources(turn);
}

function complete(turn, { id, answer, citations, feedback, ai_generated }) {
  Object.assign(turn, { id, text: answer });
  for (const citation of citations) cite(turn, citation);
  turn.answer.dataset.aiGenerated = String(Boolean(ai_generated));
  write(turn);
  settle(turn);
  for (const node of turn.actions.querySelectorAll("[data-do=up], [data-do=down]")) node.hidden = !id;
  if (feedback) press(turn, feedback.rating);
  turn.node.querySelector(".comment textarea").value = feedback?.comment ?? "";
}

function settle(turn) {
  turn.busy.hidden = true;
  turn.actions.hidden = false;
}

const ACTIONS = {
  up: (turn) => rate(turn, "up"),
  down: (turn) => rate(turn, "down"),
  copy: (turn) => copy(withSources(turn), "copied"),
  share: shareAnswer,
  again: (turn) => replace(turn, turn.question),
  edit,
  keep: (turn) => editing(turn, false),
};

function press(turn, rating) {
  turn.rating = rating;
  for (const node of turn.actions.querySelectorAll("[aria-pressed]"))
    node.ariaPressed = String(node.dataset.do === rating);
}

async function rate(turn, rating) {
  const before = turn.rating;
  press(turn, rating);
  const form = turn.node.querySelector(".comment");
  form.hidden = false;
  form.scrollIntoView({ block: "nearest" });
  if (!await sendFeedback(turn)) press(turn, before);
}

async function sendComment(turn) {
  if (!await sendFeedback(turn)) return;
  turn.node.querySelector(".comment").hidden = true;
  turn.actions.querySelector("[aria-pressed=true]").focus();
}

async function sendFeedback(turn) {
  const comment = turn.node.querySelector(".comment textarea").value;
  return attempt("thanks", () => call("POST", "v1/feedback", { message_id: turn.id, rating: turn.rating, comment }));
}

function withSources(turn) {
  const about = (each) => [each.title, place(each), each.original_url ?? each.source, addressOf(each)];
  const line = (each) => `[${each.number}] ${about(each).filter(Boolean).join(", ")}`;
  return [turn.text, [...turn.citations.values()].map(line).join("\n")].filter(Boolean).join("\n\n");
}

async function shareAnswer(turn) {
  const text = `${turn.question}\n\n${withSources(turn)}`;
  if (navigator.share) await navigator.share({ title: document.title, text }).catch(() => {});
  else await copy(text, "copied");
}

// The last question once more, in other words perhaps: the new answer takes the place of the old one

function edit(turn) {
  editing(turn, true);
  const field = turn.node.querySelector(".edit textarea");
  field.value = turn.question;
  field.focus();
}

function editing(turn, is) {
  turn.node.querySelector(".asked").hidden = is;
  turn.node.querySelector(".edit").hidden = !is;
  if (!is) turn.node.querySelector("[data-do=edit]").focus();
}

function askEdited(turn) {
  const question = turn.node.querySelector(".edit textarea").value.trim();
  if (question) replace(turn, question);
}

function replace(turn, question, model = null) {
  if (state.asking) return;
  turn.node.remove();
  askFromTalk(question, { model, replaces: turn.id ?? turn.replaces });
}

// Asking

function askFromTalk(question, options) {  // by a button that goes, so that the focus needs another place
  $("talk").focus({ preventScroll: true });
  ask(question, options);
}

async function ask(question, { model = null, replaces = null } = {}) {
  if (state.asking) return;
  if (!$("readonly").hidden) clear();
  const asking = state.asking = new AbortController();
  const turn = newTurn(question);
  turn.replaces = replaces;
  busy(true);
  turn.node.scrollIntoView({ block: "start" });
  announce(say("busy"));
  try {
    const body = { question, stream: true, conversation_id: state.conversation, model, replaces };
    await receive(turn, (last) => call("POST", "v1/chat", body, asking.signal, last));
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
  setTimeout(() => { if ($("spoken").textContent === text) $("spoken").textContent = ""; }, 3000);
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
    if (name === "token") turn.busy.hidden = true;
    if (name === "error") throw problemOf(data);
    if (name === "done") {
      if (data.conversation_id !== state.conversation) setConversation(data.conversation_id, turn.question);
      return complete(turn, { ...data, id: data.message_id });
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
  if (moves) focused.focus({ preventScroll: true });
}

function fail(turn, problem) {
  turn.busy.hidden = true;
  if (problem.word === "stopped" && turn.text) return stopped(turn);
  const box = element("div", "", turn.node, `error ${problem.word}`);
  box.setAttribute("role", "alert");
  element("p", say(problem.word), box).dataset.word = problem.word;
  if (problem.detail && may("admin")) element("p", problem.detail, box, "detail").lang = "en";
  const wait = problem.wait && duration(problem.wait);
  if (wait) Object.assign(element("p", say("later", wait), box).dataset, { word: "later", n: wait });
  const again = (model) => () => replace(turn, turn.question, model);
  wordButton("again", box, again(null));
  if (problem.fallback) wordButton("quotes", box, again(problem.fallback));
  if (problem.word === "status_404") setConversation(null);  // deleted elsewhere: the next question begins anew
}

function stopped(turn) {  // what was said stays
  settle(turn);
  for (const node of turn.actions.querySelectorAll("[data-do=up], [data-do=down]")) node.hidden = true;
  element("p", say("stopped"), turn.node, "stopped").dataset.word = "stopped";
}

function duration(seconds) {
  const [size, unit] = seconds < 100 ? [1, "s"] : seconds < 6000 ? [60, "min"] : [3600, "h"];
  return `${Math.ceil(seconds / size)} ${unit}`;
}

function clear() {
  state.asking?.abort();
  state.asking = null;
  busy(false);
  if ($("source").open) $("source").close();
  for (const node of $("talk").querySelectorAll("article")) node.remove();
  $("readonly").hidden = true;
  $("welcome").hidden = false;
}

// First questions, from the documents that are there

async function suggest() {
  const found = await call("GET", `v1/suggestions?language=${language}`).then((response) => response.json()).catch(() => null);
  $("suggestions").replaceChildren();
  for (const question of found?.questions ?? [])
    button(question, element("li", "", $("suggestions")), () => askFromTalk(question)).lang = language;
  $("empty").hidden = !found || found.documents > 0;
  $("empty-owner").hidden = !may("ingest");
  $("empty-visitor").hidden = may("ingest");
}

// The access key

async function useKey() {
  if (!await attempt("key_taken", () => call("GET", "v1/conversations"), "ready")) return;
  await identify();
  if (state.conversation) await openConversation(state.conversation);
  else await listConversations();
  if (shown.waits) openSource(shown.citation, shown.passages[0].text);
  else $("question").focus();
}

function forgetKey() {
  remember("access-key", "");
  showKeyForms(false);
  begin();
  identify();
}

// What people do

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const question = $("question").value.trim();
  if (!question || state.asking) return;
  $("question").value = "";
  fit();
  ask(question);
});
document.addEventListener("keydown", (event) => {
  const field = event.target.closest?.("#question, .edit textarea");
  if (!field || event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  field.form.requestSubmit();
});

function fit() {  // the composer is as high as its text
  $("question").style.height = "auto";
  $("question").style.height = `${$("question").scrollHeight}px`;
}

function openLink() {
  const [, name, value] = /^#(conversation|shared)=([\w-]+)$/.exec(location.hash) ?? [];
  if (name === "conversation" && value !== state.conversation) openConversation(value);
  if (name === "shared") openShared(value);
  openAddress();
  return Boolean(name);
}

$("question").addEventListener("input", fit);
$("stop").addEventListener("click", () => state.asking?.abort());
window.addEventListener("hashchange", openLink);
document.addEventListener("key", useKey);
document.addEventListener("language", suggest);
document.addEventListener("scopes", suggest);
$("forget").addEventListener("click", forgetKey);

if (framed) window.addEventListener("focus", () => {  // browsers do not let a frame take it by itself
  if (document.activeElement === document.body) $("question").focus();
});

speak(preferred());
identify();
if (openLink()) listConversations();
else if (history.state) openConversation(history.state);
else listConversations();
