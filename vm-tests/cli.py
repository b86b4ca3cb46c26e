# The operator's command: what it shows, what it changes, and what it says when it cannot. A NixOS test script: it calls
# only the test driver's API.
import json
import shlex
import time
from typing import Any

DECLARED, MADE = "/etc/casemate/bots", "/var/lib/casemate/bots"
PROGRAMS = "/usr/libexec/casemate"
CURL = "curl --silent --show-error --insecure --max-time 30"

# Seconds in which a bot must be up, or down, once the command has returned.
SOON = 20

# What each command's help must speak of.
HELP = {
    "": ("status", "bot", "knowledge", "erase", "store", "completions", "--json"),
    "status": ("service", "bot", "--json"),
    "bot": ("add", "list", "remove"),
    "bot add": ("wait until it serves", "--title", "--file", "--provider", "--origin", "--language", "--greeting", "--preview", "--instances"),
    "bot list": ("List the bots",),
    "bot remove": ("stay on disk", "--erase", "for good"),
    "knowledge": ("documents", "add", "list", "remove"),
    "knowledge add": ("replace", "Markdown", "text", "HTML"),
    "knowledge list": ("List a bot's documents",),
    "knowledge remove": ("Remove a document",),
    "erase": ("one conversation", "for good"),
    "store": ("verify", "info", "snapshot", "restore", "rekey", "compact", "accept"),
    "store verify": ("every block", "--bot", "--key"),
    "store info": ("what it holds", "--bot", "--key"),
    "store snapshot": ("still sealed", "receipt", "--since"),
    "store restore": ("snapshots of changes", "--onto"),
    "store rekey": ("--new-key", "--data", "Ctrl-C"),
    "store compact": ("back to the disk",),
    "store accept": ("older copy",),
    "completions": ("bash", "zsh", "fish"),
}

# For each program a configuration with a misspelt key, that key, and the one that was meant. A program without a
# configuration of its own takes no key at all.
MISSPELT = {
    "gate": ("conections = 3\n", "conections", "connections"),
    "chat": ('title = "Shop"\ngreting = "Hello"\n', "greting", "greeting"),
    "llm": ('[[provider]]\nname = "x"\nmodle = "y"\nbase_url = "https://api.example/v1"\n', "modle", "model"),
    "dialer": ('[[reach]]\nunit = "llm"\nhots = "api.example"\nports = [443]\n', "hots", "host"),
    "certs": ('nmaes = ["shop.example"]\n', "nmaes", "names"),
    "keys": ("size = 3\n", "size", None),
    "bots": ("folder = 3\n", "folder", None),
    "counter": ("index = 3\n", "index", None),
    "fill": ("first = 3\n", "first", None),
}

# Documents by name, as bash's printf writes them, and words of the refusal where it is one.
DOCUMENTS = {
    "prices.md": ("# Prices\\n\\nA parcel costs four crowns.\\n", None),
    "binary.md": ("# Binary\\n\\0\\1\\2\\n", "binary"),
    "latin.txt": ("caf\\351 au lait", "not UTF-8"),
    "empty.md": ("", "no text"),
    "blank.html": ("<p> </p>\\n", "no text"),
    "guide.pdf": ("%%PDF-1.7", ".pdf cannot be read"),
    "notes": ("notes", "without an ending"),
    "hours.txt": ("We are open from nine to five.", None),
}


def run(command: str) -> tuple[int, str]:
    """The status of a command, and all that it says on both of its outputs."""
    status, said = machine.execute(f"{command} 2>&1")
    return status, said


def refused(command: str, *words: str) -> str:
    """Expects that the command fails as one that has understood its task, with these words."""
    status, said = run(command)
    t.assertEqual(status, 1, f"{command}: {said}")
    for word in words:
        t.assertIn(word, said, command)
    t.assertNotIn("panicked", said)
    return said


def one_document(command: str, status: int = 0) -> dict[str, Any]:
    """What a command with --json prints: one document and nothing else."""
    code, printed = machine.execute(f"{command} --json 2>/dev/null")
    t.assertEqual(code, status, f"{command}: {printed}")
    document: dict[str, Any] = json.loads(printed)
    return document


def status_of(name: str, document: dict[str, Any]) -> dict[str, Any]:
    (found,) = [service for service in document["services"] if service["service"] == name]
    return dict(found)


def line_of(name: str, text: str) -> str:
    (line,) = [line for line in text.split("\n") if line.split()[:1] == [name]]
    return line


def put(path: str, text: str) -> None:
    machine.succeed(f"mkdir --parents $(dirname {path}) && rm --force {path} && printf %s {shlex.quote(text)} > {path}")


machine.start()
machine.wait_for_unit("multi-user.target")
machine.wait_for_open_port(443)

with subtest("each command's help says what it does"):
    for command, topics in HELP.items():
        said = machine.succeed(f"casemate {command} --help")
        for word in topics:
            t.assertIn(word, said, f"casemate {command} --help")
    t.assertRegex(machine.succeed("casemate --version"), r"^casemate \d+\.\d+\.\d+\n$")

with subtest("status on a fresh machine: all is well, and the next step is named"):
    text = machine.succeed("casemate status")
    t.assertIn("casemate bot add", text)
    for name in ("gate", "llm", "dialer"):
        t.assertIn(" active ", line_of(name, text))
    shown = one_document("casemate status")
    t.assertEqual((shown["well"], shown["bots"]), (True, []))
    for name in ("gate", "llm", "dialer"):
        service = status_of(name, shown)
        t.assertEqual((service["state"], service["result"], service["restarts"], service["job"]), ("active", "", 0, False))
        t.assertGreater(int(service["since"]), 1_600_000_000)
        t.assertTrue(service["says"].strip(), str(service))
    t.assertTrue(status_of("certs", shown)["job"])
    t.assertEqual(one_document("casemate bot list"), {"bots": []})

with subtest("a bot is added with what its options say"):
    added = one_document(
        "casemate bot add shop --title 'The Shop' --greeting Hello --language de --origin https://shop.example --preview"
    )
    t.assertEqual((added["bot"], added["file"]), ("shop", f"{MADE}/shop.toml"))
    t.assertEqual(added["status"]["title"], "The Shop")
    info = json.loads(machine.succeed(f"{CURL} --fail https://localhost/b/shop/v1/bot"))
    t.assertEqual((info["title"], info["greeting"], info["language"]), ("The Shop", "Hello", "de"))
    machine.succeed(f"{CURL} --fail --output /dev/null https://localhost/b/shop/")
    said = machine.succeed("casemate bot add desk --title 'The Desk'")
    for words in ("desk is up", "casemate knowledge add desk", 'data-bot="desk"'):
        t.assertIn(words, said)
    listed = {bot["bot"]: bot for bot in one_document("casemate bot list")["bots"]}
    t.assertEqual(set(listed), {"shop", "desk"})
    t.assertEqual((listed["shop"]["origin"], listed["shop"]["error"]), ("made", None))
    t.assertEqual((listed["shop"]["status"]["documents"], listed["shop"]["status"]["provider"]), (0, "built-in"))

with subtest("status shows each bot and its service"):
    shown = one_document("casemate status")
    t.assertTrue(shown["well"])
    t.assertEqual([bot["bot"] for bot in shown["bots"]], ["desk", "shop"])
    t.assertEqual(status_of("chat@shop", shown)["state"], "active")

with subtest("a bot that cannot be added is told why, and nothing changes"):
    before = machine.succeed(f"cd {MADE} && sha256sum *")
    refused("casemate bot add shop --title Other", "there is a bot shop already", f"{MADE}/shop.toml", "nothing was changed")
    refused("casemate bot add new", "--title", "--file")
    refused("casemate bot add new --title ' '", "title is empty", "no bot was added")
    refused("casemate bot add new --file /tmp/absent.toml", "/tmp/absent.toml could not be read", "No such file")
    put("/tmp/wrong.toml", 'title = "Wrong"\ngreting = "Hello"\n')
    refused("casemate bot add new --file /tmp/wrong.toml", "`greting`", "did you mean `greeting`?", "line 2", "no bot was added")
    put("/tmp/wrong.toml", "title = 5\n")
    refused("casemate bot add new --file /tmp/wrong.toml", "line 1", "expected a string", "no bot was added")
    machine.succeed("printf 'title = \"caf\\351\"' > /tmp/wrong.toml")
    refused("casemate bot add new --file /tmp/wrong.toml", "UTF-8")
    # What cannot be parsed at all ends with 2, as command lines do that are wrong.
    for options, why in [
        ("new --title x --language klingon", "not a language"),
        ("new --title x --origin shop.example", "https://shop.example"),
        ("New --title x", "bot's name"),
        ("new --title x --titel y", "--title"),
    ]:
        status, said = run(f"casemate bot add {options}")
        t.assertEqual(status, 2, said)
        t.assertIn(why, said)
    status, said = run("casemate stauts")
    t.assertEqual(status, 2, said)
    t.assertIn("status", said)
    t.assertEqual(machine.succeed(f"cd {MADE} && sha256sum *"), before)
    t.assertIn("already", one_document("casemate bot add shop --title Other", status=1)["error"])

with subtest("one bad document among good ones costs none of them"):
    machine.succeed("mkdir /tmp/documents /tmp/documents/folder.md")
    for name, (text, _) in DOCUMENTS.items():
        machine.succeed(f"printf {shlex.quote(text)} > /tmp/documents/{name}")
    files = " ".join(f"/tmp/documents/{name}" for name in [*DOCUMENTS, "folder.md", "absent.md"])
    status, said = run(f"casemate knowledge add shop {files}")
    t.assertEqual(status, 1, said)
    for name, (_, reason) in DOCUMENTS.items():
        (line,) = [line for line in said.split("\n") if line.startswith(f"/tmp/documents/{name}:")]
        t.assertIn(reason or f"added as {name}", line)
    t.assertIn("/tmp/documents/absent.md: not added: No such file", said)
    t.assertIn("/tmp/documents/folder.md: not added: Is a directory", said)
    t.assertIn("8 of 10 documents were not added", said)
    listed = one_document("casemate knowledge list shop")["documents"]
    t.assertEqual([one["document"] for one in listed], ["hours.txt", "prices.md"])
    t.assertEqual((listed[1]["title"], listed[1]["chunks"]), ("Prices", 1))
    t.assertAlmostEqual(listed[1]["added"] / 1000, time.time(), delta=600)

with subtest("a document that cannot be read leaves the one of its name as it was"):
    machine.succeed("mkdir /tmp/later && printf '\\0' > /tmp/later/prices.md")
    refused("casemate knowledge add shop /tmp/later/prices.md", "binary", "unchanged")
    machine.succeed("head --bytes=9000000 /dev/zero | tr '\\0' a > /tmp/later/prices.md")
    refused("casemate knowledge add shop /tmp/later/prices.md", "8388608 bytes")
    t.assertEqual(one_document("casemate knowledge list shop")["documents"], listed)

with subtest("documents are replaced, listed and removed"):
    machine.succeed("printf '# New prices\\n\\nA parcel costs five crowns.\\n' > /tmp/later/prices.md")
    added = one_document("casemate knowledge add shop /tmp/later/prices.md")
    t.assertEqual(added["documents"][0]["added"]["title"], "New prices")
    table = machine.succeed("casemate knowledge list shop")
    t.assertIn("New prices", line_of("prices.md", table))
    t.assertEqual(one_document("casemate knowledge remove shop hours.txt"), {"bot": "shop", "removed": "hours.txt"})
    t.assertEqual([one["document"] for one in one_document("casemate knowledge list shop")["documents"]], ["prices.md"])
    refused("casemate knowledge remove shop hours.txt", "no document of that name")
    t.assertIn("no longer answers", machine.succeed("casemate knowledge remove shop prices.md"))
    t.assertIn("No documents yet", machine.succeed("casemate knowledge list shop"))

with subtest("a bot that there is not is named, and the list is pointed to"):
    for command in (
        "knowledge add nobody /tmp/later/prices.md",
        "knowledge list nobody",
        "knowledge remove nobody prices.md",
        "bot remove nobody",
        f"erase nobody {'0' * 32}",
    ):
        refused(f"casemate {command}", "there is no bot nobody", "casemate bot list")

with subtest("with --json the outcome is one document, also where some documents failed"):
    outcome = one_document("casemate knowledge add shop /tmp/documents/prices.md /tmp/documents/binary.md", status=1)
    kept = {one["file"].rsplit("/", 1)[1]: set(one) - {"file"} for one in outcome["documents"]}
    t.assertEqual(kept, {"prices.md": {"added"}, "binary.md": {"error"}})

with subtest("a conversation is erased by its id, and no other"):
    headers = "--header 'content-type: application/json'"
    base = "https://localhost/b/shop/v1/conversations"
    one, other = (json.loads(machine.succeed(f"{CURL} --fail {headers} --data '{{}}' {base}")) for _ in range(2))
    refused(f"casemate erase shop {'0' * 32}", "no conversation of that id")
    refused("casemate erase shop nonsense", "no conversation of that id")
    t.assertEqual(one_document(f"casemate erase shop {one['conversation']}"), {"bot": "shop", "erased": one["conversation"], "instance": "shop"})
    refused(f"casemate erase shop {one['conversation']}", "no conversation of that id")
    for begun, status in ((one, "404"), (other, "200")):
        ask = f"{CURL} --output /dev/null --write-out '%{{http_code}}' --header 'authorization: Bearer {begun['token']}'"
        t.assertEqual(machine.succeed(f"{ask} {base}/{begun['conversation']}"), status)
    t.assertIn("older copies of chat.redb.keys", machine.succeed(f"casemate erase shop {other['conversation']}"))

with subtest("a bot that is removed leaves its knowledge sealed, and none of it when it is erased"):
    removed = one_document("casemate bot remove shop")
    t.assertEqual((removed["bot"], removed["erased"]), ("shop", False))
    machine.succeed("test -e /var/lib/casemate/keys/chat-shop.cred -a -e /var/lib/private/casemate-chat/shop/chat.redb")
    machine.succeed("test -e /var/lib/private/casemate-anchor/chat-shop/chat.anchor")
    machine.succeed("casemate bot add shop --title Again")
    t.assertEqual([one["document"] for one in one_document("casemate knowledge list shop")["documents"]], ["prices.md"])
    t.assertIn("key is destroyed", machine.succeed("casemate bot remove shop --erase"))
    left = "/var/lib/casemate/keys/*shop* /var/lib/{,private/}casemate-{chat/shop,anchor/chat-shop}"
    t.assertEqual(machine.succeed(f"ls --directory {left} 2> /dev/null || true"), "")
    machine.fail("systemctl list-units --plain --no-legend 'casemate-*@*shop*' | grep --invert-match ' exited ' | grep active")
    t.assertEqual(machine.succeed(f"{CURL} --output /dev/null --write-out '%{{http_code}}' https://localhost/b/shop/v1/bot"), "404")
    machine.succeed("casemate bot add shop --title Afresh")
    t.assertEqual(one_document("casemate knowledge list shop"), {"apart": [], "documents": []})
    t.assertTrue(one_document("casemate bot remove shop --erase")["erased"])

with subtest("a bot's store is checked, copied and restored while the bot stands still"):
    machine.succeed("casemate knowledge add desk /tmp/documents/prices.md")
    refused("casemate store info --bot desk", "`systemctl stop casemate-chat@desk.service` first", "nothing was changed")
    machine.succeed("systemctl stop casemate-chat@desk.service")
    verified = one_document("casemate store verify --bot desk")
    t.assertEqual(verified["checked"], "all")
    t.assertGreater(verified["records"], 0)
    held = one_document("casemate store info --bot desk")
    t.assertEqual((held["outline"]["superblocks_intact"], held["content"]["data_keys"]), (2, 1))
    t.assertEqual(held["content"]["commit"], verified["commit"])
    taken = one_document("casemate store snapshot --bot desk /root/desk.full")
    t.assertEqual(taken["commit"], verified["commit"])
    since = taken["commit"]["receipt"]
    changes = one_document(f"casemate store snapshot --bot desk /root/desk.changes --since {since}")
    t.assertLess(changes["bytes"], taken["bytes"])
    t.assertEqual(one_document("casemate store verify /root/desk.full")["checked"], "transport")
    state = "/var/lib/private/casemate-chat/desk"
    restored = one_document(f"casemate store restore {state}/new.redb /root/desk.full /root/desk.changes --bot desk")
    t.assertEqual((restored["commit"], restored["verified"]), (verified["commit"], True))
    refused(f"casemate store restore {state}/new.redb /root/desk.full", "already")
    key = "systemd-creds decrypt --name=store /var/lib/casemate/keys/chat-desk.cred -"
    said = machine.succeed(f"{key} | casemate store verify {state}/new.redb --key /dev/stdin")
    t.assertIn("all is well", said)
    machine.succeed("head --bytes=-1 /root/desk.full > /root/desk.cut")
    refused("casemate store restore /root/no.redb /root/desk.cut --bot desk", "cut short", "nothing was restored")
    machine.fail("ls /root/no.redb* 2>/dev/null")
    machine.succeed(f"mv {state}/new.redb {state}/chat.redb")
    t.assertTrue(one_document("casemate store rekey --bot desk")["key_changed"])
    one_document("casemate store rekey --bot desk --data")
    one_document("casemate store compact --bot desk")
    t.assertEqual(one_document("casemate store verify --bot desk")["records"], verified["records"])
    machine.succeed("systemctl start casemate-chat@desk.service")
    t.assertEqual([one["document"] for one in one_document("casemate knowledge list desk")["documents"]], ["prices.md"])
    machine.wait_until_succeeds("casemate status", timeout=SOON)

with subtest("completions are scripts that their shells take"):
    machine.succeed("source <(casemate completions bash) && complete -p casemate | grep --quiet casemate")
    script = machine.succeed(
        "source <(casemate completions bash); COMP_WORDS=(casemate kn) COMP_CWORD=1; "
        "$(complete -p casemate | sed 's/.*-F \\([^ ]*\\).*/\\1/') casemate kn casemate; echo ${COMPREPLY[*]}"
    )
    t.assertEqual(script.strip(), "knowledge")
    for shell, first in (("zsh", "#compdef casemate"), ("fish", "complete -c casemate")):
        t.assertIn(first, machine.succeed(f"casemate completions {shell}"))
    machine.succeed("if command -v fish; then casemate completions fish | fish --no-config --no-execute; fi")
    machine.succeed("if command -v zsh; then casemate completions zsh | zsh -n; fi")
    status, said = run("casemate completions csh")
    t.assertEqual(status, 2, said)

for name, (text, key, meant) in MISSPELT.items():
    with subtest(f"casemate-{name} --check-config names what is misspelt, and ends with 78"):
        put("/tmp/config.toml", text)
        status, said = run(f"{PROGRAMS}/casemate-{name} --check-config --config /tmp/config.toml")
        t.assertEqual(status, 78, said)
        for word in ("/tmp/config.toml", f"`{key}`", f"did you mean `{meant}`?" if meant else "unknown field"):
            t.assertIn(word, said)
        put("/tmp/config.toml", text.replace(key, meant) if meant else "")
        t.assertEqual(run(f"{PROGRAMS}/casemate-{name} --check-config --config /tmp/config.toml"), (0, ""))

with subtest("a configuration that is not there was not checked"):
    for name in MISSPELT:
        status, said = run(f"{PROGRAMS}/casemate-{name} --check-config --config /tmp/no-such.toml")
        t.assertEqual(status, 78, f"{name}: {said}")
        t.assertIn("/tmp/no-such.toml", said)

with subtest("status tells of a service that stands still"):
    machine.succeed("systemctl stop casemate-dialer-llm.socket casemate-dialer.service")
    status, said = run("casemate status")
    shown = one_document("casemate status", status=1)
    machine.succeed("systemctl start casemate-dialer-llm.socket casemate-dialer.service", "casemate status")
    t.assertEqual(status, 1, said)
    t.assertIn("inactive", line_of("dialer", said))
    t.assertIn("Not all is well", said)
    t.assertIn(" active ", line_of("gate", said))
    t.assertEqual((shown["well"], status_of("dialer", shown)["state"]), (False, "inactive"))
    # What it said of itself while it ran holds no longer.
    t.assertNotIn("declared", line_of("dialer", said))
    t.assertEqual(status_of("dialer", shown)["says"], "")

with subtest("status tells of a service that is misconfigured, and leads to the cause"):
    put("/etc/casemate/llm.toml", MISSPELT["llm"][0])
    machine.fail("systemctl restart casemate-llm.service")
    status, said = run("casemate status")
    t.assertEqual(status, 1, said)
    t.assertIn("failed (exit-code)", line_of("llm", said))
    t.assertEqual(status_of("llm", one_document("casemate status", status=1))["result"], "exit-code")
    # The command that it advises shows the cause.
    (advice,) = [line.split("`")[1] for line in said.split("\n") if "journalctl" in line]
    t.assertIn("did you mean `model`?", machine.succeed(f"{advice} --no-pager"))
    machine.succeed("rm /etc/casemate/llm.toml", "systemctl restart casemate-llm.service")
    machine.succeed("casemate status")

with subtest("status tells of a bot that cannot be reached, and of one whose file is wrong"):
    put(f"{DECLARED}/wrong.toml", 'title = "Wrong"\nprovidr = "x"\n')
    status, said = run("casemate status")
    t.assertEqual(status, 1, said)
    for words in ("wrong does not serve", "`providr`", "did you mean `provider`?"):
        t.assertIn(words, said)
    t.assertEqual(run("casemate bot list")[0], 0)
    machine.succeed(f"rm {DECLARED}/wrong.toml")
    machine.wait_until_succeeds("casemate status", timeout=SOON)
    machine.succeed("mv /var/lib/casemate/keys/chat-desk.cred /var/lib/casemate/keys/away")
    machine.succeed("printf damaged > /var/lib/casemate/keys/chat-desk.cred")
    machine.execute("systemctl restart casemate-chat@desk.service")
    status, said = run("casemate status")
    t.assertEqual(status, 1, said)
    t.assertIn("desk does not serve", said)
    t.assertIn("systemctl status casemate-chat@desk", said)
    machine.succeed("mv /var/lib/casemate/keys/away /var/lib/casemate/keys/chat-desk.cred")
    machine.wait_until_succeeds("casemate status", timeout=60)

with subtest("a reader that goes away and a full disk are no reason to panic"):
    status, said = run("{ sleep 1; casemate status; } | true")
    t.assertNotIn("panicked", said)
    for command in ("status", "bot list --json", "completions bash"):
        status, said = run(f"casemate {command} > /dev/full")
        t.assertTrue(0 < status < 128, f"{command}: {status} {said}")
        t.assertNotIn("panicked", said)
