# What `nix flake check' builds.
{ pkgs, module }:

import ../tests { inherit pkgs module; }
// {
  package = pkgs.casemate;

  # The modules against the unit files, this time with nixpkgs' own lib.
  modules =
    assert import ./eval.nix { inherit (pkgs) lib; };
    pkgs.emptyFile;

  format =
    pkgs.runCommand "casemate-nix-format"
      {
        nativeBuildInputs = [
          pkgs.deadnix
          pkgs.nixfmt
        ];
      }
      ''
        cd ${../..}
        find flake.nix nix -name '*.nix' -exec nixfmt --check {} +
        deadnix --fail flake.nix nix
        touch $out
      '';
}
