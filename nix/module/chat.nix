# chat: one instance for each bot, started by what bots.nix turns on.
{
  config,
  lib,
  ...
}:

let
  cfg = config.services.casemate;
  dropIn = import ../drop-in.nix;
in
{
  config = lib.mkIf cfg.enable {
    users.groups.casemate-to-chat = { };
    # An instance for each declared bot: a bot whose file has changed restarts, and no other.
    systemd.services = lib.mapAttrs' (
      name: _: lib.nameValuePair "casemate-chat@${name}" (dropIn.service [ cfg.botFiles.${name} ])
    ) cfg.bots;
  };
}
