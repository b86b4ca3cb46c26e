# fill: gives a further instance of a bot the documents of the first.
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
    users.groups.casemate-operator = { };
    # Each start of a further instance runs it: no reason to run it on a switch.
    systemd.services."casemate-fill@" = dropIn.service [ ] // {
      restartIfChanged = false;
    };
  };
}
