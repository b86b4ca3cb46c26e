# The machine that every test script finds: the appliance's module, the tools that scripts call, and a browser.
{
  config,
  lib,
  pkgs,
  ...
}:

let
  inherit (config.services.casemate) package;
  tools = pkgs.callPackage ./tools.nix { };
  faq = pkgs.callPackage ./debian-faq.nix { };
in
{
  services.casemate.enable = true;

  environment.systemPackages = [
    tools
    pkgs.nftables
    pkgs.openssl
    pkgs.pebble
  ];

  # For the script that is about SSH. sshd's own penalties would hide what guard does.
  services.openssh = {
    enable = true;
    settings = {
      PasswordAuthentication = true;
      PerSourcePenalties = "no";
      PermitRootLogin = "yes";
    };
  };

  # Scripts name things where they are on Debian, so that one script fits both.
  systemd.tmpfiles.settings.casemate-tests = lib.mapAttrs (_: target: { L.argument = target; }) {
    "/usr/libexec/casemate" = "${package}/libexec/casemate";
    "/usr/libexec/casemate-testkit" = "${tools}/bin";
    "/usr/share/casemate" = "${package}/share/casemate";
    "/usr/share/doc/debian" = "${faq}/share/doc/debian";
  };

  # A browser needs more than the driver's 1024 MiB.
  virtualisation.memorySize = 3072;
}
