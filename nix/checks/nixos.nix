# Declares the options of NixOS that the modules set, as nixpkgs' own modules declare them (nixos/lib/systemd-unit-options.nix,
# nixos/modules/system/boot/{systemd,systemd/tmpfiles}.nix, …): a module that sets one that is not here does not evaluate.
{ lib, ... }:

let
  inherit (lib) mkOption types;

  unit = types.strMatching "[a-zA-Z0-9@%:_.-]+[.](service|socket|target|path|timer)";
  flag =
    default:
    mkOption {
      type = types.bool;
      inherit default;
    };
  list =
    element:
    mkOption {
      type = types.listOf element;
      default = [ ];
    };
  sets =
    element:
    mkOption {
      type = types.attrsOf element;
      default = { };
    };

  common = {
    enable = flag true;
    overrideStrategy = mkOption {
      type = types.enum [
        "asDropinIfExists"
        "asDropin"
      ];
      default = "asDropinIfExists";
    };
    wantedBy = list unit;
    requiredBy = list unit;
    upheldBy = list unit;
    after = list unit;
    before = list unit;
    restartTriggers = list types.raw;
  };
  units = own: sets (types.submodule { options = common // own; });
in
{
  options = {
    assertions = list types.raw;

    environment.etc = sets (
      types.submodule {
        options = {
          source = mkOption { type = types.path; };
          mode = mkOption {
            type = types.str;
            default = "symlink";
          };
        };
      }
    );
    environment.systemPackages = list types.package;

    networking.firewall.allowedTCPPorts = list types.port;
    networking.firewall.allowedUDPPorts = list types.port;

    security.lsm = mkOption {
      type = types.listOf types.str;
      default = [
        "landlock"
        "yama"
        "bpf"
      ];
    };

    systemd = {
      packages = list types.package;
      generators = sets types.path;
      tmpfiles = {
        packages = list types.package;
        settings = sets (sets types.raw).type;
      };
      paths = units { };
      targets = units { };
      timers = units { };
      sockets = units { listenStreams = list types.str; };
      services = units {
        enableDefaultPath = flag true;
        restartIfChanged = flag true;
        stopIfChanged = flag true;
        serviceConfig = sets types.raw;
      };
    };

    services.openssh.enable = flag false;
    services.openssh.settings = sets types.raw;

    # The test driver's (nixos/modules/virtualisation/qemu-vm.nix).
    virtualisation.memorySize = mkOption {
      type = types.int;
      default = 1024;
    };
    virtualisation.tpm.enable = flag false;

    users.groups = sets (types.submodule { options.members = list types.str; });
  };
}
