# Evaluates the modules, the package, the flake and the tests, and holds them to the unit files. True, or an error that
# says all that is wrong. Nothing is built and nothing is fetched.
#
#   nix-instantiate --eval --strict --expr 'import ./nix/checks/eval.nix { }'
#
# A small stand-in takes the place of nixpkgs' lib; `{ lib = import PATH; }' takes the real one, for the same result.
{
  lib ? import ./lib,
}:

let
  pkgs = (import ./pkgs.nix { inherit lib; }).extend (import ../overlay.nix);

  context = {
    inherit lib pkgs;

    # What the unit files say.
    units = import ./units.nix;

    # The whole configuration of a host with these settings, and with these for `services.casemate'.
    evaluateHost =
      settings:
      (lib.evalModules {
        modules = [
          ../module
          ./nixos.nix
          { config = settings; }
        ];
        specialArgs = { inherit pkgs; };
      }).config;
    evaluate = settings: context.evaluateHost { services.casemate = settings; };

    # Ways to state an expectation.
    that = message: holds: { inherit message holds; };
    same = what: one: other: {
      holds = one == other;
      message = "${what}: ${builtins.toJSON one}, and not ${builtins.toJSON other}";
    };
    none = what: list: {
      holds = list == [ ];
      message = "${what}: ${builtins.toJSON list}";
    };
    fails = value: !(builtins.tryEval (builtins.toJSON value)).success;
    sorted = builtins.sort (one: other: one < other);
    without = taken: builtins.filter (it: !builtins.elem it taken);
  };

  expectations = builtins.concatMap (file: import file context) [
    ./expect-units.nix
    ./expect-options.nix
    ./expect-settings.nix
    ./expect-flake.nix
  ];
  broken = builtins.filter (expectation: !expectation.holds) expectations;
in
if broken == [ ] then
  true
else
  throw "nix/ is wrong:\n${builtins.concatStringsSep "\n" (map (it: "  ${it.message}") broken)}"
