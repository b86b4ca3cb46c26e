# boots: qemu-tpm
#
# Whoever puts an older copy of a bot's store back, and an older anchor with it, finds that the bot refuses both, because the
# machine's TPM has counted on. A NixOS test script: it calls only the test driver's API.
UNIT = "casemate-chat@shop.service"
STORE = "/var/lib/private/casemate-chat/shop/chat.redb"
ANCHOR = "/var/lib/private/casemate-anchor/chat-shop/chat.anchor"
MOVE = "casemate-counter@move-chat-shop.service"

# The TPM's driver, and the device that it is bound to.
DRIVER = "/sys/bus/platform/drivers/tpm_tis"

# Seconds in which a bot must be back by itself, and in which a counter must have moved.
SOON = 120


def count(bot: str = "shop") -> tuple[str, int]:
    """Which counter a bot has, and what it says. Reading it changes nothing."""
    machine.succeed(f"systemctl start casemate-counter@read-chat-{bot}.service")
    text = machine.succeed(f"cat /run/casemate-counter/chat-{bot}").strip()
    form, index, first, value = text.split("-")
    t.assertEqual(form, "count1")
    return f"{index}-{first}", int(value)


def counts_on(before: int) -> int:
    """Waits until the counter has moved, which it does once the bot serves; gives what it says."""
    machine.wait_until_succeeds(
        f"systemctl start casemate-counter@read-chat-shop.service; ! grep -- '-{before}$' /run/casemate-counter/chat-shop", timeout=SOON
    )
    return count()[1]


def know(name: str) -> None:
    machine.succeed(f"echo '# {name}\n\nA parcel costs four crowns.' > /root/{name}.md", f"casemate knowledge add shop /root/{name}.md")


def keep(name: str) -> None:
    """Stops the bot and copies its store and the anchor."""
    machine.succeed(f"systemctl stop {UNIT}", f"mkdir -p /root/{name}", f"cp {STORE} {ANCHOR} /root/{name}/", "sync")


def put_back(name: str) -> None:
    """Stops the bot and puts copies of both in their places. Owners and modes stay."""
    machine.succeed(f"systemctl stop {UNIT}", f"cat /root/{name}/chat.redb > {STORE}", f"cat /root/{name}/chat.anchor > {ANCHOR}")


def refuses(*words: str) -> None:
    """Holds the bot to refusing what lies there, with words to that effect, and to leaving it and the counter as they are."""
    cursor = machine.succeed("journalctl --show-cursor --lines=0 --quiet | sed 's/-- cursor: //'").strip()
    before = machine.succeed(f"sha256sum {STORE} {ANCHOR}")
    machine.fail(f"systemctl start {UNIT}")
    said = machine.succeed(f"journalctl --sync; journalctl --unit={UNIT} --after-cursor='{cursor}' --output=cat --no-pager")
    for word in words:
        t.assertIn(word, said)
    t.assertEqual(machine.succeed(f"sha256sum {STORE} {ANCHOR}"), before)


def serves(*expected: str) -> None:
    """The service manager goes on trying: nothing needs to be started."""
    machine.wait_until_succeeds("casemate knowledge list shop", timeout=SOON)
    listed = machine.succeed("casemate knowledge list shop --json")
    for name in ("prices.md", "hours.md"):
        t.assertEqual(name in listed, name in expected, listed)


start_all()
machine.wait_for_unit("multi-user.target")

with subtest("a bot that is made has a counter in the TPM, which moves once the bot serves"):
    machine.succeed("test -c /dev/tpmrm0", "casemate bot add shop --title Shop", timeout=SOON)
    made, value = count()
    value = counts_on(int(made.split("-")[1]))
    t.assertEqual(value, int(made.split("-")[1]) + 1)
    know("prices")

with subtest("an older store and the anchor that belongs to it are refused together, and the newest ones taken back"):
    keep("older")
    know("hours")
    value = counts_on(value)
    keep("newest")
    put_back("older")
    refuses("the TPM counted 1 more times", "what was stored then would be lost", "casemate store accept")
    t.assertEqual(count(), (made, value))
    put_back("newest")
    serves("prices.md", "hours.md")
    value = counts_on(value)

with subtest("an anchor that is gone is not taken for one that never was, nor a store"):
    keep("newest")
    machine.succeed(f"mv {ANCHOR} {ANCHOR}.away", f"mv {STORE} {STORE}.away")
    machine.fail(f"systemctl start {UNIT}")
    machine.fail(f"test -e {STORE} || test -e {ANCHOR}")
    machine.succeed(f"systemctl stop {UNIT}", f"mv {ANCHOR}.away {ANCHOR}", f"mv {STORE}.away {STORE}")
    serves("prices.md", "hours.md")
    value = counts_on(value)

with subtest("no start that fails, no kill -9 and no counter that stands still looks like an older copy"):
    for _round in range(2):
        machine.succeed(f"kill -KILL $(systemctl show --property=MainPID --value {UNIT})")
        value = counts_on(value)
        serves("prices.md", "hours.md")
    machine.succeed(f"systemctl mask --runtime {MOVE}")
    for _round in range(3):
        machine.succeed(f"systemctl restart {UNIT}")
        serves("prices.md", "hours.md")
    t.assertEqual(count(), (made, value))
    machine.succeed(f"systemctl unmask --runtime {MOVE}", f"systemctl restart {UNIT}")
    value = counts_on(value)

with subtest("after a power cut the store is the newest, and the older ones are not"):
    machine.crash()
    machine.start()
    machine.wait_for_unit("multi-user.target")
    serves("prices.md", "hours.md")
    value = counts_on(value)
    put_back("older")
    refuses("more times that the store was opened")
    put_back("newest")
    refuses("more times that the store was opened")

with subtest("another bot has a counter of its own"):
    machine.succeed("casemate bot add help --title Help", timeout=SOON)
    other, _value = count("help")
    t.assertNotEqual(other, made)
    t.assertEqual(count(), (made, value))

with subtest("a TPM that is gone is missed, and the bot serves by itself once it is back"):
    # What this test read is handed over no more once the bot serves again.
    machine.succeed("systemctl restart casemate-chat@help.service")
    machine.wait_until_fails("test -e /run/casemate-counter/chat-help", timeout=SOON)
    machine.succeed("systemctl stop casemate-chat@help.service")
    device = machine.succeed(f"basename $(ls -d {DRIVER}/*:*)").strip()
    machine.succeed(f"echo {device} > {DRIVER}/unbind")
    machine.fail("test -e /dev/tpmrm0")
    cursor = machine.succeed("journalctl --show-cursor --lines=0 --quiet | sed 's/-- cursor: //'").strip()
    machine.fail("systemctl start casemate-chat@help.service")
    machine.succeed(f"journalctl --sync; journalctl --unit=casemate-chat@help.service --after-cursor='{cursor}' | grep 'which cannot be read'")
    # A driver that is bound anew may number its device otherwise, as a restart would not.
    machine.succeed(f"echo {device} > {DRIVER}/bind", "test -e /dev/tpmrm0 || ln -s /dev/tpmrm[0-9]* /dev/tpmrm0")
    machine.wait_until_succeeds("casemate knowledge list help", timeout=SOON)

with subtest("a counter that root removed is missed"):
    machine.succeed("systemctl stop casemate-chat@help.service", "systemctl start casemate-counter@forget-chat-help.service")
    cursor = machine.succeed("journalctl --show-cursor --lines=0 --quiet | sed 's/-- cursor: //'").strip()
    machine.fail("systemctl start casemate-chat@help.service")
    machine.succeed(f"journalctl --sync; journalctl --unit=casemate-chat@help.service --after-cursor='{cursor}' | grep 'bound to another counter'")

with subtest("a bot that is erased leaves no counter, and one of the same name begins afresh"):
    machine.succeed("casemate bot remove help --erase", timeout=SOON)
    machine.succeed("casemate bot remove shop --erase", timeout=SOON)
    machine.succeed("casemate bot add shop --title Again", timeout=SOON)
    again, _value = count()
    t.assertNotEqual(again, made)
    serves()
    machine.succeed("casemate status")
