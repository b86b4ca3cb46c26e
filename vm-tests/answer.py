# A question is answered through the whole appliance: by a real browser from the handbook, and over the API from
# documents that were written for other readers. A NixOS test script: it calls only the test driver's API.
import json
import shlex
import uuid
from typing import Any

HANDBOOK = "/usr/share/casemate/handbook"
DEMO = "/usr/share/casemate/demo/demo.toml"
FAQ = "/usr/share/doc/debian/FAQ"
CURL = "curl --silent --show-error --max-time 60 --cacert /var/lib/casemate/certs/ca.pem"

# Most bytes, gzipped, that a page loads for the button, and that the conversation loads.
LOADER_BYTES = 2048
FRAME_BYTES = 12288

# Questions in a reader's own words, the chapter of the FAQ that answers each, and words that its answer must hold.
QUESTIONS = [
    ("How is the name Debian pronounced?", "basic-defs", "Deb'-ee-en"),
    ("Where can I get the installation images?", "getting-debian", "Debian website"),
    ("If I am unsure, which distribution should I install?", "choosing", "stable"),
    ("How can I convert an rpm package into a Debian package?", "compatibility", "Alien package"),
    ("Where do I get firmware for a device that needs non-free firmware?", "software", "non-free firmware"),
    ("Which characters are the codenames taken from?", "ftparchives", "Toy Story"),
    ("Where are the old releases archived?", "ftparchives", "snapshot"),
    ("What is a virtual package?", "pkg-basics", "generic name"),
    ("How do I update the package lists with apt-get?", "pkgtools", "apt update"),
    ("Must I go into single user mode to upgrade a package?", "uptodate", ""),
    ("How do I delete an old kernel image?", "kernel", "dpkg --purge linux-image"),
    ("Where is the system's default paper size set?", "customizing", "/etc/papersize"),
    ("Is there a web forum for Debian users?", "support", "Debian User Forums"),
    ("How can I become a Debian developer?", "contributing", "membership"),
]

Events = list[tuple[str, dict[str, Any]]]


def add_bot(name: str, file: str, documents: str) -> None:
    machine.succeed(f"casemate bot add {name} --file {file}")
    machine.succeed(f"casemate knowledge add {name} {documents}")
    machine.wait_until_succeeds(f"{CURL} --fail https://localhost/b/{name}/healthz", timeout=60)


def browse(*options: str) -> dict[str, Any]:
    """Asks in a real browser; returns what it saw."""
    command = " ".join(shlex.quote(option) for option in options)
    seen: dict[str, Any] = json.loads(machine.succeed(f"ask-in-browser --url https://localhost/b/demo/ {command}"))
    return seen


def post(path: str, body: dict[str, str], token: str = "") -> str:
    bearer = f"--header 'authorization: Bearer {token}'" if token else ""
    data = shlex.quote(json.dumps(body))
    url = f"https://localhost/b/{path}"
    return machine.succeed(
        f"{CURL} --fail-with-body --no-buffer {bearer} --header 'content-type: application/json' --data-binary {data} {url}"
    )


def events(stream: str) -> Events:
    """The events of a stream, in their order."""
    found: Events = []
    for block in stream.replace("\r\n", "\n").split("\n\n"):
        fields = [line.split(": ", 1) for line in block.split("\n") if line and not line.startswith(":")]
        if fields:
            values = dict(field for field in fields if len(field) == 2)
            found.append((values.get("event", "message"), json.loads(values["data"])))
    return found


def whole(answer: Events) -> str:
    return "".join(data["text"] for name, data in answer if name == "delta")


def sources(answer: Events) -> list[dict[str, str]]:
    return [source for name, data in answer if name == "sources" for source in data["sources"]]


def problem(status: int, options: str) -> dict[str, Any]:
    """Expects a refusal with this status; returns the problem that it tells (RFC 9457)."""
    out = machine.succeed(f"{CURL} --write-out '\\n%{{http_code}} %{{content_type}}' {options}")
    body, last = out.rstrip().rsplit("\n", 1)
    t.assertEqual(last, f"{status} application/problem+json", out)
    told: dict[str, Any] = json.loads(body)
    t.assertEqual(told["status"], status)
    t.assertTrue(told["detail"].strip(), out)
    return told


start_all()
machine.wait_for_unit("multi-user.target")
machine.wait_for_open_port(443)

with subtest("a demo bot answers from the handbook"):
    add_bot("demo", DEMO, f"{HANDBOOK}/*.md")

with subtest("the page is small and its policy strict"):
    base = "https://localhost/b/demo"
    sizes = {
        name: int(machine.succeed(f"{CURL} --fail {base}/{name} | gzip -9n | wc -c"))
        for name in ("widget.js", "frame", "frame.js", "strings.js", "forget.js", "frame.css")
    }
    t.assertLessEqual(sizes["widget.js"], LOADER_BYTES, str(sizes))
    t.assertLessEqual(sum(sizes.values()) - sizes["widget.js"], FRAME_BYTES, str(sizes))
    for page in ("", "frame"):
        head = machine.succeed(f"{CURL} --fail --output /dev/null --dump-header - {base}/{page}").lower()
        policy = next(line for line in head.split("\n") if line.startswith("content-security-policy:"))
        t.assertIn("default-src 'none'", policy)
        t.assertIn("require-trusted-types-for 'script'", policy)
        t.assertNotIn("unsafe", policy)
        t.assertIn("frame-ancestors", policy)

with subtest("a visitor asks in a browser, is answered with the source, and finds the conversation again"):
    seen = browse(
        "--question", "How do I embed the widget on my page?",
        "--expect", "script tag",
        "--source", "Embed the widget",
        "--checks",
        "--forget",
    )
    roles = [message["role"] for message in seen["after_reload"]]
    t.assertEqual(roles, ["assistant", "visitor", "assistant"], str(seen))
    t.assertGreater(seen["steps"], 1, str(seen))

with subtest("other questions find their chapter of the handbook"):
    for question, name in [
        ("Which file types can I add?", "Add documents"),
        ("How do I connect an AI provider?", "Connect a provider"),
        ("What do I have to back up?", "Back up and restore"),
        ("How do I erase everything that a bot holds?", "Privacy requests"),
        ("A provider's key has leaked, what shall I do?", "Incident response"),
    ]:
        answer = events(post("demo/v1/conversations", {"id": str(uuid.uuid4()), "text": question}))
        found = sources(answer)
        t.assertTrue(any(source["title"] == name for source in found), f"{question} {found} {whole(answer)}")
        t.assertTrue(all(source["quote"] in whole(answer) for source in found if source["quote"]), str(answer))

with subtest("a question that the documents do not answer is told honestly"):
    browse("--question", "What is the capital of Mongolia?", "--no-sources", "--no-reload")
    answer = events(post("demo/v1/conversations", {"id": str(uuid.uuid4()), "text": "Who won the chess world cup in 1987?"}))
    t.assertEqual(sources(answer), [], str(answer))
    t.assertTrue(whole(answer).strip(), str(answer))

with subtest("a question that is asked while the gate is away is answered when it is back"):
    gate = "casemate-gate.socket casemate-gate.service"
    seen = browse(
        "--question", "How do I block an address?",
        "--expect", "casemate ban",
        "--source", "Bans and limits",
        "--first", f"systemctl stop {gate}; (sleep 3; systemctl start {gate}) >/dev/null 2>&1 &",
    )
    t.assertTrue(any("reconnecting" in notice for notice in seen["notices"]), str(seen["notices"]))

with subtest("a bot that is killed while it answers costs the visitor nothing"):
    browse(
        "--question", "How can I remove a document?",
        "--expect", "casemate knowledge remove",
        "--midway", "systemctl kill --signal=KILL casemate-chat@demo.service",
    )
    machine.wait_for_unit("casemate-chat@demo.service")

with subtest("a message that is sent twice is stored once"):
    begun = json.loads(post("demo/v1/conversations", {}))
    path = f"demo/v1/conversations/{begun['conversation']}"
    message = {"id": str(uuid.uuid4()), "text": "How do I list the documents of a bot?"}
    first = events(post(f"{path}/messages", message, begun["token"]))
    t.assertEqual([name for name, _ in first if name != "delta"], ["accepted", "sources", "done"], str(first))
    again = events(post(f"{path}/messages", message, begun["token"]))
    t.assertEqual(whole(again), whole(first))
    t.assertEqual(again[-1], first[-1])
    bearer = f"--header 'authorization: Bearer {begun['token']}'"
    stored = json.loads(machine.succeed(f"{CURL} --fail {bearer} https://localhost/b/{path}"))
    t.assertEqual([one["role"] for one in stored["messages"]], ["visitor", "assistant"], str(stored))

with subtest("a conversation that its visitor deletes is gone, and its key with it"):
    data = "/var/lib/private/casemate-chat/demo/chat.redb"
    t.assertEqual(machine.succeed(f"stat --format=%a {data} {data}.keys").split(), ["600", "600"])
    deleted = json.loads(post("demo/v1/conversations", {}))
    events(post(f"demo/v1/conversations/{deleted['conversation']}/messages", message, deleted["token"]))
    own = f"https://localhost/b/demo/v1/conversations/{deleted['conversation']}"
    keys = machine.succeed(f"sha256sum {data}.keys")
    problem(404, f"--request DELETE {own}")
    problem(404, f"--request DELETE {bearer} {own}")
    t.assertEqual(machine.succeed(f"sha256sum {data}.keys"), keys)
    token = f"--header 'authorization: Bearer {deleted['token']}'"
    # The gate lets nothing else be deleted.
    for elsewhere in (f"{own}/messages", "https://localhost/b/demo/v1/conversations", "https://localhost/b/demo/v1/bot"):
        problem(405, f"--request DELETE {token} {elsewhere}")
    erase = f"{CURL} --output /dev/null --write-out '%{{http_code}}' --request DELETE"
    t.assertEqual(machine.succeed(f"{erase} {token} {own}"), "204")
    t.assertNotEqual(machine.succeed(f"sha256sum {data}.keys"), keys)
    for _ in range(2):
        problem(404, f"{token} {own}")
        problem(404, f"--request DELETE {token} {own}")
        machine.succeed("systemctl kill --signal=KILL casemate-chat@demo.service")
        machine.wait_until_succeeds(f"{CURL} --fail https://localhost/b/demo/healthz", timeout=60)
    machine.succeed(f"{CURL} --fail --output /dev/null {bearer} https://localhost/b/{path}")

with subtest("bad input is told clearly, and a stranger learns nothing"):
    ask = "--header 'content-type: application/json' https://localhost/b/demo/v1/conversations"
    # So long that curl first asks whether it may send it (RFC 9110, section 10.1.1).
    machine.succeed("head --bytes=2000000 /dev/zero | tr '\\0' a > /tmp/long")
    problem(413, f"--http1.1 --data-binary @/tmp/long {ask}")
    long = "{\"id\":\"a\",\"text\":\"" + "a" * 8193 + "\"}"
    problem(413, f"--data-binary {shlex.quote(long)} {ask}")
    machine.succeed("printf '{\"id\":\"a\",\"text\":\"\\377\\376\"}' > /tmp/broken")
    problem(400, f"--data-binary @/tmp/broken {ask}")
    problem(400, f"--data-binary '{{\"id\"' {ask}")
    problem(404, "https://localhost/b/nobody/v1/bot")
    wrong = problem(404, f"--header 'authorization: Bearer {uuid.uuid4().hex}' https://localhost/b/{path}")
    unknown = problem(404, f"--header 'authorization: Bearer {begun['token']}' https://localhost/b/demo/v1/conversations/{uuid.uuid4().hex}")
    t.assertEqual(wrong, unknown)

with subtest("a corpus that others wrote: Debian's FAQ"):
    machine.succeed("printf 'title = \"Debian FAQ\"\\n' > /tmp/faq.toml")
    add_bot("faq", "/tmp/faq.toml", f"$(ls {FAQ}/*.en.html | grep --invert-match /index)")
    missed = []
    for question, chapter, words in QUESTIONS:
        answer = events(post("faq/v1/conversations", {"id": str(uuid.uuid4()), "text": question}))
        named = [source["document"] for source in sources(answer)]
        machine.log(f"{question} {named} {whole(answer)}")
        if f"{chapter}.en.html" not in named or words not in whole(answer):
            missed.append((question, chapter, words, named))
    t.assertEqual(missed, [])

with subtest("the bots know nothing of one another"):
    answer = events(post("faq/v1/conversations", {"id": str(uuid.uuid4()), "text": "How do I seal the provider's API key?"}))
    t.assertTrue(all(source["document"].endswith(".en.html") for source in sources(answer)), str(answer))
