{
  description = "Casemate: a hardened appliance with an AI assistant for your website";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";

  outputs =
    { self, nixpkgs }:
    let
      systems = [ "x86_64-linux" ];
      each =
        what:
        nixpkgs.lib.genAttrs systems (
          system: what (nixpkgs.legacyPackages.${system}.extend self.overlays.default)
        );
    in
    {
      overlays.default = import ./nix/overlay.nix;

      nixosModules.default =
        { lib, pkgs, ... }:
        {
          imports = [ ./nix/module ];
          services.casemate.package = lib.mkDefault self.packages.${pkgs.stdenv.hostPlatform.system}.default;
        };

      packages = each (pkgs: {
        default = pkgs.casemate;
        inherit (pkgs) casemate;
      });

      devShells = each (pkgs: {
        default = pkgs.callPackage ./nix/dev-shell.nix { };
      });

      formatter = each (pkgs: pkgs.nixfmt-tree);

      checks = each (
        pkgs:
        import ./nix/checks {
          inherit pkgs;
          module = self.nixosModules.default;
        }
      );
    };
}
