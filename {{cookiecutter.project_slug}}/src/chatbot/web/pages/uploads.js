"use strict";
// Documents by drag and drop, from a list of files, or by URL; and the jobs that make them findable.

const ENDED = ["succeeded", "failed", "dead"];
const LOOK = 1000;  // milliseconds

function follow(name) {
  const item = element("li");
  $("jobs").prepend(item);
  element("span", name, item);
  const state = element("span", say("sending"), item, "badge");
  const bar = element("progress", "", item);
  bar.ariaLabel = name;
  const said = element("small", "", item);
  const show = (word, progress, detail) => {
    state.textContent = say(word);
    state.className = `badge ${word.replace("job_", "")}`;
    if (progress === null) bar.remove();
    else if (progress) bar.value = progress;
    said.textContent = detail ?? "";
    said.lang = "en";
  };
  return show;
}

async function add(name, body) {
  const show = follow(name);
  try {
    const { state, document: found, job } = await (await call("POST", "v1/documents", body)).json();
    if (!job) return show(`upload_${state}`, null, state === "duplicate" ? found.source : "");
    await watch(job, show);
  } catch (error) {
    const problem = asProblem(error);
    show(problem.word, null, problem.detail);
  }
  listDocuments();
}

async function watch(job, show) {
  for (let now = job; ;) {
    const ended = ENDED.includes(now.state);
    show(`job_${now.state}`, ended ? null : now.progress, now.error ?? now.note);
    if (ended) return;
    await new Promise((resolve) => setTimeout(resolve, LOOK));
    now = await (await call("GET", `v1/jobs/${job.id}`)).json();
  }
}

async function addFiles(files) {  // one after the other: a folder of many does not fill the line
  for (const file of [...files]) {
    const form = new FormData();
    form.set("file", file);
    await Promise.race([add(file.name, form), new Promise((resolve) => setTimeout(resolve, LOOK))]);
  }
}

$("files").addEventListener("change", () => { addFiles($("files").files); $("files").value = ""; });
$("fetch").addEventListener("submit", (event) => {
  event.preventDefault();
  const url = $("url").value.trim();
  $("url").value = "";
  add(url, { url });
});
for (const name of ["dragenter", "dragover", "dragleave", "drop"]) document.addEventListener(name, (event) => {
  if ($("adding").hidden || !event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  $("drop").classList.toggle("over", name !== "drop" && name !== "dragleave");
  if (name === "drop") addFiles(event.dataTransfer.files);
});
document.addEventListener("scopes", () => { $("adding").hidden = !may("ingest"); });
