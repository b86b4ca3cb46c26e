# certs: makes and renews the certificates that gate serves.
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
    stem = "certs";
    inherit (cfg.certs) settings;
  };
in
{
  options.services.casemate.certs = {
    enable = lib.mkEnableOption "the making of certificates" // {
      default = true;
    };

    settings = lib.mkOption {
      inherit (toml) type;
      default = { };
      description = "The contents of {file}`/etc/casemate/certs.toml`, checked by certs itself.";
    };
  };

  config = lib.mkIf (cfg.enable && cfg.certs.enable) {
    environment.etc."casemate/certs.toml" = toml.etc file;
    users.groups.casemate-tls = { };
    users.groups.casemate-events = { };
    systemd.services.casemate-certs = dropIn.service [ file ] // dropIn.wanted "multi-user.target";
    systemd.timers.casemate-certs = dropIn.wanted "timers.target";
  };
}
