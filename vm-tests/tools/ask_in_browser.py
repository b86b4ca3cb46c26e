#!/usr/bin/env python3
"""Asks one question through the widget, in a real Chromium, as a visitor does.

Opens the page, clicks the launcher, types the question, waits for the whole answer, then reloads the page and looks for
the same conversation. Prints what it saw as JSON and ends with 1 when an expectation does not hold. Whatever is asked of
it, no other host may be contacted and no Content-Security-Policy may be violated.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

# Chromium as root in a machine with no graphics, no sound and, as a rule, no way out.
FLAGS = """--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-dev-shm-usage
--disable-background-networking --disable-component-update --disable-sync --window-size=1280,900""".split()

# Run inside the frame: its pure functions, on every way to cut a stream and on text that wants to be markup.
CHECKS = r"""
const done = arguments[arguments.length - 1];
(async () => {
  const { sse, blocks, paint, backoff, passing } = await import(new URL("frame.js", location.href));
  const same = (got, want, what) => {
    if (JSON.stringify(got) !== JSON.stringify(want)) throw new Error(`${what}: ${JSON.stringify(got)} is not ${JSON.stringify(want)}`);
  };
  let seed = 20261;
  const chance = () => (seed = (seed * 48271) % 2147483647) / 2147483647;

  const stream = ": hello\n\nevent: accepted\r\ndata: {\"id\":1}\r\n\r\nevent: delta\rdata:a\rdata: b\r\rdata\n\nid: 7\nevent: x\n\ndata: é 😀\n\n";
  const events = [
    { event: "accepted", data: '{"id":1}' }, { event: "delta", data: "a\nb" },
    { event: "message", data: "" }, { event: "message", data: "é 😀" },
  ];
  same(sse(stream), { events, rest: "" }, "whole stream");
  const feed = (pieces) => pieces.reduce(({ events, rest }, piece) => {
    const next = sse(rest + piece);
    return { events: events.concat(next.events), rest: next.rest };
  }, { events: [], rest: "" });
  for (let cut = 0; cut <= stream.length; cut++) same(feed([stream.slice(0, cut), stream.slice(cut)]).events, events, `cut at ${cut}`);
  same(feed([...stream]).events, events, "one character at a time");
  same(feed(["data: not ended\n"]), { events: [], rest: "data: not ended\n" }, "an event that has not ended");

  same(blocks("1. a\n2. b\n\n> q\n- x\n  y\n```\n- c\n```\n# T"), [
    { kind: "ol", lines: ["a", "b"], start: 1 }, { kind: "blockquote", lines: ["q"] }, { kind: "ul", lines: ["x\ny"] },
    { kind: "pre", lines: ["- c"] }, { kind: "p", lines: ["**T**"] },
  ], "blocks");

  const tokens = ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "[x](javascript:alert(1))", "![x](https://evil.example/p.png)",
    "https://evil.example", "**", "*", "`", "```", "\n", "\n\n", "> ", "- ", "1. ", "999999. ", "# ", "<a href=//evil>", "&lt;", "\u202e", "word. ", "\r"];
  const allowed = new Set(["P", "UL", "OL", "LI", "BLOCKQUOTE", "PRE", "CODE", "STRONG"]);
  for (let round = 0; round < 2000; round++) {
    const text = Array.from({ length: 1 + Math.floor(chance() * 12) }, () => tokens[Math.floor(chance() * tokens.length)]).join("");
    const box = document.createElement("div");
    paint(box, text);
    for (const element of box.querySelectorAll("*")) {
      if (!allowed.has(element.tagName)) throw new Error(`${JSON.stringify(text)} became a ${element.tagName}`);
      for (const { name } of element.attributes) if (name !== "start") throw new Error(`${JSON.stringify(text)} set ${name}`);
    }
    const words = (from) => from.split("word").length;
    same(words(box.textContent), words(text), `no word of ${JSON.stringify(text)} is lost`);
  }
  const long = performance.now();
  blocks("**`".repeat(40000) + "x".repeat(100000)), sse("data: ".repeat(100000));
  if (performance.now() - long > 2000) throw new Error("long text takes too long");

  for (let attempt = 0; attempt < 40; attempt++) {
    const wait = backoff(attempt, chance());
    if (!(wait >= 250 && wait <= 15000)) throw new Error(`attempt ${attempt} waits ${wait} ms`);
  }
  same([200, 400, 404, 413, 429, 500, 503].filter(passing), [429, 500, 503], "passing");
})().then(() => done("ok"), (error) => done(String(error)));
"""


class Unmet(Exception):
    """An expectation does not hold."""


class Visitor:
    """A browser with the page open."""

    def __init__(self, driver: webdriver.Chrome, url: str, timeout: float) -> None:
        self.driver = driver
        self.url = url
        self.timeout = timeout
        self.steps = 0
        self.notices: list[str] = []

    def until(self, what: str, check: Callable[[], Any]) -> Any:
        """The first true value of `check`."""
        end = time.monotonic() + self.timeout
        seen: Exception | None = None
        while time.monotonic() < end:
            try:
                if found := check():
                    return found
            except (WebDriverException, IndexError) as error:
                seen = error
            time.sleep(0.05)
        reason = f" ({type(seen).__name__}: {str(seen).splitlines()[0] if str(seen) else ''})" if seen else ""
        raise Unmet(f"waited {self.timeout:.0f} s for {what}{reason}; {self.said()}")

    def said(self) -> str:
        """What the widget shows, for whoever reads the failure."""
        try:
            return f"the widget shows {self.driver.find_element(By.TAG_NAME, 'body').text!r}"
        except WebDriverException as error:
            return f"the widget shows nothing: {error.msg}"

    def find(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def widget(self) -> Any:
        """The shadow root that the loader made."""
        self.driver.switch_to.default_content()
        return self.find("body > div[id^='casemate-']")[0].shadow_root

    def open(self) -> None:
        """Opens the panel, if it is not open, and enters the frame."""

        def frame() -> WebElement | None:
            frames = self.widget().find_elements(By.CSS_SELECTOR, "iframe")
            if frames and frames[0].is_displayed():
                return frames[0]
            self.widget().find_element(By.CSS_SELECTOR, "button").click()
            return None

        self.driver.switch_to.frame(self.until("the chat's frame", frame))
        self.until("the chat", self.settled)

    def messages(self) -> list[dict[str, Any]]:
        """What is in the log, the greeting included."""
        return [
            {
                "role": "visitor" if "visitor" in (message.get_attribute("class") or "") else "assistant",
                "text": message.find_element(By.CSS_SELECTOR, ".text").text,
                "sources": [
                    {
                        "name": item.find_element(By.TAG_NAME, "cite").text,
                        "quote": "".join(
                            quote.get_property("textContent") for quote in item.find_elements(By.TAG_NAME, "blockquote")
                        ),
                    }
                    for item in message.find_elements(By.CSS_SELECTOR, ".sources li")
                ],
            }
            for message in self.find("#log .message")
        ]

    def settled(self) -> bool:
        """Whether the conversation is loaded and no answer is on its way."""
        return bool(self.find("#log[aria-busy='false']"))

    def ask(self, question: str, first: str | None, midway: str | None) -> dict[str, Any]:
        """Sends the question and returns the whole answer."""
        before = len(self.messages())
        self.driver.execute_script(
            "window.steps = 0; window.notices = []; const status = document.getElementById('status');"
            "const all = {childList: true, subtree: true, characterData: true};"
            "new MutationObserver(() => { window.steps += 1 }).observe(document.getElementById('log'), all);"
            "new MutationObserver(() => { window.notices.push(status.textContent) }).observe(status, all);"
        )
        run(first)
        box = self.find("#question")[0]
        box.send_keys(question.replace("\n", " "))
        self.until("the send button", lambda: self.find("#send")[0].is_enabled())
        box.send_keys(Keys.ENTER)
        self.until("the question in the log", lambda: len(self.messages()) > before)
        run(midway)

        def whole() -> dict[str, Any] | None:
            settled = self.settled()  # asked first: what is read afterwards is then whole
            messages = self.messages()
            if self.find("#again") and self.find("#again")[0].is_displayed():
                raise Unmet(f"the widget gave up: {self.find('#status')[0].text!r}")
            status = self.find("#status.alarm")
            if settled and status and status[0].text:
                raise Unmet(f"the widget reports: {status[0].text!r}")
            if len(messages) == before + 2 and settled and messages[-1]["text"]:
                return messages[-1]
            return None

        answer: dict[str, Any] = self.until("the answer", whole)
        self.steps = self.driver.execute_script("return window.steps")
        self.notices = [notice for notice in self.driver.execute_script("return window.notices") if notice]
        return answer


    def forget(self) -> None:
        """Deletes the conversation, having first thought better of it; it must stay away after a reload."""

        def visitors() -> list[dict[str, Any]]:
            return [message for message in self.messages() if message["role"] == "visitor"]

        def press(name: str) -> None:
            button = self.find(f"#{name}")[0]
            self.until(f"the button {name}", lambda: button.is_displayed() and button.is_enabled())
            button.click()

        press("forget")
        press("retain")
        if not visitors():
            raise Unmet("the conversation is gone although the visitor kept it")
        press("forget")
        press("erase")
        self.until("an empty log", lambda: self.settled() and not visitors() and self.messages())
        for _ in range(2):
            if self.find("#forget")[0].is_displayed():
                raise Unmet("there is nothing to delete, and a button for it")
            self.driver.switch_to.default_content()
            self.driver.refresh()
            self.open()
            if visitors():
                raise Unmet(f"the conversation is back after a reload; {self.said()}")


def run(command: str | None) -> None:
    """Runs a shell command, whose output goes to standard error."""
    if command:
        subprocess.run(["/bin/sh", "-c", command], check=True, stdout=sys.stderr)


def compare(answer: dict[str, Any], options: argparse.Namespace) -> None:
    """Holds the answer to what the caller expects of it."""
    seen = " ".join([answer["text"], *(source["quote"] for source in answer["sources"])])
    for words in options.expect:
        if words.casefold() not in seen.casefold():
            raise Unmet(f"{words!r} is not in the answer: {json.dumps(answer, ensure_ascii=False)}")
    names = [source["name"] for source in answer["sources"]]
    for name in options.source:
        if not any(name.casefold() in known.casefold() for known in names):
            raise Unmet(f"{name!r} is not among the sources {names}")
    if options.no_sources and names:
        raise Unmet(f"an answer without sources was expected, but it names {names}: {answer['text']!r}")


def traffic(driver: webdriver.Chrome) -> list[str]:
    """The hosts that the page made requests to."""
    hosts = set()
    for entry in driver.get_log("performance"):  # type: ignore[no-untyped-call]
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            url = urlsplit(message["params"]["request"]["url"])
            if url.scheme in ("http", "https", "ws", "wss"):
                hosts.add(url.netloc)
    return sorted(hosts)


def violations(driver: webdriver.Chrome) -> list[str]:
    """What the console says of a policy that was violated, or of a script that failed."""
    signs = ("Content Security Policy", "Content-Security-Policy", "TrustedHTML", "TrustedScript", "Uncaught", "Refused to")
    entries = [entry["message"] for entry in driver.get_log("browser")]  # type: ignore[no-untyped-call]
    return [entry for entry in entries if any(sign in entry for sign in signs)]


@contextmanager
def browser() -> Iterator[webdriver.Chrome]:
    """A Chromium with an empty profile, which is gone afterwards."""
    options = webdriver.ChromeOptions()
    program = shutil.which("chromedriver")
    chromium = shutil.which("chromium")
    if not program or not chromium:
        raise Unmet("chromium and chromedriver must be installed")
    options.binary_location = chromium
    options.accept_insecure_certs = True  # the machine's own certificate authority is nobody else's
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with tempfile.TemporaryDirectory(prefix="ask-in-browser-", ignore_cleanup_errors=True) as profile:
        for flag in [*FLAGS, f"--user-data-dir={profile}"]:
            options.add_argument(flag)
        driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(program))
        try:
            yield driver
        finally:
            driver.quit()


def visit(driver: webdriver.Chrome, options: argparse.Namespace) -> dict[str, Any]:
    """The whole visit; returns what was seen."""
    visitor = Visitor(driver, options.url, options.timeout)
    driver.set_page_load_timeout(options.timeout)
    driver.get(options.url)
    visitor.open()
    if options.checks and (result := driver.execute_async_script(CHECKS)) != "ok":
        raise Unmet(f"the widget's functions: {result}")
    started = time.monotonic()
    answer = visitor.ask(options.question, options.first, options.midway)
    seen: dict[str, Any] = {
        "answer": answer,
        "steps": visitor.steps,
        "notices": visitor.notices,
        "seconds": round(time.monotonic() - started, 3),
    }
    if options.screenshot:
        driver.save_screenshot(options.screenshot)
    compare(answer, options)
    if not options.no_reload:
        before = visitor.messages()
        driver.switch_to.default_content()
        driver.refresh()
        visitor.open()
        visitor.until("the conversation after a reload", lambda: visitor.messages() == before)
        seen["after_reload"] = before
    if options.forget:
        visitor.forget()
    seen["hosts"] = traffic(driver)
    others = [host for host in seen["hosts"] if host != urlsplit(options.url).netloc]
    if others:
        raise Unmet(f"the page contacted other hosts: {others}")
    if broken := violations(driver):
        raise Unmet(f"the console reports {broken}")
    return seen


def main() -> int:
    parser = argparse.ArgumentParser(prog="ask-in-browser", description=__doc__)
    parser.add_argument("--url", required=True, help="a page that embeds the widget")
    parser.add_argument("--question", required=True)
    parser.add_argument("--expect", action="append", default=[], metavar="WORDS", help="must be in the answer or its quotes")
    parser.add_argument("--source", action="append", default=[], metavar="NAME", help="must be among the titles and headings of the sources")
    parser.add_argument("--no-sources", action="store_true", help="the answer must name no source")
    parser.add_argument("--forget", action="store_true", help="delete the conversation at the end")
    parser.add_argument("--no-reload", action="store_true", help="do not reload the page afterwards")
    parser.add_argument("--checks", action="store_true", help="also test the widget's own functions inside the browser")
    parser.add_argument("--first", metavar="COMMAND", help="a shell command to run just before the question is sent")
    parser.add_argument("--midway", metavar="COMMAND", help="a shell command to run while the answer is awaited")
    parser.add_argument("--screenshot", metavar="FILE", help="where to leave a picture of the answer (PNG)")
    parser.add_argument("--timeout", type=float, default=60, help="seconds that each step may take (60)")
    options = parser.parse_args()
    try:
        with browser() as driver:
            seen = visit(driver, options)
    except WebDriverException as error:
        print(f"ask-in-browser: the browser: {error.msg}", file=sys.stderr)
        return 1
    except (Unmet, subprocess.CalledProcessError) as error:
        print(f"ask-in-browser: {error}", file=sys.stderr)
        return 1
    print(json.dumps(seen, ensure_ascii=False, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
