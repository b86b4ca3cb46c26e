# bots: what is declared here, and what is made at run time, runs.
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
  namePattern = "[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?";
in
{
  options.services.casemate = {
    bots = lib.mkOption {
      type = lib.types.attrsOf (
        lib.types.submodule {
          freeformType = toml.type;
          options.title = lib.mkOption {
            type = lib.types.str;
            description = "The name that visitors see.";
          };
        }
      );
      default = { };
      example = {
        shop = {
          title = "Shop assistant";
          greeting = "Hello! What can I do for you?";
          language = "en";
          origins = [ "https://shop.example" ];
        };
      };
      description = ''
        Bots: a file {file}`/etc/casemate/bots/NAME.toml` for each, checked by chat itself. A bot that is declared here
        cannot be changed at run time; others can be added at run time beside it.
      '';
    };

    botFiles = lib.mkOption {
      type = lib.types.attrsOf lib.types.raw;
      default = { };
      internal = true;
      visible = false;
      description = "The checked file of each declared bot.";
    };
  };

  config = lib.mkIf cfg.enable {
    assertions = lib.mapAttrsToList (name: _: {
      assertion = builtins.match namePattern name != null;
      message = "services.casemate.bots: `${name}' cannot name a bot: 1 to 32 small letters, digits and hyphens, no hyphen at either end.";
    }) cfg.bots;

    services.casemate.botFiles = lib.mapAttrs (
      name: settings:
      toml.checked {
        stem = "chat";
        name = "bot-${name}";
        arguments = "--instance ${name}";
        inherit settings;
      }
    ) cfg.bots;

    environment.etc = lib.mapAttrs' (
      name: file: lib.nameValuePair "casemate/bots/${name}.toml" (toml.etc file)
    ) cfg.botFiles;

    systemd.generators.casemate-bots-generator = "${cfg.package}/lib/systemd/system-generators/casemate-bots-generator";
    systemd.services.casemate-bots = dropIn.service [ ] // dropIn.wanted "multi-user.target";
    systemd.paths.casemate-bots = dropIn.wanted "multi-user.target";
    systemd.targets.casemate-bots = dropIn.wanted "multi-user.target";
  };
}
