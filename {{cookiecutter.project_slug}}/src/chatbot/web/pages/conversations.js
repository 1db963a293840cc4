"use strict";
// The list of one's conversations: open, search, rename, share, download, delete.

const list = { next: null, words: "" };  // where it goes on, and what is searched for

function setConversation(id, title = "", share = null) {
  Object.assign(state, { conversation: id, title, share });
  const address = id ? `#conversation=${id}` : location.pathname + location.search;
  history.replaceState(id, "", address);  // a reload, and a bookmark, open it again
  $("conversation").hidden = !id;
  $("title").textContent = title;
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
  try {
    show(await (await call("GET", `v1/conversations/${id}`)).json());
    tell("opened");
  } catch (error) {
    const { word } = asProblem(error);
    tell(word === "status_404" ? "not_yours" : word);
    if (word !== "status_401" && state.conversation === id) setConversation(null);
  }
  listConversations();
}

function show(conversation) {
  if (state.conversation !== conversation.id) return;
  setConversation(conversation.id, conversation.title, conversation.share_url);
  for (const message of conversation.messages) complete(newTurn(message.question), message);
  $("talk").lastElementChild.scrollIntoView({ block: "start" });
}

async function listConversations(after = "") {
  const query = new URLSearchParams({ ...(list.words && { q: list.words }), ...(after && { after }) });
  const found = await call("GET", `v1/conversations?${query}`).then((response) => response.json()).catch(() => null);
  if (!found) return;  // asking will say what is wrong
  if (!after) $("list").replaceChildren();
  for (const each of found.conversations) listConversation(each);
  list.next = found.next;
  $("more").hidden = !found.next;
  $("none").hidden = !list.words || $("list").children.length > 0;
}

function listConversation({ id, title, share_url }) {
  const item = element("li", "", $("list"));
  const opener = button(title, item, () => openConversation(id));
  opener.title = title;
  if (id === state.conversation) {
    opener.ariaCurrent = "true";
    Object.assign(state, { title, share: share_url });
    $("title").textContent = title;
  }
  Object.assign(button("×", item, () => remove(id)).dataset, { label: "delete", n: title });
  translate(item);
}

let searching = null;

function search() {
  clearTimeout(searching);
  searching = setTimeout(() => {
    list.words = $("search").value.trim();
    listConversations();
  }, 250);
}

async function rename() {
  const title = await asked($("naming"), state.title);
  if (!title || title === state.title) return;
  const path = `v1/conversations/${state.conversation}`;
  if (await attempt("renamed", () => call("PATCH", path, { title }))) listConversations();
}

async function remove(id) {
  if (!await confirmed(say("sure"))) return;
  if (!await attempt("deleted", () => call("DELETE", `v1/conversations/${id}`))) return;
  if (id === state.conversation) begin();
  else await listConversations();
  tell("deleted");
  $("new").focus();
}

async function exportConversation() {
  await attempt("exported", async () => {
    const response = await call("GET", `v1/conversations/${state.conversation}/export?language=${language}`);
    download(await response.blob(), `${state.title.replace(/[^\p{L}\p{N} -]+/gu, "").slice(0, 60).trim() || "conversation"}.md`);
  });
}

// A link for others: made on demand, of what was said until then, until it is taken back

function openSharing() {
  showShare();
  $("sharing").showModal();
}

function showShare() {
  const address = state.share && new URL(state.share.slice(1), location.origin + location.pathname).href;
  $("link").value = address ?? "";
  for (const node of document.querySelectorAll("#sharing [data-when]")) node.hidden = (node.dataset.when === "shared") !== Boolean(address);
}

async function shareConversation() {
  const path = `v1/conversations/${state.conversation}/share`;
  const shared = async () => { state.share = (await (await call("POST", path)).json()).share_url; };
  if (await attempt("shared", shared)) showShare();
}

async function unshare() {
  const path = `v1/conversations/${state.conversation}/share`;
  if (!await attempt("unshared", () => call("DELETE", path))) return;
  state.share = null;
  showShare();
}

async function openShared(token) {  // somebody's, to be read only
  clear();
  try {
    const conversation = await (await call("GET", `v1/shared/${token}`)).json();
    for (const message of conversation.messages) complete(newTurn(message.question), { ...message, id: null });
    $("readonly").hidden = false;
    $("readonly-title").textContent = conversation.title;
  } catch (error) {
    const { word } = asProblem(error);
    tell(word === "status_404" ? "not_shared" : word);
  }
}

function closeMenu() {
  if ($("history").matches(":popover-open")) $("history").hidePopover();
}

$("new").addEventListener("click", begin);
$("own").addEventListener("click", begin);
$("more").addEventListener("click", () => listConversations(list.next));
$("search").addEventListener("input", search);
$("rename").addEventListener("click", rename);
$("share").addEventListener("click", openSharing);
$("export").addEventListener("click", exportConversation);
$("remove").addEventListener("click", () => remove(state.conversation));
for (const id of ["make-link", "renew-link"]) $(id).addEventListener("click", shareConversation);
$("drop-link").addEventListener("click", unshare);
$("copy-link").addEventListener("click", () => copy($("link").value, "link_copied"));
