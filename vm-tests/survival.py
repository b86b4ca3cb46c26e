# boots: nspawn qemu
#
# What was acknowledged survives: each service killed while it answers, and the whole machine's end under load. And nothing
# that was said is ever on disk in the clear. A NixOS test script: it calls only the test driver's API.
import json
import shlex
import time
import uuid
from typing import Any

CURL = "curl --silent --show-error --insecure --max-time 60"
URL = "https://localhost/b"
JSON = "--header 'content-type: application/json'"

STANDIN = "/usr/libexec/casemate-testkit/casemate-provider-standin"
PORT = 9100
# How the stand-in's sentence begins, which it says word by word in over a second.
WORDS = "Our returns desk accepts"

# Seconds in which a service must be back by itself, and the whole appliance after a start.
SOON, STARTED = 60, 180
# How often a service dies, and how many seconds later than the first time it may be back.
DEATHS, OFTEN = 10, 10

# Seconds after which the first boots end: about when a container makes its keys and its certificate.
FIRST_BOOTS = (0.8, 1.2, 1.6, 2.0, 2.4)

# Visitors who ask at the same time, and seconds for which they do before the machine is ended.
VISITORS, LOAD_SECONDS = 4, 5

PROVIDER = f"""
[[provider]]
name = "slow"
model = "slow"
base_url = "http://127.0.0.1:{PORT}/v1"
private = true
"""

REACH = f"""
[[reach]]
unit = "llm"
host = "127.0.0.1"
ports = [{PORT}]
private = true
"""

# Asks again and again, and writes down what was acknowledged the moment that it was, each line durable before the next
# is read: `begun NUMBER CONVERSATION TOKEN`, `accepted NUMBER`, `done NUMBER ANSWER`.
VISITOR = """
set -u
name=$1 note=/root/visitors/$1
write() { echo "$*" >> $note && sync $note; }
for ((number = 0; ; number++)); do
  question="{\\"id\\":\\"$name-$number\\",\\"text\\":\\"What does a parcel cost? I am $name-$number.\\"}"
  while read -r line; do
    case $line in
      "event: "*) event=${line#event: } ;;
      "data: "*)
        [[ $line =~ \\"conversation\\":\\"([0-9a-f]+)\\",\\"token\\":\\"([0-9a-f]+)\\" ]] && found="${BASH_REMATCH[1]} ${BASH_REMATCH[2]}"
        [[ $event = conversation ]] && write begun $name-$number $found
        [[ $event = accepted ]] && write accepted $name-$number
        [[ $event = done && $line =~ \\"id\\":\\"([0-9a-f]+)\\" ]] && write done $name-$number ${BASH_REMATCH[1]}
        ;;
    esac
  done < <(curl --silent --insecure --no-buffer --max-time 30 --header 'content-type: application/json' \\
      --data "$question" https://localhost/b/quick/v1/conversations)
done
"""

# gate.toml for visitors who all come from this machine.
NO_LIMITS = "[limits]\nbot_per_minute = 1000000\nall_per_minute = 1000000\nexempt = ['127.0.0.0/8', '::1/128']\n"

Events = list[tuple[str, dict[str, Any]]]


def put(path: str, text: str) -> None:
    machine.succeed(f"mkdir --parents $(dirname {path}) && rm --force {path} && printf %s {shlex.quote(text)} > {path}")


def start_in_background(unit: str, command: str) -> None:
    # The command is a file's, so that its text does not come into the journal.
    put(f"/run/{unit}.sh", command)
    machine.succeed(f"systemd-run --unit={unit} --collect --setenv=PATH bash /run/{unit}.sh {unit}")


def start_provider() -> None:
    machine.succeed(f"systemd-run --unit=test-provider --collect {STANDIN} --listen 127.0.0.1:{PORT}")
    machine.wait_for_open_port(PORT)


def events(stream: str) -> Events:
    """The events of a stream, in their order; one that was cut off is none."""
    found: Events = []
    for block in stream.replace("\r\n", "\n").split("\n\n")[:-1]:
        fields = [line.split(": ", 1) for line in block.split("\n") if line and not line.startswith(":")]
        if fields:
            values = dict(field for field in fields if len(field) == 2)
            found.append((values.get("event", "message"), json.loads(values["data"])))
    return found


def whole(answer: Events) -> str:
    return "".join(data["text"] for name, data in answer if name == "delta")


def sent(path: str, message: dict[str, str], token: str = "") -> str:
    """The options of curl that send a message."""
    bearer = f"--header 'authorization: Bearer {token}'" if token else ""
    return f"{JSON} {bearer} --data-binary {shlex.quote(json.dumps(message))} {URL}/{path}"


def ask(bot: str, message: dict[str, str]) -> Events:
    return events(machine.succeed(f"{CURL} --fail --no-buffer {sent(f'{bot}/v1/conversations', message)}"))


def again(bot: str, begun: dict[str, Any], message: dict[str, str]) -> Events:
    path = f"{bot}/v1/conversations/{begun['conversation']}/messages"
    return events(machine.succeed(f"{CURL} --fail --no-buffer {sent(path, message, begun['token'])}"))


def stored(bot: str, begun: dict[str, Any]) -> list[dict[str, Any]]:
    bearer = f"--header 'authorization: Bearer {begun['token']}'"
    answer = json.loads(machine.succeed(f"{CURL} --fail {bearer} {URL}/{bot}/v1/conversations/{begun['conversation']}"))
    return list(answer["messages"])


def question() -> dict[str, str]:
    return {"id": str(uuid.uuid4()), "text": "When do I get my refund?"}


def main_pid(unit: str) -> int:
    return int(machine.get_unit_property(unit, "MainPID"))


def wait_for_another(unit: str, before: int) -> None:
    """Waits until a service's process is another, and serves."""
    pid = f"$(systemctl show --property=MainPID --value {unit})"
    machine.wait_until_succeeds(f"test {pid} -ne {before} && systemctl is-active --quiet {unit}", timeout=SOON)


def kill(unit: str) -> None:
    """Ends a service's process, and waits until another serves in its place."""
    before = main_pid(unit)
    machine.succeed(f"kill -KILL {before}")
    wait_for_another(unit, before)


def wait_for_answers(bot: str) -> None:
    machine.wait_until_succeeds(f"{CURL} --fail --output /dev/null {URL}/{bot}/healthz", timeout=STARTED)


def lift_limits() -> None:
    """All visitors of this test come from one address, and ask as fast as they can."""
    put("/etc/casemate/gate.toml", NO_LIMITS)
    machine.succeed("systemctl restart casemate-gate.service")


def start_visitors() -> None:
    lift_limits()
    machine.succeed("mkdir --parents /root/visitors")
    for number in range(VISITORS):
        start_in_background(f"visitor-{number}-{uuid.uuid4().hex[:8]}", VISITOR)


def stop_visitors() -> None:
    machine.succeed("systemctl stop 'visitor-*.service'")


# The visitors' notes. A line without its end was being written when the machine ended, and the file system may have made
# room for it already without having written it: `read` leaves such zeros out, and such a line.
NOTES = "for note in /root/visitors/*; do while IFS= read -r line; do echo \"$line\"; done < $note; done"


def acknowledged() -> dict[str, list[str]]:
    """By message: conversation, token, then `accepted` and the answer's id as far as they were acknowledged."""
    notes: dict[str, list[str]] = {}
    for line in machine.succeed(NOTES).splitlines():
        kind, message, *rest = line.split()
        notes.setdefault(message, []).extend(rest or [kind])
    return notes


def read_all(notes: dict[str, list[str]]) -> dict[str, dict[str, Any]]:
    """By conversation what the bot says of each, in one call: one by one would take minutes on an emulated machine."""
    script = """
        part='next\\ninsecure\\nheader = "authorization: Bearer %s"\\nwrite-out = " %%{url}\\\\n"\\nurl = %s/%s\\n'
        while read -r _ _ conversation token; do
            printf "$part" $token https://localhost/b/quick/v1/conversations $conversation
        done
    """
    put("/run/read-all.sh", script)
    lines = machine.succeed(
        f"{NOTES} | grep '^begun ' | bash /run/read-all.sh | tail --lines=+2 > /run/read-all",
        "curl --silent --show-error --max-time 300 --config /run/read-all; rm /run/read-all",
    )
    answers = (line.rsplit(" ", 1) for line in lines.strip().split("\n"))
    return {url.rsplit("/", 1)[1]: json.loads(answer) for answer, url in answers}


def check_acknowledged(at_least: int) -> None:
    """Holds the store to every acknowledgement that a visitor wrote down."""
    notes = acknowledged()
    read = read_all(notes)
    complete, cut_off = [], []
    for message, note in notes.items():
        if "accepted" not in note:
            continue
        messages = read[note[0]].get("messages", [])
        t.assertTrue(messages, f"{message} was accepted and is lost: {read[note[0]]}")
        t.assertEqual((messages[0]["id"], messages[0]["text"]), (message, text_of(message)))
        if len(note) > 3:
            t.assertEqual([one["id"] for one in messages], [message, note[3]], f"the answer to {message} was done and is lost")
            t.assertTrue(messages[1]["text"], message)
            complete.append(message)
        elif len(messages) == 1:
            cut_off.append(message)
    machine.log(f"{len(complete)} exchanges were acknowledged and are there; {len(cut_off)} more questions wait for their answer")
    t.assertGreaterEqual(len(complete), at_least)
    # Whoever sends the same again is answered, once.
    for message in [*complete[-2:], *cut_off[:5]]:
        begun = {"conversation": notes[message][0], "token": notes[message][1]}
        answer = again("quick", begun, {"id": message, "text": text_of(message)})
        t.assertEqual(answer[-1][0], "done", str(answer))
        t.assertEqual([one["id"] for one in stored("quick", begun)], [message, answer[-1][1]["id"]])


def text_of(message: str) -> str:
    """What a visitor asks with a message."""
    return f"What does a parcel cost? I am {message}."


def ask_and_kill(unit: str) -> tuple[dict[str, str], Events]:
    """Asks, ends a service the moment that the answer has begun, and returns what came."""
    asked, before = question(), main_pid(unit)
    # All in the machine's own shell: on an emulated one the answer would be over before another command could look.
    stream = machine.succeed(
        f"{CURL} --no-buffer {sent('demo/v1/conversations', asked)} | {{ words=0; while IFS= read -r line; do echo \"$line\"; "
        f"case $line in 'event: delta') words=$((words + 1)); test $words -ne 3 || kill -KILL {before} ;; esac; done; }} || true"
    )
    wait_for_another(unit, before)
    return asked, events(stream)


with subtest("a machine that ends again and again in its first boot is whole in the end"):
    for seconds in FIRST_BOOTS:
        machine.start()
        time.sleep(seconds)
        machine.crash()
    machine.start()
    machine.execute("true")
    machine.crash()
    machine.start()
    machine.wait_for_unit("multi-user.target")
    machine.wait_for_open_port(443)
    machine.succeed("casemate status", "casemate bot add early --title Early")
    wait_for_answers("early")

with subtest("two bots: one whose provider takes its time, one that answers at once"):
    put("/etc/casemate/llm.toml", PROVIDER)
    put("/etc/casemate/dialer.toml", REACH)
    start_provider()
    machine.succeed("systemctl restart casemate-dialer.service casemate-llm.service")
    machine.succeed("casemate bot add demo --title Demo --provider slow", "casemate bot add quick --title Quick")
    put("/root/prices.md", "# Prices\n\nA parcel costs four crowns.\n")
    machine.succeed("casemate knowledge add quick /root/prices.md")
    answer = ask("demo", question())
    t.assertEqual(answer[-1][0], "done", str(answer))
    t.assertTrue(whole(answer).startswith(WORDS), str(answer))

for service in ("gate", "chat@demo", "llm", "dialer"):
    with subtest(f"{service} is killed in the middle of an answer"):
        asked, answer = ask_and_kill(f"casemate-{service}.service")
        t.assertEqual([name for name, _ in answer[:2]], ["conversation", "accepted"], str(answer))
        begun = answer[0][1]
        wait_for_answers("demo")
        messages = stored("demo", begun)
        t.assertEqual((messages[0]["id"], messages[0]["text"]), (asked["id"], asked["text"]))
        if service == "dialer":
            # It has handed the connection over, and is not in the way of what is said on it.
            t.assertEqual(answer[-1][0], "done", str(answer))
        elif service == "llm":
            name, trouble = answer[-1]
            t.assertEqual((name, trouble["retry"]), ("error", True), str(answer))
        else:
            t.assertNotIn("done", [name for name, _ in answer], str(answer))
        second = again("demo", begun, asked)
        t.assertEqual(second[-1][0], "done", str(second))
        t.assertTrue(whole(second).startswith(WORDS) and whole(second).rstrip().endswith("?"), whole(second))
        if service == "dialer":
            t.assertEqual(second[-1], answer[-1])
        messages = stored("demo", begun)
        t.assertEqual([one["role"] for one in messages], ["visitor", "assistant"])
        t.assertEqual((messages[1]["id"], messages[1]["text"]), (second[-1][1]["id"], whole(second)))

with subtest("services are killed again and again while visitors ask"):
    start_visitors()
    for _round in range(2):
        for service in ("chat@quick", "llm", "gate"):
            time.sleep(1)
            kill(f"casemate-{service}.service")
            wait_for_answers("quick")
    time.sleep(2)
    stop_visitors()
    check_acknowledged(20)
    machine.succeed("casemate status")

for attempt in ("first", "second"):
    with subtest(f"the whole machine ends while visitors ask: the {attempt} time"):
        start_visitors()
        time.sleep(LOAD_SECONDS)
        # What is acknowledged in the last moment counts too: a bot, and what it knows. Under this load an emulated
        # machine may not have it up as soon as the command would like.
        machine.execute(f"casemate bot add {attempt} --title Late")
        machine.wait_until_succeeds(f"casemate knowledge add {attempt} /root/prices.md", timeout=STARTED)
        machine.crash()
        machine.start()
        machine.wait_for_unit("multi-user.target")
        lift_limits()
        wait_for_answers("quick")
        check_acknowledged(20)
        wait_for_answers(attempt)
        listed = json.loads(machine.succeed(f"casemate knowledge list {attempt} --json"))["documents"]
        t.assertEqual([one["document"] for one in listed], ["prices.md"])
        t.assertIn("four crowns", whole(ask(attempt, {"id": "a", "text": "What does a parcel cost?"})))
        machine.succeed("casemate status")

# ---------------------------------------------------------------- nothing in the clear

# Where something could be left behind. What is in memory alone (/proc, the shell's own output in /run) does not count.
PLACES = "/var /etc /root /tmp /home /srv /opt /run/casemate /run/credentials /run/log /run/systemd /dev/shm"
SECRET, CONTROL = f"canary{uuid.uuid4().hex}", f"control{uuid.uuid4().hex}"


def forms(text: str) -> list[str]:
    """A text in the forms in which it could lie about, as regular expressions of bytes."""
    import base64

    coded = [base64.b64encode(b" " * shift + text.encode())[4:-4].decode() for shift in range(3)]
    wide = "".join(f"{character}\\x00" for character in text)
    return [text, text.encode().hex(), wide, *(one.replace("+", "\\+") for one in coded)]


def found(*texts: str) -> str:
    """Files, and the journal, that hold one of the texts in any of its forms."""
    pattern = shlex.quote("|".join(form for text in texts for form in forms(text)))
    machine.succeed("journalctl --sync; sync")
    files = machine.succeed(
        f"LC_ALL=C grep --recursive --files-with-matches --text --perl-regexp --devices=skip --no-messages {pattern} {PLACES} || true"
    )
    journal = machine.succeed(f"journalctl --all --output=export --no-pager | LC_ALL=C grep --text --perl-regexp --count {pattern} || true")
    return files + (f"the journal, {journal.strip()} times\n" if journal.strip() != "0" else "")


def on_disk(*texts: str) -> bool:
    """Whether one of the texts is anywhere on the machine's own disk, in a file or in what one has left behind."""
    disks = machine.succeed("lsblk --nodeps --noheadings --paths --output NAME,TYPE,RO | awk '$2 == \"disk\" && $3 == 0 { print $1 }'")
    t.assertTrue(disks.split(), "the machine has no disk")
    machine.succeed("sync")
    # Without --text: what is empty would be a line of gigabytes.
    patterns = " ".join(f"--regexp={text}" for text in texts)
    status, said = machine.execute(f"LC_ALL=C grep --fixed-strings --quiet {patterns} {' '.join(disks.split())} 2>&1")
    t.assertLess(status, 2, said)
    return status == 0


def crash_chat() -> None:
    """Has a bot's process die as one does that dumps its core."""
    for signal in ("SEGV", "ABRT"):
        before = main_pid("casemate-chat@quick.service")
        # Programs in Rust take the first SEGV for a stack that has grown too far, and look on.
        machine.succeed(f"while kill -{signal} {before} 2>/dev/null; do sleep 0.2; done")
        wait_for_another("casemate-chat@quick.service", before)
        wait_for_answers("quick")


with subtest("a secret is said to a bot, which learns and repeats it"):
    # In memory, and gone before anybody looks.
    put(f"/dev/shm/{SECRET}.md", f"# Vault\n\nThe password of the vault is {SECRET}.\n")
    machine.succeed(f"casemate knowledge add quick /dev/shm/{SECRET}.md", f"rm /dev/shm/{SECRET}.md")
    told = ask("quick", {"id": "secret", "text": f"What is the password of the vault? Is it {SECRET}?"})
    t.assertIn(SECRET, whole(told))
    canaries = [SECRET, told[0][1]["token"]]
    start_provider()
    slow = ask("demo", {"id": "secret", "text": f"Take good care of {SECRET}."})
    t.assertEqual(slow[-1][0], "done")
    # In the middle of it, processes fail and say so.
    asked, _ = ask_and_kill("casemate-llm.service")
    t.assertEqual([SECRET in one["text"] for one in stored("quick", told[0][1])], [True, True])

with subtest("control: what is written in the clear is found"):
    t.assertEqual(found(CONTROL), "")
    put(f"/var/lib/casemate/{CONTROL}", CONTROL)
    put("/var/tmp/coded", forms(CONTROL)[4])
    machine.succeed(f"echo {CONTROL} | systemd-cat")
    seen = found(CONTROL)
    for place in (f"/var/lib/casemate/{CONTROL}\n", "/var/tmp/coded\n", "the journal, "):
        t.assertIn(place, seen)
    machine.succeed(f"rm /var/lib/casemate/{CONTROL} /var/tmp/coded")

with subtest("the secret is nowhere in the clear, and neither is a visitor's token"):
    crash_chat()
    t.assertEqual(found(*canaries), "")
    t.assertEqual(machine.succeed("swapon --show --noheadings"), "")
    for service in ("gate", "chat@quick", "llm", "dialer"):
        for name, value in (("MemorySwapMax", "0"), ("LimitCORE", "0")):
            t.assertEqual(machine.get_unit_property(f"casemate-{service}.service", name), value)

with subtest("not even in a core dump, where the machine makes them"):
    pattern = "/proc/sys/kernel/core_pattern"
    if machine.execute(f"test -w {pattern}")[0] == 0:
        usual = machine.succeed(f"cat {pattern}")
        machine.succeed("mkdir --mode=0777 /var/tmp/cores")
        put("/var/tmp/catch", "#!/bin/sh\ncat > /var/tmp/cores/caught.$1\n")
        machine.succeed("chmod +x /var/tmp/catch")
        for dumper in ("/var/tmp/cores/core.%p", "|/var/tmp/catch %p"):
            put("/run/pattern", dumper)
            machine.succeed(f"cat /run/pattern > {pattern}")
            # Control: a process that dies like that without being forbidden to leave a core.
            machine.execute(f"ulimit -c unlimited; KEPT={CONTROL} bash -c 'kill -SEGV $$'")
            machine.wait_until_succeeds(f"grep --recursive --text --quiet {CONTROL} /var/tmp/cores", timeout=30)
            machine.succeed("rm /var/tmp/cores/*")
            crash_chat()
            t.assertEqual(machine.succeed("ls /var/tmp/cores"), "")
        put("/run/pattern", usual)
        machine.succeed(f"cat /run/pattern > {pattern}")

with subtest("not even on the bare disk"):
    if machine.execute("systemd-detect-virt --container --quiet")[0] != 0:
        put("/var/tmp/deleted", CONTROL)
        machine.succeed("sync", "rm /var/tmp/deleted")
        t.assertTrue(on_disk(CONTROL), "a file that was deleted is still there")
        t.assertFalse(on_disk(*canaries), "it is on the disk in the clear")

with subtest("and the secret is there for whoever holds its token"):
    t.assertEqual([SECRET in one["text"] for one in stored("quick", told[0][1])], [True, True])

with subtest("a service that has died often is back as soon as one that has died once"):
    times = []
    for _death in range(DEATHS):
        before = main_pid("casemate-chat@quick.service")
        begun_at = time.monotonic()
        machine.succeed(f"kill -KILL {before}", f"{CURL} --fail --output /dev/null --retry 20 --retry-delay 1 {URL}/quick/healthz")
        times.append(round(time.monotonic() - begun_at, 1))
    t.assertLess(max(times), times[0] + OFTEN, str(times))
