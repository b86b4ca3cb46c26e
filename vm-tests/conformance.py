# Autobahn's cases for WebSockets, run by kosoku through the gate to a bot that says everything again. The gate takes no
# part in a case that does not concern it, and must not be seen in it. A NixOS test script: it calls only the test driver's
# API.
# tools: outside
import json
import shlex
from typing import Any

BOT = "/usr/libexec/casemate-testkit/casemate-echo-bot"
SOCKET = "/run/casemate/chat/echo.sock"
PORT = 9001
URL = f"ws://127.0.0.1:{PORT}/b/echo/v1/socket"

# What is left out: 12 and 13 are about compression, which the gate agrees to with nobody.
LEFT_OUT = ("12.*", "13.*")

# What passes: as the RFC says, as it says in spirit, or what is for information only.
PASSES = ("OK", "NON-STRICT", "INFORMATIONAL")

# gate.toml for cases of 16 MiB in 65536 frames, as many as come, from one client.
GATE = """
[limits]
exempt = ['127.0.0.0/8', '::1/128']
bot_per_minute = 1000000
all_per_minute = 1000000
sockets = 1000
socket_message_bytes = 33554432
socket_messages_per_minute = 1000000
socket_frames_per_minute = 1000000
"""

# kosoku speaks no TLS: each of its connections is passed on over one.
PASS_ON = f"""
import asyncio, ssl

context = ssl.create_default_context(cafile="/var/lib/casemate/certs/ca.pem")
context.set_alpn_protocols(["http/1.1"])

async def pump(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    writer.close()

async def one(reader, writer):
    gate_reader, gate_writer = await asyncio.open_connection("localhost", 443, ssl=context)
    await asyncio.gather(pump(reader, gate_writer), pump(gate_reader, writer), return_exceptions=True)

async def main():
    async with await asyncio.start_server(one, "127.0.0.1", {PORT}) as server:
        await server.serve_forever()

asyncio.run(main())
"""


def put(path: str, text: str) -> None:
    machine.succeed(f"printf %s {shlex.quote(text)} > {path}")


machine.start()
machine.wait_for_unit("multi-user.target")
machine.wait_for_unit("casemate-gate.service")
put("/etc/casemate/gate.toml", GATE)
put("/tmp/pass_on.py", PASS_ON)
machine.succeed(
    "systemctl restart casemate-gate.service",
    f"systemd-run --unit=echo-bot --property=Group=casemate-to-chat --property=UMask=0007 {BOT} {SOCKET}",
    "systemd-run --unit=pass-on python3 /tmp/pass_on.py",
)
machine.wait_for_file(SOCKET)
machine.wait_for_open_port(PORT)

with subtest("the cases pass"):
    left_out = " ".join(f"--exclude {shlex.quote(cases)}" for cases in LEFT_OUT)
    # Its own verdict is in the reports, too.
    machine.succeed(f"kosoku {left_out} --outdir /tmp/reports {URL} > /tmp/kosoku.log 2>&1 || true", timeout=900)
    machine.log(machine.succeed("tail --lines=40 /tmp/kosoku.log"))
    index: dict[str, dict[str, dict[str, Any]]] = json.loads(machine.succeed("cat /tmp/reports/index.json"))
    (cases,) = index.values()
    t.assertGreater(len(cases), 290)
    failed = {
        case: (result["behavior"], result["behaviorClose"])
        for case, result in cases.items()
        if result["behavior"] not in PASSES or result["behaviorClose"] not in PASSES
    }
    t.assertEqual(failed, {})
    machine.log(f"{len(cases)} cases passed")
