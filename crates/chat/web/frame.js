// The chat inside the frame. What visitors, documents and models wrote reaches the page as text nodes only.
// The first part is pure and exported, so that tests can import it; the page starts at the bottom.

import { forgetting } from "./forget.js";
import { STRINGS } from "./strings.js";

/** Longest message that the server takes, in bytes of UTF-8. */
export const MESSAGE_BYTES = 8192;
/** A stream that is silent for longer (not even a keep-alive) counts as lost, in milliseconds. */
const SILENCE_MS = 45_000;
/** Longest wait between two attempts, in milliseconds. */
const BACKOFF_MS = 15_000;
/** Attempts after which a server that answers but fails is left to the visitor's own "try again". */
const FAILED_ATTEMPTS = 6;

/**
 * Takes the complete server-sent events off the front of `text` (WHATWG HTML, section 9.2.6).
 * `rest` is what has not ended yet: put the next piece of the stream behind it and call again.
 */
export function sse(text) {
  const events = [];
  // A return at the very end may be the first half of a line end, so it waits for what follows.
  const lines = text.split(/\r\n|\n|\r(?=[^])/);
  let event = "", data = [], rest = 0;
  lines.slice(0, -1).forEach((line, index) => {
    const [, name, value] = /^([^:]*):? ?([^]*)$/.exec(line);
    if (name === "event") event = value;
    else if (name === "data") data.push(value);
    if (line) return;
    if (data.length) events.push({ event: event || "message", data: data.join("\n") });
    event = "", data = [], rest = index + 1;
  });
  return { events, rest: lines.slice(rest).join("\n") };
}

/** Splits a line of text into plain, bold and code pieces. A mark that is not closed, and every link, stays text. */
export function spans(text) {
  const pieces = [];
  let at = 0;
  for (const hit of text.matchAll(/`([^`]+)`|\*\*([^*]+)\*\*/g)) {
    if (hit.index > at) pieces.push({ kind: "plain", text: text.slice(at, hit.index) });
    pieces.push(hit[1] ? { kind: "code", text: hit[1] } : { kind: "strong", text: hit[2] });
    at = hit.index + hit[0].length;
  }
  if (at < text.length) pieces.push({ kind: "plain", text: text.slice(at) });
  return pieces;
}

/** Splits an answer into paragraphs, lists, quotes and code: [{kind: "p"|"ul"|"ol"|"blockquote"|"pre", lines, start}]. */
export function blocks(text) {
  const found = [];
  let open = null;
  const into = (kind, line, start) => {
    if (open?.kind !== kind) found.push((open = { kind, lines: [], start }));
    open.lines.push(line);
  };
  for (const line of text.split(/\r\n|\n|\r/)) {
    let hit;
    if (open?.kind === "pre") /^\s*```\s*$/.test(line) ? (open = null) : open.lines.push(line);
    else if (/^\s*```[\w+-]*\s*$/.test(line)) found.push((open = { kind: "pre", lines: [] }));
    else if (!line.trim()) open = null;
    else if ((hit = /^\s{0,8}[-*•]\s+(.*)$/.exec(line))) into("ul", hit[1]);
    else if ((hit = /^\s{0,8}(\d{1,3})[.)]\s+(.*)$/.exec(line))) into("ol", hit[2], +hit[1]);
    else if ((hit = /^\s{0,3}>\s?(.*)$/.exec(line))) into("blockquote", hit[1]);
    else if ((hit = /^#{1,6}\s+(.*)$/.exec(line))) (open = null), found.push({ kind: "p", lines: [`**${hit[1].replaceAll("*", "")}**`] });
    else if (open?.kind.endsWith("l") && /^\s/.test(line)) open.lines.push(`${open.lines.pop()}\n${line.trim()}`);
    else into("p", line);
  }
  return found;
}

/** Whether an answer with this HTTP status is worth another attempt with the same message. */
export const passing = (status) => [408, 425, 429, 500, 502, 503, 504, 507].includes(status);

/** How long to wait before attempt number `attempt` (from 0), in milliseconds; `chance` in [0, 1) spreads the crowd. */
export const backoff = (attempt, chance) => Math.min(BACKOFF_MS, 500 * 2 ** Math.min(attempt, 10)) * (0.5 + chance / 2);

/** Builds the nodes of an answer inside `parent`. */
export function paint(parent, text) {
  const put = (element, line) => {
    for (const { kind, text: words } of spans(line)) {
      if (kind === "plain") element.append(words);
      else element.append(make(kind, "", words));
    }
    return element;
  };
  parent.replaceChildren(...blocks(text).map(({ kind, lines, start }) => {
    const block = make(kind);
    if (kind === "pre") block.append(make("code", "", lines.join("\n")));
    else if (kind.endsWith("l")) block.append(...lines.map((line) => put(make("li"), line)));
    else put(block, lines.join("\n"));
    if (start > 1) block.start = start;
    return block;
  }));
}

function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

class Refused extends Error {
  constructor(status, detail, after) {
    super(detail || `status ${status}`);
    Object.assign(this, { status, detail, after });
  }
}

function start() {
  const at = (id) => document.getElementById(id);
  const [log, scroller, question, send] = ["log", "scroller", "question", "send"].map(at);
  const place = `casemate:${location.pathname}`;
  let t = STRINGS.en;
  let state = {}; // {conversation, token, pending: {id, text}}, kept over reloads
  let dressed = false; // whether the first load is through
  let waiting = true; // until the first load is through, and while an answer is on its way

  const recall = () => {
    try {
      state = JSON.parse(localStorage.getItem(place)) || {};
    } catch {} // storage refused or spoilt: this page keeps the conversation in memory alone
    at("forget").hidden = !state.conversation;
  };
  const keep = () => {
    try {
      localStorage.setItem(place, JSON.stringify(state));
    } catch {}
    at("forget").hidden = !state.conversation;
  };

  // ---- the site around the frame ----
  const site = decodeURIComponent(location.hash.slice(1));
  const framed = window.parent !== window && site;
  const tell = (message) => {
    try {
      if (framed) window.parent.postMessage(message, site);
    } catch {} // not an origin: nobody is there to hear it
  };
  addEventListener("message", ({ source, origin, data }) => {
    if (framed && source === window.parent && origin === site && data?.casemate === "focus") question.focus(), grown();
  });
  addEventListener("keydown", ({ key, isComposing }) => {
    if (key === "Escape" && !isComposing && !at("really").open) tell({ casemate: "close" });
  });
  at("close").hidden = !framed;
  at("close").onclick = () => tell({ casemate: "close" });
  const grown = () => {
    const rest = document.body.clientHeight - scroller.clientHeight;
    tell({ casemate: "resize", height: rest + log.offsetHeight + at("suggestions").offsetHeight + 48 });
  };

  // ---- what is seen ----
  const status = (text, alarm = false) => {
    if (at("status").textContent !== text) at("status").textContent = text;
    at("status").classList.toggle("alarm", alarm);
  };
  let following = true; // the log scrolls with what arrives, until the visitor scrolls up
  scroller.onscroll = () => {
    following = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 60;
  };
  const sight = new ResizeObserver(() => {
    if (following) scroller.scrollTop = scroller.scrollHeight;
    grown();
  });
  for (const part of [scroller, log, at("suggestions")]) sight.observe(part);
  const bubble = (role, text, sources = []) => {
    const message = make("div", `message ${role}`);
    const body = make("div", "text");
    body.dir = "auto";
    message.append(make("span", "unseen", role === "visitor" ? t.you : t.assistant), body);
    if (role === "visitor") body.textContent = text;
    else paint(body, text);
    log.append(message);
    cite(message, text, sources);
    return message;
  };
  const cite = (message, text, sources) => {
    message.querySelector(".sources")?.remove();
    if (!sources.length) return;
    const section = make("section", "sources");
    const list = make("ol");
    for (const { document: name, title, heading, quote } of sources) {
      const item = make("li");
      item.dir = "auto";
      item.append(make("cite", "", [...new Set([title || name, heading])].filter(Boolean).join(" › ")));
      if (quote && !text.includes(quote)) item.append(make("blockquote", "", quote));
      list.append(item);
    }
    section.append(make("h2", "", t.sources), list);
    message.append(section);
  };
  const measure = () => {
    const bytes = new TextEncoder().encode(question.value.trim()).length;
    const over = bytes > MESSAGE_BYTES;
    at("count").hidden = bytes < MESSAGE_BYTES * 0.8;
    at("count").textContent = `${over ? `${t.long} ` : ""}${bytes} / ${MESSAGE_BYTES}`;
    at("count").classList.toggle("alarm", over);
    send.disabled = waiting || !bytes || over;
    for (const button of [at("forget"), ...at("suggestions").children]) button.disabled = waiting;
    question.style.height = "auto";
    question.style.height = `${question.scrollHeight}px`;
  };
  const busy = (now) => {
    waiting = now;
    log.setAttribute("aria-busy", now); // an answer is announced once, when it is whole
    measure();
  };

  // ---- the server ----
  const call = async (path, { token, ...options } = {}) => {
    const headers = { "content-type": "application/json" };
    if (token) headers.authorization = `Bearer ${token}`;
    const answer = await fetch(path, { cache: "no-store", credentials: "omit", referrerPolicy: "no-referrer", ...options, headers });
    if (answer.ok) return answer;
    const problem = await answer.json().catch(() => ({}));
    throw new Refused(answer.status, problem.detail || problem.title, answer.headers.get("retry-after"));
  };
  /** Waits, but no longer than until the network or the visitor is back. */
  const pause = (ms) => new Promise((resolve) => {
    const over = new AbortController();
    const { signal } = over;
    const wake = () => {
      over.abort();
      resolve();
    };
    setTimeout(wake, ms);
    addEventListener("online", wake, { signal });
    document.addEventListener("visibilitychange", () => document.hidden || wake(), { signal });
  });
  /** Runs `attempt` until it succeeds or fails for good; a lost connection is retried for as long as the page is open. */
  const persist = async (attempt) => {
    for (let tries = 0, failures = 0; ; tries++) {
      try {
        return await attempt();
      } catch (error) {
        const refused = error instanceof Refused;
        if (refused && (!passing(error.status) || ++failures >= FAILED_ATTEMPTS)) throw error;
        status(refused ? t.away : t.lost);
        await pause(Math.max(Math.min(error.after * 1000 || 0, 60_000), backoff(tries, Math.random())));
      }
    }
  };
  const kind = ({ status: code, detail }) =>
    ({ 400: t.unread, 404: t.absent, 413: t.long, 422: t.unread })[code] || (code && detail !== t.absent ? t.trouble : detail) || t.trouble;

  const about = async () => {
    try {
      return await (await call("v1/bot")).json();
    } catch (error) {
      // While the appliance starts, its bots are not there yet; one that was removed stays away.
      throw error.status === 404 ? new Refused(503, t.absent) : error;
    }
  };
  const recent = async () => {
    if (!state.conversation) return null;
    try {
      return await (await call(`v1/conversations/${encodeURIComponent(state.conversation)}`, { token: state.token })).json();
    } catch (error) {
      if (error.status !== 404) throw error;
      await about(); // the bot is there: it is the conversation that is gone
      return null;
    }
  };
  const begin = async () => {
    const { conversation, token } = await (await call("v1/conversations", { method: "POST", body: "{}" })).json();
    Object.assign(state, { conversation, token });
    keep();
  };

  /** Sends the pending message once and shows its answer as it comes; an error means that it may be sent again. */
  const deliver = async (show) => {
    const stop = new AbortController();
    let timer;
    const alive = () => {
      clearTimeout(timer);
      timer = setTimeout(() => stop.abort(), SILENCE_MS);
    };
    try {
      if (!state.conversation) await begin();
      const { conversation, token, pending } = state;
      alive();
      const answer = await call(`v1/conversations/${encodeURIComponent(conversation)}/messages`,
        { token, method: "POST", body: JSON.stringify(pending), signal: stop.signal });
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = "", rest = "", sources = [], events;
      for (;;) {
        const { value, done } = await reader.read();
        if (done) throw new Error("the stream ended before the answer did");
        alive();
        ({ events, rest } = sse(rest + value));
        for (const { event, data } of events) {
          const body = JSON.parse(data);
          if (event === "accepted") status(t.answering);
          else if (event === "delta") status(""), show((text += body.text));
          else if (event === "sources") sources = body.sources;
          else if (event === "done") return { text, sources };
          else if (event === "error") throw new Refused(body.retry ? 503 : 0, body.detail || body.title);
        }
      }
    } catch (error) {
      stop.abort();
      if (error.status === 404) await about();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  };

  const answer = async () => {
    busy(true);
    at("again").hidden = true;
    status(t.answering);
    const known = state.conversation;
    const message = bubble("assistant", "");
    const body = message.querySelector(".text");
    const dots = make("div", "dots");
    dots.append(make("i"), make("i"), make("i"));
    body.append(dots);
    let latest = "", drawn = 0;
    const draw = () => {
      drawn = 0;
      paint(body, latest);
    };
    const show = (text) => {
      latest = text;
      drawn ||= requestAnimationFrame(draw);
    };
    try {
      const { text, sources } = await persist(() => deliver(show));
      cancelAnimationFrame(drawn);
      latest = text;
      draw();
      cite(message, text, sources);
      delete state.pending;
      status("");
    } catch (error) {
      cancelAnimationFrame(drawn);
      const mine = message.previousElementSibling;
      message.remove();
      if ([404, 409].includes(error.status) && known && known === state.conversation) return restart(); // gone, or full
      if (passing(error.status)) {
        at("again").hidden = false; // still pending: a click or a reload sends the same message again
      } else {
        if (error.status) {
          mine.remove(); // it was not taken, so it goes back to where it can be changed
          question.value ||= state.pending.text;
        }
        delete state.pending;
      }
      status(kind(error), true);
    }
    keep();
    busy(false);
  };
  /** This conversation cannot go on: the pending message goes into a new one. */
  const restart = async () => {
    state = { pending: state.pending };
    keep();
    log.replaceChildren();
    bubble("assistant note", t.gone);
    if (!state.pending) return;
    bubble("visitor", state.pending.text);
    await answer();
  };

  const ask = (text) => {
    if (waiting || !text || new TextEncoder().encode(text).length > MESSAGE_BYTES) return;
    at("again").hidden = true;
    state.pending = { id: crypto.randomUUID(), text };
    keep();
    at("suggestions").hidden = true;
    following = true;
    bubble("visitor", text);
    question.value = "";
    question.focus();
    answer();
  };
  at("again").onclick = () => (dressed ? answer() : open());
  send.onclick = () => ask(question.value.trim());
  question.oninput = () => {
    measure();
    if (!waiting && at("again").hidden) status("");
  };
  question.onkeydown = (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    ask(question.value.trim());
  };

  const forget = forgetting(at, async () => {
    busy(true);
    try {
      await persist(() => call(`v1/conversations/${encodeURIComponent(state.conversation)}`, { token: state.token, method: "DELETE" }));
    } catch (error) {
      if (error.status !== 404) {
        busy(false);
        return status(error.detail || t.trouble, true);
      }
    }
    state = {};
    keep();
    await open();
    bubble("assistant note", t.erased);
    question.focus();
  });

  // ---- coming back ----
  const load = async () => {
    busy(true);
    recall();
    const bot = await persist(about);
    dress(bot);
    const past = await persist(recent);
    dressed = true;
    status("");
    log.replaceChildren();
    if (bot.greeting) bubble("assistant", bot.greeting);
    const lost = state.conversation && !past;
    if (lost) {
      state = { pending: state.pending };
      keep();
      bubble("assistant note", t.gone);
    }
    const messages = past?.messages || [];
    for (const { role, text, sources } of messages) bubble(role === "visitor" ? "visitor" : "assistant", text, sources);
    if (state.pending && messages.some(({ answers }) => answers === state.pending.id)) {
      delete state.pending;
      keep();
    }
    suggest(messages.length || state.pending ? [] : bot.suggestions || []);
    if (state.pending) {
      if (!messages.some(({ id }) => id === state.pending.id)) bubble("visitor", state.pending.text);
      await answer();
    } else {
      busy(false);
    }
  };
  const dress = ({ title, language = "en" }) => {
    const short = language.slice(0, 2).toLowerCase();
    t = STRINGS[short] || STRINGS.en;
    document.documentElement.lang = STRINGS[short] ? language : "en";
    document.documentElement.dir = ["ar", "fa", "he", "ur"].includes(short) ? "rtl" : "ltr";
    document.title = at("title").textContent = title || t.chat;
    at("close").setAttribute("aria-label", t.close);
    send.setAttribute("aria-label", t.send);
    question.placeholder = t.ask;
    question.setAttribute("aria-label", t.ask);
    log.setAttribute("aria-label", t.log);
    scroller.setAttribute("aria-label", t.log);
    at("suggestions").setAttribute("aria-label", t.suggestions);
    at("again").textContent = t.again;
    at("notice").textContent = t.notice;
    forget.dress(t);
  };
  const suggest = (texts) => {
    at("suggestions").hidden = !texts.length;
    at("suggestions").replaceChildren(...texts.map((text) => {
      const button = make("button", "", text);
      button.type = "button";
      button.dir = "auto";
      button.onclick = () => ask(text);
      return button;
    }));
  };

  const language = navigator.language || "en";
  dress({ language: STRINGS[language.slice(0, 2)] ? language : "en" });
  const open = () => {
    at("again").hidden = true;
    return load().catch((error) => {
      status(kind(error), true);
      at("again").hidden = !passing(error.status);
    });
  };
  tell({ casemate: "ready" });
  open();
  // Another tab of the same visitor went on with the conversation.
  addEventListener("storage", ({ key }) => {
    if (key === place && !waiting) open();
  });
}

if (typeof document !== "undefined" && document.getElementById("log")) start();
