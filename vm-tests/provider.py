# Bots that answer with a provider, good and bad: a stand-in for one runs in the machine. A NixOS test script: it calls
# only the test driver's API.
import json
import shlex
import time
import uuid
from typing import Any

CURL = "curl --silent --show-error --insecure --max-time 60"
URL = "https://localhost/b"
# What the stand-in accepts and answers (crates/testkit/src/provider).
KEY = "standin-key-7f3a91"
WRONG_KEY = "standin-key-of-another"
WORDS = "Our returns desk accepts any unused item within thirty days of delivery"
STANDIN = "/usr/libexec/casemate-testkit/casemate-provider-standin"

# Milliseconds that a provider is given for each of its three waits, and seconds in which a visitor must hear of a failure.
WAIT_MS = 1500
SOON = 10

# Providers by name: model, which is how the stand-in behaves, port and credential. Nothing may be reached at UNDECLARED.
PORT, UNDECLARED = 9100, 9101
PROVIDERS = {
    "good": ("answers", PORT, "provider.standin"),
    "slow": ("slow", PORT, "provider.standin"),
    "hangs": ("hangs", PORT, "provider.standin"),
    "dies": ("dies", PORT, "provider.standin"),
    "lies": ("lies", PORT, "provider.standin"),
    "floods": ("floods", PORT, "provider.standin"),
    "busy": ("busy", PORT, "provider.standin"),
    "refuses": ("answers", PORT, "provider.wrong"),
    "keyless": ("answers", PORT, "provider.absent"),
    "outside": ("answers", UNDECLARED, "provider.standin"),
}

REACH = f"""
[[reach]]
unit = "llm"
host = "127.0.0.1"
ports = [{PORT}]
private = true
"""

RETURNS = """# Returns

## Refunds

Unused items can come back within thirty days. Refunds reach your card in five working days.
"""

Events = list[tuple[str, dict[str, Any]]]


def entry(name: str) -> str:
    model, port, credential = PROVIDERS[name]
    return (
        f'[[provider]]\nname = "{name}"\nmodel = "{model}"\nbase_url = "http://127.0.0.1:{port}/v1"\nprivate = true\n'
        f'credential = "{credential}"\nconnect_ms = {WAIT_MS}\nfirst_token_ms = {WAIT_MS}\nidle_ms = {WAIT_MS}\n'
    )


def put(path: str, text: str) -> None:
    machine.succeed(f"mkdir --parents $(dirname {path}) && rm --force {path} && printf %s {shlex.quote(text)} > {path}")


def seal(name: str, key: str) -> None:
    place = f"/etc/credstore.encrypted/{name}"
    machine.succeed(f"mkdir --parents /etc/credstore.encrypted && printf %s {key} | systemd-creds encrypt --name={name} - {place}")


def start_provider(*options: str) -> None:
    machine.succeed(
        "systemctl stop test-provider.service 2>/dev/null || true",
        f"systemd-run --unit=test-provider --collect $(command -v casemate-provider-standin || echo {STANDIN})"
        f" --listen 127.0.0.1:{PORT} {' '.join(options)}",
    )
    machine.wait_for_open_port(PORT)


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


def post(path: str, body: dict[str, str], token: str = "") -> str:
    bearer = f"--header 'authorization: Bearer {token}'" if token else ""
    data = shlex.quote(json.dumps(body))
    return machine.succeed(
        f"{CURL} --fail-with-body --no-buffer {bearer} --header 'content-type: application/json' --data-binary {data} {URL}/{path}"
    )


def ask(bot: str, question: dict[str, str]) -> Events:
    return events(post(f"{bot}/v1/conversations", question))


def question() -> dict[str, str]:
    return {"id": str(uuid.uuid4()), "text": "When do I get my refund?"}


def stored(bot: str, begun: dict[str, Any]) -> list[tuple[str, str]]:
    bearer = f"--header 'authorization: Bearer {begun['token']}'"
    answer = json.loads(machine.succeed(f"{CURL} --fail {bearer} {URL}/{bot}/v1/conversations/{begun['conversation']}"))
    return [(message["role"], message["text"]) for message in answer["messages"]]


def journal(*units: str) -> str:
    chosen = " ".join(f"--unit={unit}" for unit in units)
    return machine.succeed(f"journalctl --boot {chosen} --output=cat --no-pager")


machine.start()
machine.wait_for_unit("multi-user.target")
machine.wait_for_open_port(443)

with subtest("providers are set up: addresses, what the dialer may reach, sealed keys, bots"):
    put("/etc/casemate/llm.toml", "\n".join(entry(name) for name in PROVIDERS))
    put("/etc/casemate/dialer.toml", REACH)
    seal("provider.standin", KEY)
    seal("provider.wrong", WRONG_KEY)
    start_provider()
    machine.succeed("systemctl restart casemate-dialer.service casemate-llm.service")
    machine.wait_for_unit("casemate-llm.service")
    put("/tmp/returns.md", RETURNS)
    for name in PROVIDERS:
        machine.succeed(f"casemate bot add {name} --title {name} --provider {name}", timeout=60)
        machine.wait_until_succeeds(f"{CURL} --fail {URL}/{name}/healthz", timeout=60)
    machine.succeed("casemate knowledge add good /tmp/returns.md")

with subtest("a good answer is streamed, names its source, and is stored"):
    asked = question()
    answer = ask("good", asked)
    names = [name for name, _ in answer]
    t.assertEqual([name for name in names if name != "delta"], ["conversation", "accepted", "sources", "done"], str(answer))
    t.assertTrue(whole(answer).startswith(WORDS), whole(answer))
    found = [source["document"] for name, data in answer if name == "sources" for source in data["sources"]]
    t.assertEqual(found, ["returns.md"], str(answer))
    messages = stored("good", answer[0][1])
    t.assertEqual([role for role, _ in messages], ["visitor", "assistant"])
    t.assertEqual((messages[0][1], messages[1][1]), (asked["text"], whole(answer)))

with subtest("words reach the visitor as the provider says them"):
    data = shlex.quote(json.dumps(question()))
    times = machine.succeed(
        f"{CURL} --no-buffer --header 'content-type: application/json' --data-binary {data} {URL}/slow/v1/conversations"
        " | while read -r line; do case $line in *'\"text\"'*) date +%s%N; esac; done"
    ).split()
    t.assertGreater(len(times), 20)
    t.assertGreater((int(times[-1]) - int(times[0])) / 1e9, 0.8, "the provider takes over a second for its words")

with subtest("each bad provider is a clear error in bounded time, and the visitor's message is kept"):
    # Whether waiting helps, and words of the cause that the operator finds.
    failures = {
        "hangs": (True, "no words within"),
        "dies": (True, "broke off"),
        "lies": (False, "no chunk of an answer"),
        "floods": (False, "an event of more than"),
        "busy": (True, "429"),
        "refuses": (False, "invalid_api_key"),
        "keyless": (False, "was not given"),
        "outside": (False, "not declared"),
    }
    kept: dict[str, tuple[dict[str, str], dict[str, Any]]] = {}
    for bot, (retry, cause) in failures.items():
        asked = question()
        begun = time.monotonic()
        answer = ask(bot, asked)
        took = time.monotonic() - begun
        t.assertLess(took, SOON, f"{bot} took {took} s")
        name, trouble = answer[-1]
        t.assertEqual(name, "error", f"{bot}: {answer}")
        t.assertEqual(trouble["retry"], retry, f"{bot}: {answer}")
        t.assertTrue(trouble["title"].strip() and trouble["detail"].strip(), f"{bot}: {answer}")
        for word in (KEY, WRONG_KEY, "127.0.0.1", "api_key"):
            t.assertNotIn(word, trouble["title"] + trouble["detail"], bot)
        t.assertEqual(stored(bot, answer[0][1]), [("visitor", asked["text"])], bot)
        said = [line for line in journal("casemate-llm.service").split("\n") if f'bot "{bot}"' in line]
        t.assertTrue(any(cause in line for line in said), f"{bot}: {said}")
        kept[bot] = (asked, answer[0][1])

with subtest("an address that is not declared is refused by the dialer, which says so"):
    said = machine.succeed("journalctl --boot --unit=casemate-dialer.service --output=json --no-pager")
    t.assertTrue(any(str(UNDECLARED) in line for line in said.split("\n")), said)

with subtest("when the provider has recovered, the same message is answered and is there once"):
    start_provider("--mode", "answers")
    for bot in ("hangs", "dies", "lies", "floods", "busy"):
        asked, conversation = kept[bot]
        answer = events(post(f"{bot}/v1/conversations/{conversation['conversation']}/messages", asked, conversation["token"]))
        t.assertEqual(answer[-1][0], "done", f"{bot}: {answer}")
        t.assertTrue(whole(answer).startswith(WORDS), whole(answer))
        t.assertEqual(stored(bot, conversation), [("visitor", asked["text"]), ("assistant", whole(answer))], bot)

with subtest("a provider that is not there at all is told too, and the built-in answerer does not need one"):
    machine.succeed("systemctl stop test-provider.service")
    machine.wait_for_closed_port(PORT)
    answer = ask("good", question())
    t.assertEqual((answer[-1][0], answer[-1][1].get("retry")), ("error", True), str(answer))
    machine.succeed("casemate bot add plain --title plain", "casemate knowledge add plain /tmp/returns.md", timeout=60)
    machine.wait_until_succeeds(f"{CURL} --fail {URL}/plain/healthz", timeout=60)
    t.assertIn("five working days", whole(ask("plain", question())))

with subtest("every call is recorded, without what was said"):
    lines = machine.succeed("journalctl --boot --unit=casemate-llm.service --output=json --no-pager").splitlines()
    records = [one for one in map(json.loads, lines) if one.get("TARGET") == "audit" or "CASEMATE_OUTCOME" in one]
    outcomes = {(one["CASEMATE_BOT"], one["CASEMATE_OUTCOME"]) for one in records}
    for expected in [("good", "answered"), ("hangs", "timeout"), ("lies", "malformed"), ("outside", "refused"), ("plain", "answered")]:
        t.assertIn(expected, outcomes)
    status = json.loads(machine.succeed("curl --silent --unix-socket /run/casemate/llm/llm.sock http://llm/v1/status"))
    fares = {one["name"]: (one["calls"], one["failures"]) for one in status["providers"]}
    t.assertEqual(fares["hangs"], (2, 1), str(fares))
    t.assertEqual(fares["good"], (2, 1), str(fares))

with subtest("neither keys nor what was said are in the journal"):
    machine.succeed("journalctl --sync")
    for secret in (KEY, WRONG_KEY, "When do I get my refund", "returns desk"):
        machine.fail(f"journalctl --boot --output=export --no-pager | grep --text --fixed-strings --quiet {shlex.quote(secret)}")

with subtest("a configuration that would send the key in the clear is refused"):
    program = machine.get_unit_property("casemate-llm.service", "ExecStart").split("path=")[1].split()[0]
    for text, words in [
        (entry("good").replace("private = true\n", ""), "in the clear"),
        (entry("good").replace("model", "modle"), "did you mean `model`?"),
        (entry("good") + entry("good"), "two of this name"),
    ]:
        put("/tmp/wrong.toml", text)
        t.assertIn(words, machine.fail(f"{program} --check-config --config /tmp/wrong.toml 2>&1"))
    machine.succeed(f"{program} --check-config --config /etc/casemate/llm.toml")
