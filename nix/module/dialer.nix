# dialer: the only service that can open a connection, and only to what is declared here.
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
    stem = "dialer";
    settings = cfg.dialer.settings // {
      reach =
        declared
        ++ import ../reach.nix {
          inherit lib declared;
          providers = cfg.llm.settings.provider or [ ];
          acme = cfg.certs.settings.acme or null;
        };
    };
  };
  declared = cfg.dialer.settings.reach or [ ];
in
{
  options.services.casemate.dialer = {
    enable = lib.mkEnableOption "connections to the outside" // {
      default = true;
    };

    settings = lib.mkOption {
      inherit (toml) type;
      default = { };
      example = {
        reach = [
          {
            unit = "llm";
            host = "ollama.lan";
            ports = [ 11434 ];
            private = true;
          }
        ];
      };
      description = ''
        The contents of {file}`/etc/casemate/dialer.toml`, checked by dialer itself: which unit may reach which host.
        Providers in {option}`services.casemate.llm.settings` that are on HTTPS need no entry, nor does the directory
        in {option}`services.casemate.certs.settings`. Other appliances do, with `unit = "gate"`, since they are in a
        private network as a rule.
      '';
    };
  };

  config = lib.mkIf (cfg.enable && cfg.dialer.enable) {
    environment.etc."casemate/dialer.toml" = toml.etc file;
    users.groups.casemate-to-dialer = { };
    systemd.services.casemate-dialer = dropIn.service [ file ] // dropIn.wanted "multi-user.target";
    systemd.sockets.casemate-dialer-certs = dropIn.wanted "sockets.target";
    systemd.sockets.casemate-dialer-gate = dropIn.wanted "sockets.target";
    systemd.sockets.casemate-dialer-llm = dropIn.wanted "sockets.target";
  };
}
