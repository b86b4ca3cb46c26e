# Visitors talk to a bot over WebSockets, through the gate: a whole conversation, also across a restart; in a real browser;
# and within limits. A NixOS test script: it calls only the test driver's API.
import json
import shlex
from typing import Any

URL = "wss://localhost/b/shop/v1/socket"
QUESTION = "What does a parcel cost?"

# Messages a minute that the gate is told to take of one client, and on one WebSocket, and WebSockets at once.
CHAT, OWN, SOCKETS = 12, 8, 3

# Seconds in which a visitor must be served again after the gate's restart.
SOON = 15

Told = dict[str, Any]


def put(path: str, text: str) -> None:
    machine.succeed(f"printf %s {shlex.quote(text)} > {path}")


def visit(what: str, *options: str) -> Told:
    words = " ".join(shlex.quote(option) for option in (what, "--url", URL, *options))
    seen: Told = json.loads(machine.succeed(f"visit-by-socket {words}"))
    return seen


def whole(answer: list[Told]) -> str:
    t.assertEqual(answer[-1]["event"], "done", str(answer))
    return "".join(told["data"]["text"] for told in answer if told["event"] == "delta")


def limits(text: str) -> None:
    put("/etc/casemate/gate.toml", text)
    machine.succeed("systemctl restart casemate-gate.service")


def reported(event: str) -> list[Told]:
    """The gate's security events of a kind."""
    journal = machine.succeed(
        f"journalctl --boot --unit=casemate-gate.service --output=json --no-pager CASEMATE_EVENT={event} TARGET=security"
    )
    return [json.loads(line) for line in journal.splitlines()]


machine.start()
machine.wait_for_unit("multi-user.target")
machine.wait_for_unit("casemate-gate.service")
put("/tmp/prices.md", "# Prices\n\nA parcel costs four crowns.\n")
machine.succeed(
    "casemate bot add shop --title Shop --origin https://shop.example",
    "casemate knowledge add shop /tmp/prices.md",
)

with subtest("a conversation goes on over a new connection when the gate is restarted"):
    seen = visit("talk", "--question", QUESTION, "--midway", "systemctl restart casemate-gate.service")
    t.assertEqual([told["event"] for told in seen["first"][:2]], ["conversation", "accepted"])
    t.assertIn("four crowns", whole(seen["first"]))
    t.assertEqual(seen["closed"], 1012)
    t.assertLess(seen["back_s"], SOON)
    t.assertEqual(seen["opened"]["event"], "opened")
    t.assertEqual([one["role"] for one in seen["opened"]["data"]["messages"]], ["visitor", "assistant"])
    t.assertEqual(whole(seen["again"]), whole(seen["first"]))
    t.assertEqual(seen["again"][-1]["data"], seen["first"][-1]["data"])
    t.assertIn("four crowns", whole(seen["second"]))

with subtest("and so it does when the bot is killed"):
    seen = visit("talk", "--question", QUESTION, "--midway", "systemctl kill --signal=KILL casemate-chat@shop.service")
    t.assertEqual((seen["closed"], whole(seen["again"])), (1012, whole(seen["first"])))

with subtest("the same conversation is there over HTTP, and the token is in no log"):
    begun = seen["first"][0]["data"]
    stored = json.loads(
        machine.succeed(
            "curl --silent --show-error --fail --cacert /var/lib/casemate/certs/ca.pem"
            f" --header 'authorization: Bearer {begun['token']}' https://localhost/b/shop/v1/conversations/{begun['conversation']}"
        )
    )
    t.assertEqual([one["role"] for one in stored["messages"]], ["visitor", "assistant"] * 2)
    machine.fail(f"journalctl --boot --no-pager --output=export | grep --text {begun['token']}")

with subtest("a page of the bot, or of a site in its file, may open one, and no other page"):
    for origin in ("https://localhost", "https://shop.example"):
        t.assertIn("four crowns", whole(visit("talk", "--question", QUESTION, "--origin", origin)["second"]))
    for origin in ("https://evil.example", "null", "http://localhost"):
        t.assertEqual(visit("talk", "--origin", origin), {"refused": 403})
    t.assertIn("https://evil.example", [event["CASEMATE_ORIGIN"] for event in reported("origin-refused")])

with subtest("in a real browser, over the HTTP/2 connection that the page came by"):
    seen = visit("browse", "--question", QUESTION, "--page", "https://localhost/b/shop/frame")
    t.assertIn("four crowns", whole(seen["heard"]))
    t.assertEqual((seen["code"], seen["wasClean"], seen["extensions"]), (1000, True, ""))
    access = machine.succeed(
        "journalctl --boot --unit=casemate-gate.service --output=json --no-pager TARGET=access CASEMATE_PATH=/b/shop/v1/socket"
    )
    records = [json.loads(line) for line in access.splitlines()]
    t.assertEqual((records[-1]["CASEMATE_PROTOCOL"], records[-1]["CASEMATE_WHOLE"]), ("HTTP/2", "true"), str(records[-1]))
    seen = visit("browse", "--page", "data:text/html,strange")
    t.assertEqual((seen["heard"], seen["code"]), ([], 1006))

with subtest("a client has so many WebSockets, and as many messages on them as questions"):
    limits(f"[limits]\nchat_per_minute = {CHAT}\nsocket_messages_per_minute = {OWN}\nsockets = {SOCKETS}\n")
    t.assertEqual(visit("flood", "--sockets", str(SOCKETS + 1)), {"open": SOCKETS, "refused": 429})
    t.assertEqual(visit("flood"), {"heard": OWN, "closed": 1008})
    t.assertEqual(visit("flood"), {"heard": CHAT - OWN, "closed": 1008})
    names = [event["CASEMATE_LIMIT"] for event in reported("rate-limited")]
    t.assertEqual(names[-2:], ["socket-messages", "chat"])
    t.assertEqual(reported("connection-limit")[-1]["CASEMATE_LIMIT"], "sockets")

with subtest("a message that is too long closes, and says so"):
    limits("[limits]\nexempt = ['127.0.0.0/8', '::1/128']\n")
    t.assertEqual(visit("flood", "--bytes", "70000"), {"heard": 0, "closed": 1009})
    t.assertEqual(reported("message-too-large")[-1]["CASEMATE_MOST_BYTES"], "65536")
    # What is shorter and still too long for a question is told by the bot, and the connection goes on.
    t.assertEqual(visit("flood", "--bytes", "9000", "--messages", "3"), {"heard": 3})
