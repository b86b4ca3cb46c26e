# firewall: the kernel's packet filter, in which nothing gets in but what is declared, and nothing from who is banned.
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
    stem = "firewall";
    settings = {
      tcp = lib.unique (
        [ sshPort ] ++ lib.optionals cfg.gate.enable gatePorts ++ config.networking.firewall.allowedTCPPorts
      );
      udp = config.networking.firewall.allowedUDPPorts;
    }
    // cfg.firewall.settings;
  };
  sshPort = 22;
  gatePorts = [
    cfg.gate.httpPort
    cfg.gate.port
  ]
  ++ lib.optional (cfg.gate.peersAuthority != null) cfg.gate.peersPort;
in
{
  options.services.casemate.firewall = {
    enable = lib.mkEnableOption "the packet filter" // {
      default = true;
    };

    settings = lib.mkOption {
      inherit (toml) type;
      default = { };
      example = {
        never = [ "203.0.113.0/28" ];
        bannable = [ "10.1.0.0/16" ];
      };
      description = ''
        The contents of {file}`/etc/casemate/firewall.toml`, checked by firewall itself. What is not said to be open is
        closed: unless `tcp` and `udp` say otherwise, SSH, the ports of gate, and what
        {option}`networking.firewall.allowedTCPPorts` and {option}`networking.firewall.allowedUDPPorts` list are open.
        NixOS's own firewall stays as it is: where it is on too, a packet has to pass both.
      '';
    };
  };

  config = lib.mkIf (cfg.enable && cfg.firewall.enable) {
    environment.etc."casemate/firewall.toml" = toml.etc file;
    users.groups.casemate-to-firewall = { };
    systemd.services.casemate-firewall = dropIn.service [ file ] // dropIn.wanted "multi-user.target";
    systemd.sockets.casemate-firewall = dropIn.wanted "sockets.target";
  };
}
