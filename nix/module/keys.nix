# keys: each is made once, before what needs it first starts.
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
    # A new version of the unit changes nothing about a key that exists: no reason to run it again on a switch.
    systemd.services."casemate-keys@" = dropIn.service [ ] // {
      restartIfChanged = false;
    };
  };
}
