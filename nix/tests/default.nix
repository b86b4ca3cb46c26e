# Each script in vm-tests/ as a NixOS test: the same script that `cargo xtask test' runs without Nix.
{ pkgs, module }:

let
  inherit (pkgs) lib;
  scripts = lib.filterAttrs (name: kind: kind == "regular" && lib.hasSuffix ".py" name) (
    builtins.readDir ../../vm-tests
  );
in
lib.mapAttrs' (
  file: _:
  let
    name = lib.removeSuffix ".py" file;
    script = builtins.readFile (../../vm-tests + "/${file}");
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
