"use strict";
// The chat on a page of another site: <script src="https://THE-BOT/embed.js" data-language="fr" async></script>
// A button, and a panel with the chat in a frame. What it draws is in a shadow tree, apart from the page's own styles.

(() => {
  const script = document.currentScript;
  const bot = new URL("./", script.src);
  const words = BOT_WORDS;
  const [language] = [script.dataset.language, document.documentElement.lang.slice(0, 2), "BOT_LANGUAGE"]
    .filter((each) => each in words);
  const phone = matchMedia("(max-width: 40rem)");

  const STYLE = `
    :host { all: initial; }
    * { box-sizing: border-box; font: 1rem/1.4 system-ui, sans-serif; }
    button { cursor: pointer; border: 0; }
    button:focus-visible { outline: 3px solid light-dark(#0b57a4, #8ab8f0); outline-offset: 3px; }
    #open {
      position: fixed; right: 1rem; bottom: 1rem; z-index: 2147483646; min-height: 3rem; padding: .5rem 1.25rem;
      border-radius: 1.5rem; color: #fff; background: #0b57a4; box-shadow: 0 2px 10px #0005;
    }
    dialog {
      position: fixed; inset: auto 1rem 5rem auto; z-index: 2147483647; flex-direction: column;
      width: 26rem; height: min(44rem, 100dvh - 6.5rem); max-width: none; max-height: none; margin: 0; padding: 0;
      overflow: hidden; border: 1px solid #8888; border-radius: .75rem; background: Canvas; box-shadow: 0 4px 24px #0005;
    }
    dialog[open] { display: flex; }
    #close { align-self: flex-end; width: 2.75rem; height: 2.25rem; color: CanvasText; background: none; }
    iframe { flex: 1; width: 100%; border: 0; }
    @media (max-width: 40rem) {
      dialog { inset: 0; width: 100vw; height: 100dvh; border: 0; border-radius: 0; }
    }
    @media (prefers-reduced-motion: no-preference) {
      dialog[open] { animation: rise .15s ease-out; }
      @keyframes rise { from { opacity: 0; translate: 0 .75rem; } }
    }`;

  function element(tag, properties, parent) {
    const node = Object.assign(document.createElement(tag), properties);
    parent.append(node);
    return node;
  }

  const host = document.createElement("div");
  host.lang = language;
  const root = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();  // a policy of the page that forbids inline styles does not forbid this
  sheet.replaceSync(STYLE);
  root.adoptedStyleSheets = [sheet];
  const opener = element("button", { id: "open", type: "button", textContent: words[language].open }, root);
  const panel = element("dialog", { id: "panel", ariaLabel: words[language].name }, root);
  const closer = element("button", { id: "close", type: "button", textContent: "✕", ariaLabel: words[language].close }, panel);
  let frame = null;
  opener.ariaHasPopup = "dialog";
  opener.ariaExpanded = "false";

  function open() {
    if (phone.matches) panel.showModal();  // it covers the page
    else panel.show();
    opener.ariaExpanded = "true";
    if (frame) frame.focus();
    else frame = element("iframe", {  // with the first click: until then the page has loaded nothing but this file
      src: new URL(`?language=${language}`, bot).href,
      title: words[language].name,
      allow: "clipboard-write; web-share",
      onload: () => frame.focus(),
    }, panel);
  }

  opener.addEventListener("click", () => panel.open ? panel.close() : open());
  closer.addEventListener("click", () => panel.close());
  panel.addEventListener("close", () => { opener.ariaExpanded = "false"; opener.focus(); });
  root.addEventListener("keydown", (event) => { if (event.key === "Escape") panel.close(); });
  addEventListener("message", (event) => {  // Escape within the frame
    if (event.source === frame?.contentWindow && event.data === "chatbot:close") panel.close();
  });

  const show = () => document.body.append(host);
  if (document.body) show();
  else addEventListener("DOMContentLoaded", show);
})();
