# A bot comes and goes with its file: process 1 starts and stops its units, and no service has the power to. A NixOS test
# script: it calls only the test driver's API.
import json
import shlex
from typing import Any

DECLARED, MADE = "/etc/casemate/bots", "/var/lib/casemate/bots"

# Seconds in which a bot must be up, or down, once its file has changed.
SOON = 20


def put(folder: str, bot: str, text: str) -> None:
    machine.succeed(f"printf %s {shlex.quote(text)} > {folder}/{bot}.toml")


def bots() -> dict[str, dict[str, Any]]:
    listed = json.loads(machine.succeed("casemate bot list --json"))
    return {bot["bot"]: bot for bot in listed["bots"]}


def title(bot: str) -> str | None:
    """What the bot itself says its title is, if it serves."""
    status = bots().get(bot, {}).get("status")
    return status and str(status["title"])


def wait_for_sockets(*names: str) -> None:
    for name in names:
        machine.wait_until_succeeds(f"test -S /run/casemate/chat/{name}.sock -a -S /run/casemate/chat-operator/{name}.sock", timeout=SOON)


def wait_until_gone(name: str) -> None:
    machine.wait_until_succeeds(
        f"test ! -e /run/casemate/chat/{name}.sock -a ! -e /run/casemate/chat-operator/{name}.sock", timeout=SOON
    )
    for unit in (f"casemate-chat@{name}.service", f"casemate-chat@{name}.socket", f"casemate-chat-operator@{name}.socket"):
        machine.wait_until_succeeds(f"test \"$(systemctl is-active {unit})\" = inactive", timeout=SOON)


def serves(bot: str, words: str) -> None:
    machine.wait_until_succeeds(f"casemate bot list | grep {shlex.quote(f'^{bot} .*{words}')} > /dev/null", timeout=SOON)
    t.assertEqual(title(bot), words)


machine.start()
machine.wait_for_unit("multi-user.target")
machine.wait_for_unit("casemate-bots.path")

with subtest("a bot that is added is up when the command returns"):
    added = json.loads(machine.succeed("casemate bot add shop --title 'The Shop' --json", timeout=SOON + 10))
    t.assertEqual(added["bot"], "shop")
    machine.require_unit_state("casemate-chat@shop.service")
    t.assertEqual((title("shop"), bots()["shop"]["origin"]), ("The Shop", "made"))
    said = machine.fail("casemate bot add shop --title Other 2>&1")
    t.assertIn("there is a bot shop already", said)
    t.assertEqual(title("shop"), "The Shop")

with subtest("a bot that is declared comes by itself"):
    put(DECLARED, "desk", 'title = "The Desk"\n')
    wait_for_sockets("desk")
    serves("desk", "The Desk")
    t.assertEqual(bots()["desk"]["origin"], "declared")
    said = machine.fail("casemate bot remove desk 2>&1")
    t.assertIn(f"{DECLARED}/desk.toml", said)

with subtest("many that come at once, and while the service manager reloads, all come"):
    crowd = [f"crowd-{number}" for number in range(8)]
    machine.succeed(
        f"for bot in {' '.join(crowd)}; do echo 'title = \"One of many\"' > {MADE}/.new; mv {MADE}/.new {MADE}/$bot.toml; sleep 0.05; done"
    )
    wait_for_sockets(*crowd)
    # A change in the moment between the job's last look and its end is seen with the next change only.
    machine.wait_until_succeeds("systemctl show --property=ActiveState --value casemate-bots.service | grep inactive", timeout=SOON)
    machine.succeed(f"rm {MADE}/crowd-*.toml")
    for bot in crowd:
        wait_until_gone(bot)

with subtest("a declared file wins over one that was made"):
    machine.succeed("casemate bot add twin --title 'Made here'", timeout=SOON + 10)
    put(DECLARED, "twin", 'title = "Declared"\n')
    machine.succeed("systemctl restart casemate-chat@twin.service")
    serves("twin", "Declared")
    t.assertEqual(bots()["twin"]["origin"], "declared")
    machine.succeed(f"rm {DECLARED}/twin.toml", "systemctl restart casemate-chat@twin.service")
    serves("twin", "Made here")
    machine.require_unit_state("casemate-chat@shop.service")

with subtest("a bot that is removed is gone, and comes back with what it knew"):
    machine.succeed("echo '# Prices\n\nA parcel costs four crowns.' > /tmp/prices.md", "casemate knowledge add shop /tmp/prices.md")
    machine.succeed("casemate bot remove shop", timeout=SOON + 10)
    wait_until_gone("shop")
    t.assertNotIn("shop", bots())
    machine.succeed("casemate bot add shop --title 'The Shop'", timeout=SOON + 10)
    t.assertEqual(bots()["shop"]["status"]["documents"], 1)

with subtest("a file that is malformed is told with the key and the nearest valid one, and harms nobody"):
    machine.succeed("printf 'tilte = \"Wrong\"\\n' > /tmp/wrong.toml")
    said = machine.fail("casemate bot add wrong --file /tmp/wrong.toml 2>&1")
    t.assertTrue("`tilte`" in said and "did you mean `title`?" in said and "no bot was added" in said, said)
    machine.fail(f"test -e {MADE}/wrong.toml")
    put(DECLARED, "wrong", 'tilte = "Wrong"\n')
    wait_for_sockets("wrong")
    _status, said = machine.execute("casemate status")
    t.assertTrue("wrong does not serve" in said and "`tilte`" in said and "did you mean `title`?" in said, said)
    # Whoever calls it has its service try.
    machine.execute("curl --silent --max-time 2 --unix-socket /run/casemate/chat-operator/wrong.sock http://bot/v1/status")
    machine.wait_until_succeeds(
        "journalctl --boot --unit=casemate-chat@wrong.service --output=cat | grep 'did you mean `title`' > /dev/null", timeout=SOON
    )
    t.assertEqual((title("shop"), title("desk")), ("The Shop", "The Desk"))
    put(DECLARED, "wrong", 'title = "Righted"\n')
    machine.succeed("systemctl reset-failed 'casemate-chat*@wrong.*' || true")
    serves("wrong", "Righted")
    machine.succeed(f"rm {DECLARED}/wrong.toml")
    wait_until_gone("wrong")

with subtest("a name that is no bot's is refused everywhere"):
    for name in ("Shop", "-shop", "shop-", "a.b", "..", "a" * 33, "sh op", "bücher"):
        machine.fail(f"casemate bot add --title Wrong -- {shlex.quote(name)}")
    put(DECLARED, "Bad_Name", 'title = "Wrong"\n')
    machine.succeed(f"mkdir {MADE}/notes")
    put(DECLARED, "after", 'title = "After"\n')
    wait_for_sockets("after")
    for words in ("Bad_Name.toml", "notes"):
        machine.wait_until_succeeds(f"journalctl --boot --output=cat | grep '{words}.*is passed over' > /dev/null", timeout=SOON)
    machine.fail("systemctl list-units --all --plain --no-legend 'casemate-chat*' | grep Bad_Name")
    machine.succeed(f"rm -r {DECLARED}/Bad_Name.toml {DECLARED}/after.toml {MADE}/notes")
    wait_until_gone("after")

with subtest("no service may start units: the one that asks can only signal process 1"):
    t.assertEqual(machine.get_unit_property("casemate-bots.service", "CapabilityBoundingSet"), "")
    t.assertEqual(machine.get_unit_property("casemate-bots.service", "PrivateUsers"), "yes")
    t.assertEqual(machine.get_unit_property("casemate-bots.service", "PrivateNetwork"), "yes")
    t.assertLessEqual(set(machine.get_unit_property("casemate-bots.service", "RestrictAddressFamilies").split()), {"none"})

with subtest("all of them are back after a restart, each with what it knew"):
    before = {name: (bot["origin"], bot["error"]) for name, bot in bots().items()}
    t.assertLessEqual({"shop", "desk", "twin"}, set(before))
    machine.shutdown()
    machine.start()
    machine.wait_for_unit("multi-user.target")
    wait_for_sockets(*before)
    after = bots()
    t.assertEqual({name: (bot["origin"], bot["error"]) for name, bot in after.items()}, before)
    t.assertEqual(after["shop"]["status"]["documents"], 1)
