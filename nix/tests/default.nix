# Each script in vm-tests/ as a NixOS test: the same script that `cargo xtask test' runs without Nix. Those with outside
# tools are left out, as nixpkgs does not have them all; they are about the network's side, which is the same on NixOS.
{ pkgs, module }:

let
  inherit (pkgs) lib;
  text = file: builtins.readFile (../../vm-tests + "/${file}");
  needsOutsideTools = file: lib.hasInfix "\n# tools: outside\n" "\n${text file}";
  scripts = lib.filterAttrs (
    name: kind: kind == "regular" && lib.hasSuffix ".py" name && !needsOutsideTools name
  ) (builtins.readDir ../../vm-tests);
in
lib.mapAttrs' (
  file: _:
  let
    name = lib.removeSuffix ".py" file;
    script = text file;
  in
  lib.nameValuePair "vm-${name}" (
    pkgs.testers.runNixOSTest {
      name = "casemate-${name}";
      nodes.machine.imports = [
        module
        ./machine.nix
        { virtualisation.tpm.enable = lib.hasInfix "\n# boots: qemu-tpm\n" "\n${script}"; }
      ];
      testScript = script;
    }
  )
) scripts
