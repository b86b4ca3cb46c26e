# gate: terminates TLS and forwards to the bots.
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
    stem = "gate";
    inherit (cfg.gate) settings;
  };
  # The port in systemd/casemate-gate.socket.
  packagedPort = 443;
in
{
  options.services.casemate.gate = {
    enable = lib.mkEnableOption "the HTTPS server" // {
      default = true;
    };

    settings = lib.mkOption {
      inherit (toml) type;
      default = { };
      description = "The contents of {file}`/etc/casemate/gate.toml`, checked by gate itself.";
    };

    port = lib.mkOption {
      type = lib.types.port;
      default = packagedPort;
      description = "The TCP port that gate serves on.";
    };

    openFirewall = lib.mkOption {
      type = lib.types.bool;
      default = false;
      description = "Whether the firewall lets visitors reach the port.";
    };
  };

  config = lib.mkIf (cfg.enable && cfg.gate.enable) {
    environment.etc."casemate/gate.toml" = toml.etc file;
    networking.firewall.allowedTCPPorts = lib.mkIf cfg.gate.openFirewall [ cfg.gate.port ];
    systemd.services.casemate-gate = dropIn.service [ file ] // dropIn.wanted "multi-user.target";
    systemd.sockets.casemate-gate = dropIn.wanted "sockets.target" // {
      # The empty entry takes back what the packaged unit listens on.
      listenStreams = lib.mkIf (cfg.gate.port != packagedPort) [
        ""
        (toString cfg.gate.port)
      ];
    };
  };
}
