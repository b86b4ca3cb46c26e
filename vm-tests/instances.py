# Several instances of one bot on one machine: each a process with a store of its own, all with the same documents. A NixOS
# test script: it calls only the test driver's API.
import json
import shlex
from typing import Any

MADE = "/var/lib/casemate/bots"
SOCKETS, OPERATORS = "/run/casemate/chat", "/run/casemate/chat-operator"
STORES, KEYS = "/var/lib/private/casemate-chat", "/var/lib/casemate/keys"

# Seconds in which an instance must be up, or down, once the bot's file has changed.
SOON = 30

PRICES = "# Prices\n\nA parcel costs four crowns.\n"
RETURNS = "# Returns\n\nA parcel comes back within thirty days.\n"


def curl(socket: str, path: str, *options: str) -> tuple[int, str]:
    """The status and the body of an instance's answer."""
    words = " ".join(shlex.quote(option) for option in options)
    said = machine.succeed(
        f"curl --silent --show-error --max-time 60 --unix-socket {socket} --write-out '\n%{{http_code}}' {words} http://bot{path}"
    )
    body, status = said.rsplit("\n", 1)
    return int(status), body


def post(instance: str, path: str, body: dict[str, str], *options: str) -> tuple[int, str]:
    kind = ("--header", "content-type: application/json", "--data-binary", json.dumps(body))
    return curl(f"{SOCKETS}/{instance}.sock", path, *kind, *options)


def begun(stream: str) -> dict[str, str]:
    """The conversation that a stream begins."""
    for line in stream.splitlines():
        if line.startswith("data: ") and "token" in line:
            conversation: dict[str, str] = json.loads(line.removeprefix("data: "))
            return conversation
    raise AssertionError(f"no conversation begins in {stream}")


def ask(instance: str, text: str, *options: str) -> tuple[dict[str, str], str]:
    """Begins a conversation at an instance; returns it and the stream."""
    status, stream = post(instance, "/v1/conversations", {"id": "m1", "text": text}, *options)
    t.assertEqual(status, 200, stream)
    return begun(stream), stream


def reads(instance: str, conversation: dict[str, str]) -> int:
    """With which status an instance answers whoever reads a conversation."""
    bearer = ("--header", f"authorization: Bearer {conversation['token']}")
    return curl(f"{SOCKETS}/{instance}.sock", f"/v1/conversations/{conversation['conversation']}", *bearer)[0]


def bot(name: str = "shop") -> dict[str, Any]:
    listed = json.loads(machine.succeed("casemate bot list --json"))
    found: dict[str, Any] = next(bot for bot in listed["bots"] if bot["bot"] == name)
    return found


def wait_until_well(*instances: str) -> None:
    """Waits until the bot has these instances, they let visitors in, and have the same documents."""
    name = instances[0]
    wanted = json.dumps(list(instances))
    for instance in instances:
        machine.wait_until_succeeds(
            f"curl --silent --fail --max-time 5 --unix-socket {OPERATORS}/{instance}.sock http://bot/v1/status"
            " | grep '\"open\":true' > /dev/null",
            timeout=SOON,
        )
    found = bot(name)
    t.assertEqual(json.dumps([one["instance"] for one in found["instances"]]), wanted)
    t.assertIsNone(found["error"])
    knows = {one["status"]["knowledge"] for one in found["instances"]}
    t.assertEqual(len(knows), 1)


def wait_until_gone(instance: str) -> None:
    machine.wait_until_succeeds(f"test ! -e {SOCKETS}/{instance}.sock -a ! -e {OPERATORS}/{instance}.sock", timeout=SOON)
    machine.wait_until_succeeds(f"test \"$(systemctl is-active casemate-chat@{instance}.service)\" = inactive", timeout=SOON)


def process(instance: str) -> str:
    return machine.get_unit_property(f"casemate-chat@{instance}.service", "MainPID")


def set_instances(number: int) -> None:
    machine.succeed(f"sed -i 's/^instances = .*/instances = {number}/' {MADE}/shop.toml", f"grep '^instances = {number}$' {MADE}/shop.toml")


def id_of(number: int) -> str:
    return f"0196d3a0b1c2{number:020x}"


machine.start()
machine.wait_for_unit("multi-user.target")
machine.wait_for_unit("casemate-bots.path")
machine.succeed(f"printf %s {shlex.quote(PRICES)} > /tmp/prices.md", f"printf %s {shlex.quote(RETURNS)} > /tmp/returns.md")

with subtest("a bot with two instances is up when the command returns"):
    machine.fail("casemate bot add many --title Many --instances 9")
    machine.succeed("casemate bot add shop --title 'The Shop' --instances 2", timeout=SOON * 2)
    wait_until_well("shop", "shop.2")
    for instance in ("shop", "shop.2"):
        machine.require_unit_state(f"casemate-chat@{instance}.service")
        machine.succeed(f"test -e {KEYS}/chat-{instance}.cred -a -e {STORES}/{instance}/chat.redb")
    machine.succeed(f"! cmp {KEYS}/chat-shop.cred {KEYS}/chat-shop.2.cred")
    status = json.loads(machine.succeed("casemate status --json"))
    t.assertLessEqual({"chat@shop", "chat@shop.2"}, {unit["service"] for unit in status["services"]})

with subtest("what is added is in all of them, and each answers from it"):
    machine.succeed("casemate knowledge add shop /tmp/prices.md")
    wait_until_well("shop", "shop.2")
    for instance in ("shop", "shop.2"):
        t.assertIn("four crowns", ask(instance, "What does a parcel cost?")[1])

with subtest("a conversation has the id that the gate gives it, and nobody takes it away"):
    ids = {instance: id_of(number) for number, instance in enumerate(("shop", "shop.2"))}
    conversations = {}
    for instance, conversation in ids.items():
        conversations[instance], _ = ask(instance, "What does a parcel cost?", "--header", f"casemate-conversation: {conversation}")
        t.assertEqual(conversations[instance]["conversation"], conversation)
    taken = ("--header", f"casemate-conversation: {ids['shop.2']}")
    t.assertEqual(post("shop.2", "/v1/conversations", {"id": "m1", "text": "Mine?"}, *taken)[0], 409)
    t.assertEqual(post("shop.2", "/v1/conversations", {}, "--header", "casemate-conversation: mine")[0], 400)
    # Each is in one instance alone; the gate asks the next where one says 404.
    t.assertEqual([reads(at, conversations[of]) for of in ids for at in ids], [200, 404, 404, 200])

with subtest("visitors reach an instance that comes only once it has the documents"):
    # Whoever is first at its socket waits for them.
    set_instances(3)
    question = shlex.quote(json.dumps({"id": "m1", "text": "What does a parcel cost?"}))
    stream = machine.succeed(
        f"timeout {SOON} sh -c 'until test -S {SOCKETS}/shop.3.sock; do :; done'; "
        f"curl --silent --show-error --max-time {SOON} --unix-socket {SOCKETS}/shop.3.sock"
        f" --header 'content-type: application/json' --data-binary {question} http://bot/v1/conversations"
    )
    t.assertIn("four crowns", stream)
    third = begun(stream)
    wait_until_well("shop", "shop.2", "shop.3")
    t.assertEqual(bot()["status"]["conversations"], 5)

with subtest("an instance that is killed comes back, and the others do not notice"):
    before = {instance: process(instance) for instance in ("shop", "shop.2", "shop.3")}
    machine.succeed("systemctl kill --signal=KILL casemate-chat@shop.2.service")
    machine.wait_until_succeeds(
        f"pid=$(systemctl show --property=MainPID --value casemate-chat@shop.2.service); test $pid != 0 -a $pid != {before['shop.2']}",
        timeout=SOON,
    )
    t.assertEqual(reads("shop.2", conversations["shop.2"]), 200)
    t.assertIn("four crowns", ask("shop.2", "What does a parcel cost?")[1])
    t.assertEqual((process("shop"), process("shop.3")), (before["shop"], before["shop.3"]))
    wait_until_well("shop", "shop.2", "shop.3")

with subtest("without the first instance the others serve on from what they know, after a while"):
    machine.succeed(
        f"mv {OPERATORS}/shop.sock {OPERATORS}/shop.away",
        "systemctl kill --signal=KILL casemate-chat@shop.2.service",
    )
    t.assertIn("four crowns", ask("shop.2", "What does a parcel cost?")[1])
    machine.succeed(f"mv {OPERATORS}/shop.away {OPERATORS}/shop.sock")
    machine.wait_until_succeeds("journalctl --boot --unit=casemate-chat@shop.2.service --output=cat | grep \"documents did not come\"", timeout=SOON)

with subtest("a change that one instance does not take is told with who has it, and mended by repeating it"):
    machine.succeed(f"mv {OPERATORS}/shop.2.sock {OPERATORS}/shop.2.away")
    said = machine.fail("casemate knowledge add shop /tmp/returns.md 2>&1")
    t.assertTrue("added to shop, shop.3" in said and "shop.2 has not" in said and "repeat the command" in said, said)
    machine.succeed(f"mv {OPERATORS}/shop.2.away {OPERATORS}/shop.2.sock")
    found = bot()
    t.assertIn("its documents are not those of the first instance", found["error"])
    _status, said = machine.execute("casemate status")
    t.assertIn("shop.2 is not well", said)
    apart = json.loads(machine.succeed("casemate knowledge list shop --json"))["apart"]
    t.assertEqual([(one["instance"], one["lacks"]) for one in apart], [("shop.2", ["returns.md"])])
    machine.succeed("casemate knowledge add shop /tmp/returns.md")
    wait_until_well("shop", "shop.2", "shop.3")

with subtest("the instance that has a conversation erases it, whichever it is"):
    doomed, _ = ask("shop.2", "What does a parcel cost?")
    erased = json.loads(machine.succeed(f"casemate erase shop {doomed['conversation']} --json"))
    t.assertEqual(erased["instance"], "shop.2")
    t.assertEqual(reads("shop.2", doomed), 404)
    t.assertEqual((reads("shop", conversations["shop"]), reads("shop.2", conversations["shop.2"])), (200, 200))
    t.assertIn("no conversation of that id", machine.fail(f"casemate erase shop {doomed['conversation']} 2>&1"))

with subtest("a file that is broken stops nothing that runs"):
    machine.succeed(f"cp {MADE}/shop.toml /tmp/shop.toml", f"echo 'instances = ' > {MADE}/shop.toml")
    machine.wait_until_succeeds("journalctl --boot --output=cat | grep 'so it stays at 3'", timeout=SOON)
    t.assertIn("four crowns", ask("shop.3", "What does a parcel cost?")[1])
    machine.succeed(f"cp /tmp/shop.toml {MADE}/shop.toml")
    wait_until_well("shop", "shop.2", "shop.3")

with subtest("an instance that is left out is gone for new visitors at once, and ends what it has begun"):
    # A question that takes its time to arrive.
    slow = '{ printf \'{"id":"m9","text":"What does\'; sleep 6; printf \' a parcel cost?"}\'; }'
    machine.succeed(
        f"({slow} | curl --silent --max-time 60 --unix-socket {SOCKETS}/shop.3.sock --header 'content-type: application/json'"
        " --header 'expect:' --request POST --upload-file - --write-out '%{http_code}' http://bot/v1/conversations > /tmp/slow 2>&1) > /dev/null 2>&1 &"
        " sleep 1"
    )
    set_instances(2)
    machine.wait_until_succeeds(f"test ! -e {SOCKETS}/shop.3.sock", timeout=SOON)
    t.assertEqual(machine.succeed("cat /tmp/slow"), "", "it was over before the socket went")
    machine.wait_until_succeeds("test -s /tmp/slow", timeout=SOON)
    answer = machine.succeed("cat /tmp/slow")
    t.assertTrue("four crowns" in answer and "event: done" in answer and answer.endswith("200"), answer)
    wait_until_gone("shop.3")
    wait_until_well("shop", "shop.2")

with subtest("what it holds is told, stays, and is not reached by accident"):
    left = bot()["left_out"]
    t.assertEqual([(one["instance"], one["conversations"]) for one in left], [("shop.3", 3)])
    said = machine.succeed("casemate bot list")
    t.assertTrue("3 conversations stay" in said and "`instances = 3`" in said, said)
    machine.wait_until_succeeds("journalctl --boot --unit=casemate-bots.service --output=cat | grep 'shop.3 is none of them'", timeout=SOON)
    machine.succeed("journalctl --boot --unit=casemate-chat@shop.3.service --output=cat | grep 'stay in its store: 3'")
    said = machine.fail(f"casemate erase shop {third['conversation']} 2>&1")
    t.assertIn("set `instances = 3`", said)

with subtest("an instance that comes back has its conversations, and the documents of today"):
    machine.succeed("casemate knowledge remove shop prices.md")
    set_instances(3)
    machine.wait_for_file(f"{SOCKETS}/shop.3.sock")
    t.assertEqual(reads("shop.3", third), 200)
    wait_until_well("shop", "shop.2", "shop.3")
    t.assertEqual(bot()["left_out"], [])
    t.assertNotIn("four crowns", ask("shop.3", "What does a parcel cost?")[1])
    t.assertEqual(json.loads(machine.succeed(f"casemate erase shop {third['conversation']} --json"))["instance"], "shop.3")

with subtest("each store is worked on by itself"):
    machine.succeed("systemctl stop casemate-chat@shop.2.service")
    verified = json.loads(machine.succeed("casemate store verify --bot shop.2 --json"))
    t.assertEqual(verified["checked"], "all")
    machine.fail("casemate store verify --bot shop.9")
    machine.succeed("casemate store rekey --bot shop.2", "systemctl start casemate-chat@shop.2.service")
    t.assertEqual(reads("shop.2", conversations["shop.2"]), 200)

with subtest("all are back after a restart of the machine"):
    machine.shutdown()
    machine.start()
    machine.wait_for_unit("multi-user.target")
    for instance in ("shop", "shop.2", "shop.3"):
        machine.wait_until_succeeds(f"test -S {SOCKETS}/{instance}.sock", timeout=SOON)
    wait_until_well("shop", "shop.2", "shop.3")
    t.assertEqual([reads(instance, conversations[instance]) for instance in ("shop", "shop.2")], [200, 200])

with subtest("a bot that is erased is gone with all its instances, those too that it had"):
    set_instances(2)
    wait_until_gone("shop.3")
    machine.succeed("casemate bot remove shop --erase", timeout=SOON * 2)
    for instance in ("shop", "shop.2", "shop.3"):
        wait_until_gone(instance)
        machine.succeed(f"test ! -e {STORES}/{instance} -a ! -e {KEYS}/chat-{instance}.cred")
    machine.succeed("! ls -d /var/lib/casemate-chat/shop* /var/lib/private/casemate-anchor/chat-shop*")
