# cli: the operator's commands.
{
  config,
  lib,
  ...
}:

let
  cfg = config.services.casemate;
in
{
  options.services.casemate.cli.enable =
    lib.mkEnableOption "the command `casemate` for operators"
    // {
      default = true;
    };

  config = lib.mkIf (cfg.enable && cfg.cli.enable) {
    environment.systemPackages = [ cfg.package ];
    users.groups.casemate-operator = { };
  };
}
