"use strict";
// Calls of the API, the events of a stream, and what went wrong, in words of the page.

const GATEWAY = [502, 504];  // a proxy answers in its place
const me = { scopes: [] };  // what whoever is here may do

function may(scope) {
  return me.scopes.includes(scope);
}

async function identify() {
  me.scopes = await call("GET", "v1/me").then((response) => response.json()).then((found) => found.scopes).catch(() => []);
  document.dispatchEvent(new Event("scopes"));
}

function problemOf(data, wait = 0) {  // RFC 9457; its own words are for those who look after the service
  const word = data.fallback ? "model_down" : GATEWAY.includes(data.status) ? "unreachable" : `status_${data.status}`;
  const detail = data.errors?.map((each) => each.detail).join(" ") || data.detail;
  return { word: word in words.en ? word : "failed", detail, wait, fallback: data.fallback, status: data.status };
}

function asProblem(error, begun) {
  if (error.word) return error;
  if (error.name === "AbortError") return { word: "stopped" };
  return { word: !navigator.onLine ? "offline" : begun ? "broken" : "unreachable" };
}

async function call(method, path, body, signal, last) {
  const headers = { Accept: body?.stream ? "text/event-stream" : "application/json" };
  const isForm = body instanceof FormData;
  if (body && !isForm) headers["Content-Type"] = "application/json";
  if (last) headers["Last-Event-ID"] = last;
  const response = await request(path, { method, headers, body: isForm ? body : body && JSON.stringify(body), signal });
  if (response.ok) return response;
  const data = await response.json().catch(() => ({}));
  throw problemOf({ ...data, status: response.status }, Number(response.headers.get("Retry-After")));
}

async function attempt(done, act, failed) {  // says what became of it, and whether it went well
  try {
    await act();
    if (done) tell(done);
    return true;
  } catch (error) {
    tell(failed ?? asProblem(error).word);
    return false;
  }
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
