# What comes in too large, malformed, too slowly, or when there is no room for it: each gets a clear answer, and nothing
# that was said before is lost. A NixOS test script: it calls only the test driver's API.
import json
import shlex
import uuid
from typing import Any

CURL = "curl --silent --show-error --insecure --max-time 60"
URL = "https://localhost/b"
JSON = "--header 'content-type: application/json'"

# Milliseconds that the gate is told to give a handshake and a request's head, and seconds after which a connection must
# be gone that is silent in either.
GATE_MS, SOON = 1000, 6

# Seconds after which a connection of HTTP/2 must be gone that answers nothing: 30 until it is asked, 15 for its answer.
PING_SECONDS = 55

# Bytes of the file system that is filled: some hundreds of long questions.
ROOM_BYTES = 6 << 20

# A question that is long, and yet answered from the documents.
LONG = "What does a parcel cost? " + "parcel " * 1000

# Bodies that are no question.
NO_QUESTIONS = (
    "", '{"id"', "null", "[]", '["a","b"]', '{"id":"a","text":5}', '{"id":"a"}', '{"id":"","text":"a"}', '{"id":"a","text":"b","x":1}',
)

# Opens connections to the gate that dawdle, each in its way, and prints when each ended, in seconds.
DAWDLE = """
import json, select, socket, ssl, time

def tls(protocol):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols([protocol])
    return context.wrap_socket(socket.create_connection(("localhost", 443)))

HEAD = b"POST /b/shop/v1/conversations HTTP/1.1\\r\\nHost: localhost\\r\\nContent-Type: application/json\\r\\n"
PREFACE = b"PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
WAYS = {
    "no handshake": lambda: (socket.create_connection(("localhost", 443)), b""),
    "half a handshake": lambda: (socket.create_connection(("localhost", 443)), bytes((0x16, 3, 1, 2, 0, 1))),
    "silent, HTTP/1.1": lambda: (tls("http/1.1"), b""),
    "one letter": lambda: (tls("http/1.1"), b"P"),
    "half a head": lambda: (tls("http/1.1"), HEAD),
    "idle after an answer": lambda: (tls("http/1.1"), b"GET /healthz HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n"),
    "half a body": lambda: (tls("http/1.1"), HEAD + b"Content-Length: 50\\r\\n\\r\\n{"),
    "silent, HTTP/2": lambda: (tls("h2"), b""),
    "a preface alone": lambda: (tls("h2"), PREFACE),
    "half a head, HTTP/2": lambda: (tls("h2"), PREFACE + bytes((0, 0, 1, 1, 0, 0, 0, 0, 1, 0x82))),
}
open_ones, ended, begun = {}, dict.fromkeys(WAYS), time.monotonic()
for way, start in WAYS.items():
    connection, words = start()
    connection.sendall(words)
    connection.settimeout(1)
    open_ones[connection] = way
while open_ones and time.monotonic() < begun + PATIENCE:
    for connection in select.select(list(open_ones), [], [], 1)[0]:
        try:
            over = not connection.recv(65536)
        except TimeoutError:
            over = False
        except OSError:
            over = True
        if over:
            ended[open_ones.pop(connection)] = round(time.monotonic() - begun, 1)
print(json.dumps(ended))
"""

# Opens forty connections and says nothing on them.
HOLD = """
import pathlib, socket, time
held = [socket.create_connection(("localhost", 443)) for _ in range(40)]
pathlib.Path("/run/held").touch()
time.sleep(300)
"""

# gate.toml for a test that asks more than a client may.
NO_LIMITS = "[limits]\nbot_per_minute = 1000000\nall_per_minute = 1000000\nexempt = ['127.0.0.0/8', '::1/128']\n"

Events = list[tuple[str, dict[str, Any]]]


def put(path: str, text: str) -> None:
    machine.succeed(f"rm --force {path} && printf %s {shlex.quote(text)} > {path}")


def fetch(options: str) -> tuple[int, str, str]:
    """The status, media type and body of an answer."""
    out = machine.succeed(f"{CURL} --write-out '\\n%{{http_code}} %{{content_type}}' {options}")
    body, last = out.rstrip().rsplit("\n", 1)
    status, _, media_type = last.partition(" ")
    return int(status), media_type, body


def problem(status: int, options: str) -> dict[str, Any]:
    """Expects a refusal with this status; returns the problem that it tells (RFC 9457)."""
    found, media_type, body = fetch(options)
    t.assertEqual((found, media_type), (status, "application/problem+json"), f"{options}: {body}")
    told: dict[str, Any] = json.loads(body)
    t.assertEqual(told["status"], status)
    t.assertTrue(told["title"].strip() and told["detail"].strip(), body)
    return told


def events(stream: str) -> Events:
    """The events of a stream, in their order."""
    found: Events = []
    for block in stream.replace("\r\n", "\n").split("\n\n"):
        fields = [line.split(": ", 1) for line in block.split("\n") if line and not line.startswith(":")]
        if fields:
            values = dict(field for field in fields if len(field) == 2)
            found.append((values.get("event", "message"), json.loads(values["data"])))
    return found


def ask(bot: str, text: str) -> tuple[int, str]:
    """Asks in a conversation of its own; returns the status and the body."""
    put("/dev/shm/question", json.dumps({"id": str(uuid.uuid4()), "text": text}))
    status, _, body = fetch(f"{JSON} --data-binary @/dev/shm/question {URL}/{bot}/v1/conversations")
    return status, body


def answered(bot: str, text: str) -> Events:
    status, body = ask(bot, text)
    t.assertEqual(status, 200, body)
    answer = events(body)
    t.assertEqual(answer[-1][0], "done", body)
    return answer


def read(bot: str, answer: Events) -> list[str]:
    """The texts of the conversation that an answer began."""
    begun = answer[0][1]
    bearer = f"--header 'authorization: Bearer {begun['token']}'"
    stored = json.loads(machine.succeed(f"{CURL} --fail {bearer} {URL}/{bot}/v1/conversations/{begun['conversation']}"))
    return [message["text"] for message in stored["messages"]]


def whole(answer: Events) -> str:
    return "".join(data["text"] for name, data in answer if name == "delta")


machine.start()
machine.wait_for_unit("multi-user.target")
machine.wait_for_open_port(443)
put("/etc/casemate/gate.toml", NO_LIMITS)
machine.succeed("systemctl restart casemate-gate.service")
put("/tmp/prices.md", "# Prices\n\nA parcel costs four crowns.\n")
machine.succeed("casemate bot add shop --title Shop", "casemate knowledge add shop /tmp/prices.md")
CONVERSATIONS = f"{URL}/shop/v1/conversations"

with subtest("a question of a megabyte is too long, however it is sent"):
    put("/tmp/megabyte.py", 'import json; print(json.dumps({"id": "a", "text": "a" * 1_000_000}))')
    machine.succeed("python3 /tmp/megabyte.py > /tmp/megabyte")
    for version in ("--http1.1", "--http2"):
        for options in ("", "--header 'transfer-encoding: chunked'", "--header 'expect:'", "--header 'expect: 100-continue'"):
            # Time and again: whoever still sends must not miss the answer.
            for _time in range(10):
                problem(413, f"{version} {options} {JSON} --data-binary @/tmp/megabyte {CONVERSATIONS}")
    status, body = ask("shop", "a" * 8193)
    t.assertEqual(status, 413, body)
    t.assertIn("Nothing of it was saved", body)
    answered("shop", "What does a parcel cost? " + "a" * 8000)

with subtest("what is no question is refused, and says why"):
    machine.succeed("printf '{\"id\":\"a\",\"text\":\"\\377\\376\"}' > /tmp/bytes")
    t.assertIn("UTF-8", problem(400, f"{JSON} --data-binary @/tmp/bytes {CONVERSATIONS}")["detail"])
    for words in NO_QUESTIONS:
        problem(400, f"{JSON} --data-binary {shlex.quote(words)} {CONVERSATIONS}")
    machine.succeed("head --bytes=60000 /dev/zero | tr '\\0' '[' > /tmp/deep")
    problem(400, f"{JSON} --data-binary @/tmp/deep {CONVERSATIONS}")
    for text in ("", " \t\n", "\u0000\u001b"):
        status, body = ask("shop", text)
        t.assertEqual((status, json.loads(body)["status"]), (422, 422), body)
        t.assertIn("empty", body)
    problem(415, f"--header 'content-type: text/plain' --data-binary @/tmp/bytes {CONVERSATIONS}")
    problem(405, f"--request PUT {CONVERSATIONS}")
    problem(405, f"{CONVERSATIONS}")

with subtest("unknown bots, conversations and tokens are not found, and look alike"):
    problem(404, f"{URL}/nobody/v1/bot")
    problem(404, f"{URL}/Shop/v1/bot")
    problem(404, "--path-as-is https://localhost/b/shop/../../etc/passwd")
    # The operators' calls are not the visitors'.
    problem(404, f"{URL}/shop/v1/documents")
    problem(404, f"{URL}/shop/v1/status")
    begun = answered("shop", "What does a parcel cost?")[0][1]
    other = answered("shop", "What does a parcel cost?")[0][1]
    told = []
    for conversation, token in (
        (begun["conversation"], other["token"]),
        (begun["conversation"], begun["token"][:-1]),
        (begun["conversation"], ""),
        (uuid.uuid4().hex, begun["token"]),
        ("x", begun["token"]),
    ):
        bearer = f"--header 'authorization: {f'Bearer {token}'.strip()}'"
        told.append(problem(404, f"{bearer} {CONVERSATIONS}/{conversation}"))
        message = f"{JSON} --data-binary '{{\"id\":\"a\",\"text\":\"b\"}}'"
        told.append(problem(404, f"{bearer} {message} {CONVERSATIONS}/{conversation}/messages"))
    told.append(problem(404, f"{CONVERSATIONS}/{begun['conversation']}"))
    t.assertEqual([one for one in told if one != told[0]], [])

with subtest("a flood of headers is cut off"):
    machine.succeed("{ printf 'x-big: '; head --bytes=17000 /dev/zero | tr '\\0' a; } > /tmp/big")
    machine.succeed("for number in $(seq 100); do echo \"x-$number: a\"; done > /tmp/many")
    for version in ("--http1.1", "--http2"):
        for headers in ("/tmp/big", "/tmp/many"):
            status, _, body = fetch(f"{version} --header @{headers} {URL}/shop/v1/bot")
            t.assertEqual(status, 431, f"{version} {headers}: {body}")
    answered("shop", "What does a parcel cost?")

with subtest("a full disk: what is not saved is said, what was saved stays"):
    folder = "/var/lib/private/casemate-chat/full"
    machine.succeed(f"mkdir --parents {folder}", f"mount -t tmpfs -o size={ROOM_BYTES},mode=0700 tmpfs {folder}")
    machine.succeed("casemate bot add full --title Full", "casemate knowledge add full /tmp/prices.md")
    process = machine.get_unit_property("casemate-chat@full.service", "MainPID")
    first = answered("full", "What does a parcel cost?")
    kept = [(first, ["What does a parcel cost?", whole(first)])]
    # Fills the room to a few blocks, in the machine; the last ones come one by one.
    put("/dev/shm/question", json.dumps({"id": "fill", "text": LONG}))
    machine.succeed(
        f"for turn in $(seq 2000); do test $(stat --file-system --format=%a {folder}) -lt 300 && break;"
        f" {CURL} {JSON} --data-binary @/dev/shm/question --output /dev/null {URL}/full/v1/conversations; done"
    )
    refusals = 0
    for _turn in range(1000):
        status, body = ask("full", LONG)
        if status == 507:
            told = json.loads(body)
            t.assertTrue("not saved" in told["detail"] and "full" in told["detail"], body)
            refusals += 1
            if refusals == 3:
                break
            continue
        t.assertEqual(status, 200, body)
        answer = events(body)
        if answer[-1][0] == "done":
            kept.append((answer, [LONG.strip(), whole(answer)]))
        else:
            # The question found room, the answer did not.
            name, trouble = answer[-1]
            t.assertEqual((name, trouble["retry"]), ("error", True), body)
            t.assertIn("not saved", trouble["detail"])
            kept.append((answer, [LONG.strip()]))
    t.assertEqual(refusals, 3, "the room was never full")
    for answer, texts in [kept[0], *kept[-5:]]:
        t.assertEqual(read("full", answer), texts)
    # Documents too.
    machine.succeed("(echo '# Large'; seq 300000) > /tmp/large.md")
    said = machine.fail("casemate knowledge add full /tmp/large.md 2>&1")
    t.assertTrue("not saved" in said and "storage is full" in said, said)
    listed = json.loads(machine.succeed("casemate knowledge list full --json"))["documents"]
    t.assertEqual([one["document"] for one in listed], ["prices.md"])
    # It is one bot's trouble, and the bot never went away.
    answered("shop", "What does a parcel cost?")
    machine.succeed(f"{CURL} --fail {URL}/full/healthz")
    t.assertEqual(machine.get_unit_property("casemate-chat@full.service", "MainPID"), process)

with subtest("the operator finds the cause in the journal"):
    said = machine.succeed("journalctl --boot --unit=casemate-chat@full.service --priority=warning --output=cat --no-pager")
    t.assertIn("no space is left", said)

with subtest("a bot that starts on a full disk can still be read"):
    machine.succeed("systemctl restart casemate-chat@full.service")
    machine.wait_until_succeeds(f"{CURL} --fail {URL}/full/healthz", timeout=30)
    process = machine.get_unit_property("casemate-chat@full.service", "MainPID")
    for answer, texts in [kept[0], *kept[-5:]]:
        t.assertEqual(read("full", answer), texts)

with subtest("when there is room again, messages are saved again, without anybody's doing"):
    machine.succeed(f"mount -o remount,size={4 * ROOM_BYTES} {folder}")
    answer = answered("full", LONG)
    t.assertEqual(read("full", answer), [LONG.strip(), whole(answer)])
    for answer, texts in kept:
        t.assertEqual(read("full", answer), texts)
    machine.succeed("casemate knowledge add full /tmp/large.md")
    t.assertEqual(machine.get_unit_property("casemate-chat@full.service", "MainPID"), process)

with subtest("whoever dawdles is cut off"):
    put("/etc/casemate/gate.toml", f"handshake_ms = {GATE_MS}\nhead_ms = {GATE_MS}\n{NO_LIMITS}")
    machine.succeed("systemctl restart casemate-gate.service")
    put("/tmp/dawdle.py", f"PATIENCE = {PING_SECONDS}\n{DAWDLE}")
    ended: dict[str, float | None] = json.loads(machine.succeed("python3 /tmp/dawdle.py", timeout=120))
    machine.log(str(ended))
    # A body may take ten seconds (`REQUEST_TIME` in crates/chat-api).
    bounds = {"half a body": 15, "a preface alone": PING_SECONDS, "half a head, HTTP/2": PING_SECONDS}
    late = {way: time for way, time in ended.items() if time is None or time > bounds.get(way, SOON)}
    t.assertEqual(late, {}, str(ended))

with subtest("the gate takes as many connections as it was told, tells others to come again, and serves once they are gone"):
    put("/etc/casemate/gate.toml", f"connections = 20\nhandshake_ms = {15 * GATE_MS}\n{NO_LIMITS}")
    machine.succeed("systemctl restart casemate-gate.service")
    put("/tmp/hold.py", HOLD)
    machine.succeed("systemd-run --unit=holder python3 /tmp/hold.py")
    machine.wait_for_file("/run/held")
    # They hold every place for the time of a handshake, and no longer.
    told = problem(503, f"{URL}/shop/healthz")
    t.assertIn("try again", told["detail"])
    machine.succeed("journalctl --boot --unit=casemate-gate.service --grep='told to come again' --quiet")
    machine.wait_until_succeeds(f"{CURL} --fail {URL}/shop/healthz", timeout=60)
    machine.succeed("systemctl stop holder.service", "rm /etc/casemate/gate.toml", "systemctl restart casemate-gate.service")
    answered("shop", "What does a parcel cost?")
    machine.succeed("casemate status")

with subtest("a client who asks too much is told when to come back, and the journal says who it was"):
    # On one connection, so that no token comes back meanwhile but a few. One went for the question before.
    statuses = machine.succeed(
        f"{CURL} {JSON} --data '{{}}' --output /dev/null --write-out '%{{http_code}} %header{{retry-after}}\\n' '{CONVERSATIONS}?[1-150]'"
    ).splitlines()
    t.assertEqual({status.strip() for status in statuses}, {"201", "429 1"})
    t.assertGreaterEqual(sum(status.startswith("201") for status in statuses), 99)
    # Pages are another matter.
    machine.succeed(f"{CURL} --fail {URL}/shop/widget.js")
    machine.succeed("journalctl --sync")
    journal = "journalctl --boot --unit=casemate-gate.service --output=json --no-pager"
    record = json.loads(machine.succeed(f"{journal} CASEMATE_EVENT=rate-limited | tail --lines=1"))
    t.assertEqual((record["TARGET"], record["CASEMATE_LIMIT"], record["CASEMATE_BOT"]), ("security", "chat", "shop"))
    t.assertIn(record["CASEMATE_CLIENT"], ("127.0.0.1", "::1"))
    record = json.loads(machine.succeed(f"{journal} TARGET=access CASEMATE_STATUS=429 | tail --lines=1"))
    t.assertEqual((record["CASEMATE_METHOD"], record["CASEMATE_PATH"]), ("POST", "/b/shop/v1/conversations"))
    t.assertIn(record["CASEMATE_CLIENT"], ("127.0.0.0/24", "::/48"))
