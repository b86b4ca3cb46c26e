#!/usr/bin/env python3
"""Visits a bot over a WebSocket, as an application does, or in a real Chromium, as a page does.

`talk` begins a conversation, runs a command in the middle of it, comes back when it is closed, opens the conversation by
its token, hears the first answer again and asks once more. `flood` sends messages until it is closed. `browse` does the
same conversation in a page of Chromium. Each prints what it saw as JSON; what is refused is printed as its status.
"""

import argparse
import json
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
import uuid
from typing import Any

import websocket
from selenium import webdriver

FLAGS = """--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-dev-shm-usage
--disable-background-networking --disable-component-update --disable-sync""".split()

# Run in a page: opens a WebSocket, asks one question and ends with what was heard, or with how it was closed.
PAGE = """
const [url, question, done] = arguments;
const heard = [];
const socket = new WebSocket(url);
socket.onopen = () => socket.send(JSON.stringify({ type: "begin", id: "m1", text: question }));
socket.onmessage = ({ data }) => {
  heard.push(JSON.parse(data));
  if (["done", "error", "refused"].includes(heard.at(-1).event)) socket.close(1000);
};
socket.onclose = ({ code, wasClean }) => done({ heard, code, wasClean, extensions: socket.extensions });
"""

Told = dict[str, Any]


class Refused(Exception):
    """There is no WebSocket, with the status of the answer."""


class Visitor:
    """A client of one bot."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.url = options.url
        self.origin = options.origin
        self.tls = {"ca_certs": options.ca, "cert_reqs": ssl.CERT_REQUIRED}
        self.socket = self.connect()

    def connect(self, query: str = "") -> websocket.WebSocket:
        try:
            return websocket.create_connection(
                self.url + query, timeout=30, sslopt=self.tls, origin=self.origin, suppress_origin=not self.origin
            )
        except websocket.WebSocketBadStatusException as error:
            raise Refused(error.status_code) from error

    def say(self, **words: str) -> None:
        self.socket.send(json.dumps(words))

    def hear(self) -> Told | int:
        """What is said next; the code, once it is closed."""
        opcode, data = self.socket.recv_data()
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            return int.from_bytes(data[:2])
        told: Told = json.loads(data)
        return told

    def answer(self) -> list[Told]:
        """The events of an answer."""
        heard: list[Told] = []
        while not heard or heard[-1]["event"] not in ("done", "error", "refused"):
            told = self.hear()
            if isinstance(told, int):
                sys.exit(f"it was closed with {told} after {heard}")
            heard.append(told)
        return heard


def talk(options: argparse.Namespace) -> Told:
    visitor = Visitor(options)
    first = uuid.uuid4().hex
    visitor.say(type="begin", id=first, text=options.question)
    seen: Told = {"first": visitor.answer()}
    begun = seen["first"][0]["data"]
    if options.midway:
        subprocess.run(["/bin/sh", "-c", options.midway], check=True, stdout=sys.stderr)
        seen["closed"] = visitor.hear()
        started = time.monotonic()
        visitor.socket = visitor.connect(f"?conversation={begun['conversation']}")
        seen["back_s"] = round(time.monotonic() - started, 3)
        visitor.say(type="open", **begun)
        seen["opened"] = visitor.hear()
        visitor.say(type="ask", id=first, text=options.question)
        seen["again"] = visitor.answer()
    visitor.say(type="ask", id=uuid.uuid4().hex, text=options.question)
    seen["second"] = visitor.answer()
    visitor.socket.close()
    return seen


def flood(options: argparse.Namespace) -> Told:
    visitor = Visitor(options)
    others = []
    for _ in range(options.sockets - 1):
        try:
            others.append(visitor.connect())
        except Refused as refused:
            return {"open": len(others) + 1, "refused": refused.args[0]}
    text = json.dumps({"type": "ask", "id": "a", "text": "a" * options.bytes})
    heard = 0
    for _ in range(options.messages):
        visitor.socket.send(text)
        told = visitor.hear()
        if isinstance(told, int):
            return {"heard": heard, "closed": told}
        heard += 1
    return {"heard": heard}


def browse(options: argparse.Namespace) -> Told:
    chrome = webdriver.ChromeOptions()
    chrome.binary_location = shutil.which("chromium") or "chromium"
    chrome.accept_insecure_certs = True  # the machine's own certificate authority is nobody else's
    with tempfile.TemporaryDirectory(prefix="visit-by-socket-", ignore_cleanup_errors=True) as profile:
        for flag in [*FLAGS, f"--user-data-dir={profile}"]:
            chrome.add_argument(flag)
        driver = webdriver.Chrome(options=chrome, service=webdriver.ChromeService(shutil.which("chromedriver")))
        try:
            driver.set_script_timeout(60)
            driver.get(options.page)
            seen: Told = driver.execute_async_script(PAGE, options.url, options.question)
            return seen
        finally:
            driver.quit()


def main() -> int:
    parser = argparse.ArgumentParser(prog="visit-by-socket", description=__doc__)
    parser.add_argument("what", choices=["talk", "flood", "browse"])
    parser.add_argument("--url", required=True, help="the bot's WebSocket")
    parser.add_argument("--ca", default="/var/lib/casemate/certs/ca.pem", help="the authority to trust")
    parser.add_argument("--origin", help="the page that the visit is said to come from")
    parser.add_argument("--question", default="Hello?")
    parser.add_argument("--midway", metavar="COMMAND", help="a shell command that ends the connection")
    parser.add_argument("--page", help="the page that Chromium opens first")
    parser.add_argument("--sockets", type=int, default=1, help="WebSockets to open")
    parser.add_argument("--messages", type=int, default=1000, help="messages to send at most")
    parser.add_argument("--bytes", type=int, default=1, help="length of the text of each")
    options = parser.parse_args()
    try:
        seen = {"talk": talk, "flood": flood, "browse": browse}[options.what](options)
    except Refused as refused:
        seen = {"refused": refused.args[0]}
    print(json.dumps(seen, ensure_ascii=False, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
