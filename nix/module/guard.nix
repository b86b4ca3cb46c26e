# guard: decides who is banned, from what the services tell and from the journal.
{
  config,
  lib,
  pkgs,
  ...
}:

let
  cfg = config.services.casemate;
  dropIn = import ../drop-in.nix;
  toml = import ../settings.nix {
    inherit pkgs;
    inherit (cfg) package;
  };
  file = toml.checked {
    stem = "guard";
    inherit (cfg.guard) settings;
  };
in
{
  options.services.casemate.guard = {
    enable = lib.mkEnableOption "bans" // {
      default = true;
    };

    settings = lib.mkOption {
      inherit (toml) type;
      default = { };
      example = {
        never = [ "192.0.2.0/24" ];
        neighbours = 4;
      };
      description = ''
        The contents of {file}`/etc/casemate/guard.toml`, checked by guard itself: who is never banned (`never`), whether
        it watches only (`dry_run`), and rules.
      '';
    };

    blocks = lib.mkOption {
      type = lib.types.attrsOf lib.types.path;
      default = { };
      example = {
        "drop.txt" = "/srv/lists/drop.txt";
      };
      description = ''
        Block lists: files in {file}`/etc/casemate/blocks`, by their name there. `.txt` holds an address or a prefix a line,
        `.csv` and `.json` are what CrowdSec exports.
      '';
    };
  };

  config = lib.mkIf (cfg.enable && cfg.guard.enable) {
    environment.etc = {
      "casemate/guard.toml" = toml.etc file;
    }
    // lib.mapAttrs' (
      name: source: lib.nameValuePair "casemate/blocks/${name}" (toml.etc source)
    ) cfg.guard.blocks;
    users.groups.casemate-events = { };
    users.groups.casemate-operator = { };
    systemd.services.casemate-guard = dropIn.service [ file ] // dropIn.wanted "multi-user.target";
    systemd.sockets.casemate-guard-events = dropIn.wanted "sockets.target";
    systemd.sockets.casemate-guard-operator = dropIn.wanted "sockets.target";
  };
}
