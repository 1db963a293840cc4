"use strict";
// For whoever looks after the bot: jobs that need a person, what readers say, questions without an answer, keys.

const LISTS = {
  jobs: async () => {
    const found = await Promise.all(["dead", "failed"].map((state) => call("GET", `v1/jobs?state=${state}`)));
    return (await Promise.all(found.map((response) => response.json()))).flatMap((each) => each.jobs);
  },
  feedback: async () => (await (await call("GET", "v1/feedback")).json()).feedback,
  unanswered: async () => (await (await call("GET", "v1/unanswered")).json()).questions,
  keys: async () => (await (await call("GET", "v1/keys")).json()).keys,
};

const ROWS = {
  jobs(item, job) {
    const named = `${say(`kind_${job.kind}`)} · ${day(job.updated_at)} · ${count("attempts", job.attempts)}`;
    element("span", named, item);
    const acts = element("div", "", item, "acts");
    element("span", say(`job_${job.state}`), acts, `badge ${job.state}`);
    button(say("requeue"), acts, () => act("requeued", () => call("POST", `v1/jobs/${job.id}/requeue`), "jobs"));
    element("p", job.error ?? "", item).lang = "en";
  },
  feedback(item, each) {
    element("strong", each.question, item);
    element("div", "", item, "acts").append(element("span", say(`rated_${each.rating}`), null, `badge ${each.rating}`));
    if (each.comment) element("blockquote", each.comment, item, "said");
    const answer = element("details", "", item);
    element("summary", say("the_answer"), answer);
    element("p", each.answer, answer);
    element("p", `${day(each.created_at)} · ${each.model}`, item);
  },
  unanswered(item, each) {
    element("span", each.question, item).lang = each.language;
    element("p", `${day(each.day)} · ${count("times", each.times)}`, item);
  },
  keys(item, key) {
    element("strong", key.name, item);
    const acts = element("div", "", item, "acts");
    if (key.revoked_at) element("span", say("revoked"), acts, "badge");
    else button(say("revoke"), acts, async () => {
      if (await confirmed(say("sure_key", key.name))) act("revoked", () => call("DELETE", `v1/keys/${key.id}`), "keys");
    });
    const used = key.last_used_at ? say("used", day(key.last_used_at)) : say("never_used");
    element("p", [`${key.prefix}…`, key.scopes.join(", "), say("made", day(key.created_at)), used].join(" · "), item);
  },
};

async function act(done, work, name) {
  if (await attempt(done, work)) listOf(name);
}

async function listOf(name) {
  const rows = document.querySelector(`[data-list=${name}] .rows`);
  try {
    const found = await LISTS[name]();
    rows.replaceChildren();
    for (const each of found) ROWS[name](element("li", "", rows), each);
    if (!found.length) element("li", say("nothing_here"), rows);
  } catch (error) {
    tell(asProblem(error).word);
  }
}

function drawScopes() {
  for (const node of document.querySelectorAll("#key-scopes label")) node.remove();
  for (const scope of me.scopes) {
    const label = element("label", "", $("key-scopes"));
    const box = element("input", "", label);
    Object.assign(box, { type: "checkbox", value: scope, checked: scope === "ask" });
    label.append(scope);
  }
}

async function makeKey(event) {
  event.preventDefault();
  const scopes = [...document.querySelectorAll("#key-scopes :checked")].map((box) => box.value);
  await act("key_made", async () => {
    const made = await (await call("POST", "v1/keys", { name: $("key-name").value, scopes })).json();
    $("key-name").value = "";
    $("new-key").hidden = false;
    $("new-key").querySelector("code").textContent = made.secret;
  }, "keys");
}

function listOpened() {
  for (const each of document.querySelectorAll("#operating > [open]")) listOf(each.dataset.list);
}

for (const each of document.querySelectorAll("#operating > details"))
  each.addEventListener("toggle", () => { if (each.open) listOf(each.dataset.list); });
$("make-key").addEventListener("submit", makeKey);
document.addEventListener("language", listOpened);
document.addEventListener("scopes", () => {
  $("operating").hidden = !may("admin");
  drawScopes();
});

speak(preferred());
identify();
