# Casemate on a NixOS host. The units are the plain files under systemd/; these modules turn them on, write the settings
# and state which groups may reach which socket.
{
  config,
  lib,
  pkgs,
  ...
}:

let
  cfg = config.services.casemate;
in
{
  imports = [
    ./bots.nix
    ./certs.nix
    ./chat.nix
    ./cli.nix
    ./counter.nix
    ./dialer.nix
    ./fill.nix
    ./firewall.nix
    ./gate.nix
    ./guard.nix
    ./keys.nix
    ./llm.nix
  ];

  options.services.casemate = {
    enable = lib.mkEnableOption "Casemate, an AI assistant for a website in which each service is confined by itself";

    package = lib.mkOption {
      type = lib.types.package;
      default = pkgs.casemate;
      defaultText = "pkgs.casemate";
      description = "The package with the services, their units and the command line tool.";
    };
  };

  config = lib.mkIf cfg.enable {
    assertions = [
      {
        # An empty list leaves the kernel's own, which has it.
        assertion = config.security.lsm == [ ] || builtins.elem "landlock" config.security.lsm;
        message = "security.lsm lacks `landlock', without which no service of Casemate serves.";
      }
    ];

    systemd.packages = [ cfg.package ];
    systemd.tmpfiles.packages = [ cfg.package ];
  };
}
