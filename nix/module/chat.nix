# chat: one unit for each instance of each bot, started by what bots.nix turns on.
{
  config,
  lib,
  ...
}:

let
  cfg = config.services.casemate;
  dropIn = import ../drop-in.nix;
  # As crates/chat-api names them: shop, shop.2, shop.3.
  instances =
    name: bot:
    map (number: if number == 1 then name else "${name}.${toString number}") (
      builtins.genList (index: index + 1) (bot.instances or 1)
    );
  units =
    name: bot:
    map (
      instance: lib.nameValuePair "casemate-chat@${instance}" (dropIn.service [ cfg.botFiles.${name} ])
    ) (instances name bot);
in
{
  config = lib.mkIf cfg.enable {
    users.groups.casemate-to-chat = { };
    # A bot whose file has changed restarts, and no other.
    systemd.services = builtins.listToAttrs (builtins.concatLists (lib.mapAttrsToList units cfg.bots));
  };
}
