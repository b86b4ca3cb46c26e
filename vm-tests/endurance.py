# The gate over time: replaced again and again under load, with clients that dawdle by the thousand, and with ten thousand
# idle connections, and with as many idle streams of events. A NixOS test script: it calls only the test driver's API, and the machine has the tools of vm-tests/outside.
# tools: outside
import json
import re
import shlex
from typing import Any

GATE = "casemate-gate.service"
PROGRAM = "/usr/libexec/casemate/casemate-gate"
KIT = "/usr/libexec/casemate-testkit"
PAGE = "/b/shop/frame"

# How often the gate is restarted and replaced by another file, and how often it reads its certificates anew.
RESTARTS, UPGRADES, RELOADS = 100, 20, 10

# Milliseconds within which each request is answered while the gate is replaced, and while others take its places.
REPLACED_MS, BESIDE_MS = 5000, 2000

# Slow clients, and for how many seconds; per second so many come.
SLOW, SLOW_SECONDS, SLOW_RATE = 1000, 12, 400

# What slowhttptest does: heads, bodies, and answers that take for ever.
DAWDLES = {
    "slow heads": f"-H -t GET -i 5 -u https://localhost{PAGE}",
    "slow bodies": "-B -t POST -i 5 -s 8192 -f application/json -u https://localhost/b/shop/v1/conversations",
    "slow reading": f"-X -t GET -n 2 -w 1 -y 2 -z 1 -k 3 -u https://localhost{PAGE}",
}

# Idle connections, those of them on which an answer waits for its first words, and the most memory that the gate may take for
# one of them, in KiB. All of its connections must fit into its unit's MemoryMax=, as many as may be configured.
IDLE, STREAMS, CONNECTION_KIB, CONFIGURABLE = 10_000, 200, 48, 15_000

# Silent streams of events at once, each with a connection of its own, and the most memory that the gate may take for one, in
# KiB. Those to one bot share connections to it, 128 to one on each of the gate's threads, so that descriptors are hardly more than the visitors'.
EVENTS, EVENTS_KIB, SHARED = 10_000, 36, 400

# What one client may open by default (crates/gate/src/limits/settings.rs), and descriptors that the gate has besides.
PER_CLIENT, OWN_DESCRIPTORS = 64, 80

LIMITS = "[limits]\nbot_per_minute = 1000000\nall_per_minute = 1000000\nexempt = ['127.0.0.0/8', '::1/128']\n"

# A provider that takes a question and says nothing.
PORT = 9100
REACH = f"[[reach]]\nunit = 'llm'\nhost = '127.0.0.1'\nports = [{PORT}]\nprivate = true\n"
PROVIDER = (
    f"[[provider]]\nname = 'hangs'\nmodel = 'hangs'\nbase_url = 'http://127.0.0.1:{PORT}/v1'\nprivate = true\n"
    "credential = 'provider.standin'\nfirst_token_ms = 60000\n"
)


def put(path: str, text: str) -> None:
    machine.succeed(f"mkdir --parents $(dirname {path}) && printf %s {shlex.quote(text)} > {path}")


def configure(text: str) -> None:
    put("/etc/casemate/gate.toml", text)
    machine.succeed(f"systemctl restart {GATE}")


def begin(name: str, command: str) -> None:
    """Starts a program whose output is kept, with descriptors enough."""
    machine.succeed(
        f"rm --force /run/{name}.out /run/{name}.err",
        f"systemd-run --quiet --collect --unit=test-{name} --property=LimitNOFILE=20000"
        f" --property=StandardOutput=file:/run/{name}.out --property=StandardError=file:/run/{name}.err {command}",
    )


def end(name: str) -> dict[str, Any]:
    """Ends it, and returns the JSON object that it printed last."""
    machine.succeed(f"systemctl stop test-{name}.service")
    said = machine.succeed(f"cat /run/{name}.out").strip()
    t.assertTrue(said, machine.succeed(f"cat /run/{name}.err"))
    last: dict[str, Any] = json.loads(said.split("\n")[-1])
    return last


def visitors(address: str, options: str) -> None:
    begin("visitors", f"{KIT}/casemate-steady --connect {address}:443 --host localhost --path {PAGE} {options}")


def served(what: str, most_ms: int, least: int) -> None:
    """Ends the visitors, none of whom may have failed or waited longer."""
    seen = end("visitors")
    print(f"{what}: {json.dumps(seen)}")
    t.assertEqual((seen["failed"], seen["first_failure"]), (0, None))
    t.assertLessEqual(seen["ms"]["max"], most_ms)
    t.assertGreaterEqual(seen["requests"], least)


def usage(unit: str) -> tuple[int, int]:
    """Memory (its share, in KiB) and descriptors of a unit's process."""
    process = machine.get_unit_property(unit, "MainPID")
    said = machine.succeed(f"awk '/^Pss:/{{print $2}}' /proc/{process}/smaps_rollup && ls /proc/{process}/fd | wc --lines")
    memory, descriptors = said.split()
    return int(memory), int(descriptors)


def hold(name: str, options: str) -> None:
    begin(name, f"{KIT}/casemate-hold --connect 127.0.0.1:443 --host localhost {options}")
    machine.wait_until_succeeds(f"test -s /run/{name}.out || ! systemctl is-active --quiet test-{name}.service", timeout=180)
    said = machine.succeed(f"cat /run/{name}.out /run/{name}.err")
    t.assertTrue(said.startswith("{"), said)
    print(f"{name}: {said.strip()}")


machine.wait_for_unit(GATE)
put("/etc/casemate/dialer.toml", REACH)
put("/etc/casemate/llm.toml", PROVIDER)
machine.succeed(
    "mkdir --parents /etc/credstore.encrypted",
    "printf standin-key-7f3a91 | systemd-creds encrypt --name=provider.standin - /etc/credstore.encrypted/provider.standin",
    f"systemd-run --quiet --unit=test-provider {KIT}/casemate-provider-standin --listen 127.0.0.1:{PORT}",
    "systemctl restart casemate-dialer.service casemate-llm.service",
    "casemate bot add shop --title Shop",
    "casemate bot add waits --title Waits --provider hangs",
)

with subtest(f"{RESTARTS} restarts and {RELOADS} reloads under load: no request fails"):
    configure(LIMITS)
    visitors("127.0.0.1", "")
    took = machine.succeed(
        f"begun=$(date +%s%N); for n in $(seq {RESTARTS}); do systemctl restart {GATE}; sleep 0.1; done;"
        f" echo $((($(date +%s%N) - begun) / 1000000)); for n in $(seq {RELOADS}); do systemctl reload {GATE}; done"
    )
    print(f"{RESTARTS} restarts took {int(took) / 1000} s")
    served("restarts", REPLACED_MS, 20 * RESTARTS)

with subtest(f"{UPGRADES} upgrades under load: the program's file is another each time"):
    visitors("127.0.0.1", "")
    machine.succeed(
        f"for n in $(seq {UPGRADES}); do cp {PROGRAM} {PROGRAM}.next && mv {PROGRAM}.next {PROGRAM}"
        f" && systemctl restart {GATE} && process=$(systemctl show --property=MainPID --value {GATE})"
        f" && test $(stat --dereference --format %i /proc/$process/exe) = $(stat --format %i {PROGRAM}) || exit 1; sleep 0.1; done"
    )
    served("upgrades", REPLACED_MS, 20 * UPGRADES)

for name, options in DAWDLES.items():
    with subtest(f"slowhttptest, {name}: visitors are served beside {SLOW} slow clients"):
        before = usage(GATE)
        visitors("127.0.0.1", "--kept 1 --fresh 1")
        begin("slow", f"slowhttptest -c {SLOW} -r {SLOW_RATE} -l {SLOW_SECONDS} -p 5 {options}")
        machine.succeed(f"sleep {SLOW_SECONDS - 3}")
        memory, descriptors = usage(GATE)
        machine.wait_until_succeeds("grep 'Exit status' /run/slow.out", timeout=60)
        said = re.sub(r"\x1b\[[0-9;]*[a-zA-Z]", "", machine.succeed("cat /run/slow.out"))
        available = re.findall(r"service available: +(\w+)", said)
        print(f"slowhttptest, {name}: available {available[-1:]}, gate {memory} KiB, {descriptors} descriptors")
        t.assertEqual(set(available), {"YES"}, said)
        t.assertGreaterEqual(descriptors, SLOW, "they were not there")
        t.assertLessEqual(descriptors, 2 * SLOW + OWN_DESCRIPTORS)
        t.assertLessEqual(memory - before[0], CONNECTION_KIB * SLOW)
        served(name, BESIDE_MS, 100)

with subtest("slowhttptest against the default limits: one client gets no more than its places"):
    configure("")
    visitors("[::1]", "--kept 1 --fresh 1 --pause 250")
    begin("slow", f"slowhttptest -c {SLOW} -r {SLOW_RATE} -l {SLOW_SECONDS} -p 5 {DAWDLES['slow heads'].replace('localhost', '127.0.0.1')}")
    machine.succeed(f"sleep {SLOW_SECONDS - 3}")
    memory, descriptors = usage(GATE)
    print(f"slowhttptest, default limits: gate {memory} KiB, {descriptors} descriptors")
    t.assertLessEqual(descriptors, PER_CLIENT + OWN_DESCRIPTORS)
    machine.wait_until_succeeds("grep 'Exit status' /run/slow.out", timeout=60)
    served("default limits", BESIDE_MS, 50)

with subtest(f"{IDLE} idle connections, {STREAMS} of them with an answer that waits for words, while visitors are served"):
    configure(f"connections = {IDLE + 500}\n{LIMITS}")
    hold("idle", f"--path {PAGE} --connections {IDLE - STREAMS}")
    question = json.dumps({"id": "m{n}", "text": "What is it?"})
    hold("streams", f"--path /b/waits/v1/conversations --protocol http1 --connections {STREAMS} --body {shlex.quote(question)}")
    visitors("127.0.0.1", "--kept 2 --fresh 1")
    machine.succeed("sleep 8")
    (memory, descriptors), chat = usage(GATE), usage("casemate-chat@waits.service")
    print(f"gate {memory} KiB ({memory / IDLE:.1f} each), {descriptors} descriptors; chat {chat[0]} KiB, {chat[1]} descriptors")
    t.assertGreaterEqual(descriptors, IDLE)
    t.assertLessEqual(memory, CONNECTION_KIB * IDLE)
    served("beside idle connections", BESIDE_MS, 200)

with subtest("a restart tells streams to come again, in order, and all of the gate's memory has room in its unit"):
    taken = machine.succeed(f"begun=$(date +%s%N); systemctl restart {GATE}; echo $((($(date +%s%N) - begun) / 1000000))")
    print(f"a restart with {STREAMS} streams took {int(taken) / 1000} s")
    streams, idle = end("streams"), end("idle")
    print(f"streams {json.dumps(streams)}, idle {json.dumps(idle)}")
    t.assertEqual(streams, {"held": 0, "ended": STREAMS, "cut": 0})
    t.assertEqual(idle["held"], 0)
    most = int(machine.get_unit_property(GATE, "MemoryMax"))
    t.assertGreaterEqual(most, CONNECTION_KIB * CONFIGURABLE * 1024)

with subtest(f"{EVENTS} silent streams of events, each over a connection of its own, while visitors are served"):
    begin("bot", f"{KIT}/casemate-backend-standin /run/casemate/chat/silent.sock")
    machine.wait_until_succeeds("test -S /run/casemate/chat/silent.sock")
    configure(f"connections = {EVENTS + 500}\n{LIMITS}")
    hold("streams", f"--path /b/silent/idle --protocol http1 --connections {EVENTS} --body {{}}")
    visitors("127.0.0.1", "--kept 2 --fresh 1")
    machine.succeed("sleep 8")
    memory, descriptors = usage(GATE)
    print(f"gate {memory} KiB ({memory / EVENTS:.1f} a stream), {descriptors} descriptors")
    t.assertGreaterEqual(descriptors, EVENTS)
    t.assertLessEqual(descriptors, EVENTS + SHARED)
    t.assertLessEqual(memory, EVENTS_KIB * EVENTS)
    served("beside silent streams", BESIDE_MS, 200)

with subtest("a restart tells those to come again too, in order"):
    taken = machine.succeed(f"begun=$(date +%s%N); systemctl restart {GATE}; echo $((($(date +%s%N) - begun) / 1000000))")
    print(f"a restart with {EVENTS} streams took {int(taken) / 1000} s")
    streams = end("streams")
    print(f"streams {json.dumps(streams)}")
    t.assertEqual(streams, {"held": 0, "ended": EVENTS, "cut": 0})
