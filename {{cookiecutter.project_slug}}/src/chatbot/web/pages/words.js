"use strict";
// What the pages share: elements, and the words of the page in its language. Text becomes text nodes, never HTML.

const $ = (id) => document.getElementById(id);
const words = JSON.parse($("words").textContent);
let language = "";

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

function wordButton(word, parent, act, className = "") {
  const node = button(say(word), parent, act, className);
  node.dataset.word = word;
  return node;
}

function say(word, n) {
  return words[language][word].replace("{n}", n);
}

function count(word, n) {  // documents_1, documents_n
  return say(`${word}_${n === 1 ? 1 : "n"}`, n.toLocaleString(language));
}

function day(moment) {
  return new Date(moment).toLocaleDateString(language, { dateStyle: "medium" });
}

function translate(root) {
  for (const node of root.querySelectorAll("[data-word]")) node.textContent = say(node.dataset.word, node.dataset.n);
  for (const node of root.querySelectorAll("[data-label]"))
    node.title = node.ariaLabel = say(node.dataset.label, node.dataset.n);
  for (const node of root.querySelectorAll("[data-hint]")) node.placeholder = say(node.dataset.hint);
}

// What was chosen here before, what the page around a frame asks for, what the browser is set to, what the bot speaks

function preferred() {
  const asked = new URLSearchParams(location.search).get("language");
  const known = [stored("language"), asked, ...navigator.languages.map((each) => each.slice(0, 2))];
  return known.find((each) => each in words) ?? document.documentElement.lang;
}

function stored(name) {  // storage may be forbidden
  try { return localStorage[name]; } catch { return undefined; }
}

function store(name, value) {
  try { localStorage[name] = value; } catch { /* until the next reload, then */ }
}

function speak(chosen) {
  language = chosen;
  document.documentElement.lang = chosen;
  $("language").lang = chosen === "en" ? "fr" : "en";
  $("privacy").href = `privacy#${chosen}`;
  translate(document);
  document.dispatchEvent(new Event("language"));  // for what a page writes by itself
}

$("language").addEventListener("click", () => {
  const chosen = language === "en" ? "fr" : "en";
  store("language", chosen);
  speak(chosen);
});

// A word on what was done, for a moment

let telling = null;

function tell(word, n) {
  clearTimeout(telling);
  $("status").textContent = say(word, n);
  telling = setTimeout(() => { $("status").textContent = ""; }, 5000);
}

// A dialog that asks for words; null when it was cancelled

function asked(dialog, value) {
  const field = dialog.querySelector("input");
  field.value = value;
  dialog.returnValue = "";
  dialog.showModal();
  field.select();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes" ? field.value.trim() : null), { once: true });
  });
}

function download(blob, name) {
  const address = URL.createObjectURL(blob);
  Object.assign(document.createElement("a"), { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

async function copy(text, done) {  // without HTTPS there is no clipboard
  return attempt(done, () => navigator.clipboard.writeText(text), "not_copied");
}
