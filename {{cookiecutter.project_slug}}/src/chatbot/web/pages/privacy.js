"use strict";
// The privacy notice: shows and keeps the choice about statistics, downloads and erases what is kept.

const boxes = document.querySelectorAll("[data-do=consent]");

async function send(element, said, path, options) {
  const status = element.closest("section").querySelector("[role=status]");
  const response = await request(path, options).catch(() => ({ ok: false }));
  status.textContent = status.dataset[response.ok ? said : "failed"];
  return response.ok && response;
}

function show(agreed) {
  for (const box of boxes) { box.checked = agreed; box.disabled = false; }
}

async function readConsent() {
  const response = await request("v1/me/consent").catch(() => null);
  if (response?.ok) show((await response.json()).analytics);
}

for (const box of boxes) box.addEventListener("change", async () => {
  const body = JSON.stringify({ analytics: box.checked });
  const headers = { "Content-Type": "application/json" };
  const saved = await send(box, "saved", "v1/me/consent", { method: "PUT", headers, body });
  show(Boolean(saved) === box.checked);
});

for (const button of document.querySelectorAll("[data-do=erase]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    for (const each of document.querySelectorAll("#sure button")) each.textContent = button.dataset[each.value];
    if (await confirmed(button.dataset.sure) && await send(button, "done", "v1/me", { method: "DELETE" })) show(false);
  });
}

for (const link of document.querySelectorAll("a[download]")) link.addEventListener("click", async (event) => {
  event.preventDefault();  // a link sends neither key nor header
  const response = await send(link, "loaded", link.href);
  if (!response) return;
  const address = URL.createObjectURL(await response.blob());
  Object.assign(document.createElement("a"), { href: address, download: link.download }).click();
});

document.addEventListener("key", readConsent);
readConsent();
