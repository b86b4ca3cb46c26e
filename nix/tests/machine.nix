# The machine that every test script finds: the appliance's module, and the tools that the scripts call.
{ pkgs, ... }:

{
  services.casemate.enable = true;

  environment.systemPackages = [ (pkgs.callPackage ./tools.nix { }) ];

  # Where Debian's package has it.
  systemd.tmpfiles.settings.debian-faq."/usr/share/doc/debian".L.argument = "${
    pkgs.callPackage ./debian-faq.nix { }
  }/share/doc/debian";

  # A browser needs more than the driver's 1024 MiB.
  virtualisation.memorySize = 3072;
}
