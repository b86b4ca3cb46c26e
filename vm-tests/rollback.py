# Whoever puts an older copy of a bot's store back finds that the bot refuses it and says what would be lost, and that it
# serves by itself once the newest file is back. A NixOS test script: it calls only the test driver's API.
import json

UNIT = "casemate-chat@shop.service"
STORE = "/var/lib/private/casemate-chat/shop/chat.redb"
ANCHOR = "/var/lib/private/casemate-anchor/chat-shop/chat.anchor"

# Seconds in which a bot must be back by itself.
SOON = 60


def documents() -> list[str]:
    listed = json.loads(machine.succeed("casemate knowledge list shop --json"))["documents"]
    return sorted(one["document"] for one in listed)


def know(name: str) -> None:
    machine.succeed(f"echo '# {name}\n\nA parcel costs four crowns.' > /root/{name}.md", f"casemate knowledge add shop /root/{name}.md")


def put_back(copy: str, file: str) -> None:
    """Stops the bot and puts a copy in a file's place. Owner and mode stay."""
    machine.succeed(f"systemctl stop {UNIT}", f"cat {copy} > {file}")


def refuses(*words: str) -> None:
    """Holds the bot to refusing what lies there, with words to that effect, and to leaving it as it is."""
    cursor = machine.succeed("journalctl --show-cursor --lines=0 --quiet | sed 's/-- cursor: //'").strip()
    before = machine.succeed(f"sha256sum {STORE} {ANCHOR} 2> /dev/null || true")
    machine.fail(f"systemctl start {UNIT}")
    said = machine.succeed(f"journalctl --sync; journalctl --unit={UNIT} --after-cursor='{cursor}' --output=cat --no-pager")
    for word in words:
        t.assertIn(word, said)
    status, shown = machine.execute("casemate status")
    t.assertEqual(status, 1, shown)
    t.assertIn("shop does not serve", shown)
    t.assertEqual(machine.succeed(f"sha256sum {STORE} {ANCHOR} 2> /dev/null || true"), before)


def serves_again(*expected: str) -> None:
    """The service manager goes on trying: nothing needs to be started."""
    machine.wait_until_succeeds("casemate knowledge list shop", timeout=SOON)
    t.assertEqual(documents(), sorted(expected))
    machine.succeed("casemate status")


start_all()
machine.wait_for_unit("multi-user.target")

with subtest("a bot that is made has an anchor, and nothing had to be done for it"):
    machine.succeed("casemate bot add shop --title Shop")
    know("prices")
    machine.wait_for_file(ANCHOR)
    machine.succeed(f"systemctl stop {UNIT}", f"cp {STORE} /root/older")
    know("hours")
    machine.succeed(f"systemctl stop {UNIT}", f"cp {STORE} /root/newest", f"cp {ANCHOR} /root/anchor")

with subtest("an older copy is refused, and the newest one taken back"):
    put_back("/root/older", STORE)
    refuses("commits older than the last one seen here", "what was stored since would be lost", "casemate store accept")
    machine.succeed(f"cat /root/newest > {STORE}")
    serves_again("hours.md", "prices.md")

with subtest("a store that is gone is not made anew"):
    machine.succeed(f"systemctl stop {UNIT}", f"cp {STORE} /root/newest", f"cp {ANCHOR} /root/anchor", f"mv {STORE} {STORE}.away")
    refuses("is gone, and a new one would be empty")
    machine.fail(f"test -e {STORE}")
    machine.succeed(f"mv {STORE}.away {STORE}")
    serves_again("hours.md", "prices.md")

with subtest("an anchor that is gone or damaged is missed"):
    machine.succeed(f"systemctl stop {UNIT}", f"mv {ANCHOR} {ANCHOR}.away")
    refuses("the anchor that says which copy of the store is the newest is gone")
    machine.succeed(f"mv {ANCHOR}.away {ANCHOR}")
    serves_again("hours.md", "prices.md")
    machine.succeed(f"systemctl stop {UNIT}", f"cp {ANCHOR} /root/anchor", f"head --bytes=4608 /dev/urandom > {ANCHOR}")
    refuses("the anchor that says which copy of the store is the newest is damaged")
    machine.succeed(f"cat /root/anchor > {ANCHOR}")
    serves_again("hours.md", "prices.md")

with subtest("after kill -9, and after a restart of the machine, the store is as new as its anchor"):
    for _round in range(3):
        machine.succeed(f"kill -KILL $(systemctl show --property=MainPID --value {UNIT})")
        serves_again("hours.md", "prices.md")
    machine.shutdown()
    machine.start()
    machine.wait_for_unit("multi-user.target")
    serves_again("hours.md", "prices.md")

with subtest("a snapshot is restored as the handbook says: refused for its age until it is accepted"):
    machine.succeed(f"systemctl stop {UNIT}", "casemate store snapshot --bot shop /root/shop.full")
    know("late")
    new = f"{STORE}.new"
    machine.succeed(f"systemctl stop {UNIT}", f"cp {STORE} /root/newest", f"casemate store restore {new} /root/shop.full --bot shop")
    machine.succeed(f"mv {new} {STORE}")
    refuses("commits older than the last one seen here", "casemate store accept")
    machine.succeed(f"systemctl stop {UNIT}", "casemate store accept --bot shop", f"systemctl start {UNIT}")
    serves_again("hours.md", "prices.md")
    put_back("/root/newest", STORE)
    refuses("casemate store accept")
    machine.succeed(f"systemctl stop {UNIT}", f"rm {STORE}", f"casemate store restore {STORE} /root/shop.full --bot shop")
    machine.succeed("casemate store accept --bot shop", f"systemctl start {UNIT}")
    serves_again("hours.md", "prices.md")

with subtest("a bot that is erased leaves no anchor, and one of the same name begins afresh"):
    machine.succeed("casemate bot remove shop --erase", timeout=SOON + 10)
    machine.fail(f"test -e {ANCHOR}")
    machine.succeed("casemate bot add shop --title Again", timeout=SOON + 10)
    t.assertEqual(documents(), [])
