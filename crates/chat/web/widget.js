// The loader that a site embeds: one launcher button and one sandboxed frame.
//   <script async src="https://HOST/b/BOT/widget.js" data-bot="BOT"></script>
// CSSOM and nodes only, so it works under a strict Content-Security-Policy and Trusted Types.
(() => {
  "use strict";
  const script = document.currentScript;
  const base = new URL(".", script.src);
  const once = Symbol.for(base.href);
  if (window[once]) return; // the tag is on the page twice
  window[once] = true;

  // Escapes, because a host page in another encoding decodes this file in its own.
  const LABELS = {
    en: ["Open chat", "Close chat"],
    de: ["Chat \u00f6ffnen", "Chat schlie\u00dfen"],
    fr: ["Ouvrir le chat", "Fermer le chat"],
    es: ["Abrir el chat", "Cerrar el chat"],
  };
  const language = (document.documentElement.lang || navigator.language).slice(0, 2);
  const labels = LABELS[language] || LABELS.en;
  const ICONS = ["M4 4h16v12H9l-5 4z", "M6 6l12 12M18 6L6 18"]; // a speech bubble, a cross
  const CSS = `:host{all:initial}
button,iframe{position:fixed;inset-inline-end:20px;border:0;z-index:2147483000;box-shadow:0 6px 28px #0005}
button{bottom:20px;width:56px;height:56px;border-radius:50%;padding:16px;background:#0f6b62;cursor:pointer}
button:focus-visible{outline:3px solid #0f6b62;outline-offset:3px}
svg{fill:none;stroke:#fff;stroke-width:2;stroke-linecap:round;stroke-linejoin:round}
iframe{bottom:88px;width:400px;height:560px;max-height:calc(100dvh - 108px);border-radius:16px;transition:height .15s}
[hidden]{display:none}
@media(max-width:480px){iframe{inset:0;width:100%;height:100%!important;max-height:none;border-radius:0}[aria-expanded=true]{display:none}}
@media(prefers-reduced-motion:reduce){iframe{transition:none}}`;

  const start = () => {
    const host = document.createElement("div");
    host.id = `casemate-${script.dataset.bot}`;
    const root = host.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
    root.adoptedStyleSheets = [sheet];

    const button = document.createElement("button");
    button.type = "button";
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "0 0 24 24");
    const path = document.createElementNS(svg.namespaceURI, "path");
    svg.append(path);
    button.append(svg);
    root.append(button);
    document.body.append(host);

    let frame;
    let ready = false; // the frame listens
    let wanted = false; // the frame takes the focus as soon as it listens
    const show = (open, focus) => {
      if (open && !frame) {
        frame = document.createElement("iframe");
        frame.title = "Chat";
        frame.setAttribute("sandbox", "allow-scripts allow-same-origin");
        // The frame talks to this origin alone; whether it may be framed here, its own frame-ancestors decide.
        frame.src = new URL(`frame#${location.origin}`, base);
        root.prepend(frame);
      }
      if (frame) frame.hidden = !open;
      button.setAttribute("aria-expanded", open);
      button.setAttribute("aria-label", labels[+open]);
      path.setAttribute("d", ICONS[+open]);
      try {
        sessionStorage.setItem(once.description, +open);
      } catch {} // storage refused: the next page starts with the panel closed
      wanted = open && focus;
      if (wanted && ready) {
        frame.focus();
        frame.contentWindow.postMessage({ casemate: "focus" }, base.origin);
      }
      if (!open && focus) button.focus();
    };

    button.onclick = () => show(!frame || frame.hidden, true);
    button.onkeydown = (event) => {
      if (event.key === "Escape" && frame && !frame.hidden) show(false, true);
    };
    addEventListener("message", ({ source, origin, data }) => {
      if (!frame || source !== frame.contentWindow || origin !== base.origin) return;
      const { casemate, height } = data;
      if (casemate === "ready") {
        ready = true;
        if (wanted) show(true, true);
      } else if (casemate === "close") {
        show(false, true);
      } else if (casemate === "resize") {
        frame.style.height = `${Math.min(Math.max(+height, 400), 720)}px`;
      }
    });

    let open = false;
    try {
      open = sessionStorage.getItem(once.description) === "1";
    } catch {}
    show(open, false);
  };
  if (document.body) start();
  else addEventListener("DOMContentLoaded", start);
})();
