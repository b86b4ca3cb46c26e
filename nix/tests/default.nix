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
  in
  lib.nameValuePair "vm-${name}" (
    pkgs.testers.runNixOSTest {
      name = "casemate-${name}";
      nodes.machine.imports = [
        module
        ./machine.nix
      ];
      testScript = builtins.readFile (../../vm-tests + "/${file}");
    }
  )
) scripts
