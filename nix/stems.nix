# Every service has one stem: crates/STEM, systemd/casemate-STEM.service (or a template), nix/module/STEM.nix.
[
  "bots"
  "certs"
  "chat"
  "counter"
  "dialer"
  "fill"
  "firewall"
  "gate"
  "guard"
  "keys"
  "llm"
]
