# counter: the TPM's counters, read before a store is opened and moved once it is; where there is no TPM, nothing.
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
    # Each start of a store's service runs it: no reason to run it on a switch.
    systemd.services."casemate-counter@" = dropIn.service [ ] // {
      restartIfChanged = false;
    };
  };
}
