"use strict";
// Who asks, for the chat page and the privacy notice, which both may stand in a frame on another site.

const framed = window !== window.top;

// A key is a secret: it stays in this tab and goes with it, so that none is left on a machine that people share.

const memory = {};  // where a browser forbids storage, as it may in a frame

function recall(name) {
  try { return sessionStorage.getItem(name) ?? ""; } catch { return memory[name] ?? ""; }
}

function remember(name, value) {
  try { sessionStorage.setItem(name, value); } catch { memory[name] = value; }
}

// Requests

function identity() {
  const key = recall("access-key");
  if (key) return { Authorization: `Bearer ${key}` };
  return framed ? { "X-Visitor": visitor() } : {};
}

function visitor() {  // in place of the cookie, which browsers keep from frames: 24 characters
  if (!recall("visitor")) {
    const random = String.fromCharCode(...crypto.getRandomValues(new Uint8Array(18)));
    remember("visitor", btoa(random).replaceAll("+", "-").replaceAll("/", "_"));
  }
  return recall("visitor");
}

async function request(path, options = {}) {
  const who = identity();
  const response = await fetch(path, { ...options, headers: { ...options.headers, ...who } });
  if (who.Authorization !== identity().Authorization) return response;  // it says nothing of the key given meanwhile
  if (response.status === 401) askForKey("Authorization" in who);
  else if ("Authorization" in who) showKeyForms(false);
  return response;
}

// The access key

const keyForms = document.querySelectorAll("form.key");

function askForKey(wrong) {
  if (wrong) remember("access-key", "");
  showKeyForms(true);
  for (const form of keyForms) {
    form.querySelector(".needed").hidden = wrong;
    form.querySelector(".wrong").hidden = !wrong;
  }
}

function showKeyForms(shown) {
  for (const form of keyForms) form.hidden = !shown;
  for (const node of document.querySelectorAll(".forget")) node.hidden = !recall("access-key");
}

function takeKey(event) {
  event.preventDefault();
  const field = event.target.querySelector("input");
  const key = field.value.trim();
  field.value = "";
  if (!/^[!-~]+$/.test(key)) return askForKey(true);  // it would not even fit a header
  remember("access-key", key);
  document.dispatchEvent(new Event("key"));  // the page tries it
}

for (const form of keyForms) form.addEventListener("submit", takeKey);
showKeyForms(false);

// A question before what cannot be undone: browsers keep confirm() from frames

function confirmed(text) {
  const dialog = document.getElementById("sure");
  dialog.querySelector("p").textContent = text;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

// In a frame, Escape goes to the page around it, which closes the frame; what is open in here closes first

if (framed) document.addEventListener("keydown", (event) => {
  const busy = document.querySelector(":modal, :popover-open");
  if (event.key === "Escape" && !busy) window.parent.postMessage("chatbot:close", "*");
});
