# The flake's outputs evaluate; the package builds every stem and fills in every placeholder; each script is a test.
{
  lib,
  pkgs,
  units,
  that,
  same,
  none,
  sorted,
  ...
}:

let
  inherit (builtins)
    attrNames
    concatMap
    elem
    filter
    fromJSON
    map
    match
    readDir
    readFile
    ;

  system = "x86_64-linux";
  flake = import ../../flake.nix;
  outputs = flake.outputs {
    self = outputs;
    nixpkgs = {
      inherit lib;
      legacyPackages.${system} = import ./pkgs.nix { inherit lib; };
    };
  };
  checks = outputs.checks.${system};
  package = outputs.packages.${system}.default;
  locked = (fromJSON (readFile ../../flake.lock)).nodes.nixpkgs;

  needsOutsideTools =
    name: lib.hasInfix "\n# tools: outside\n" "\n${readFile (../../vm-tests + "/${name}")}";
  scripts = filter (name: match ".*[.]py" name != null && !needsOutsideTools name) (
    attrNames (readDir ../../vm-tests)
  );
  tests = map (file: "vm-${lib.removeSuffix ".py" file}") scripts;

  host =
    module:
    (lib.evalModules {
      modules = [
        module
        ./nixos.nix
      ];
      specialArgs = { inherit pkgs; };
    }).config;

  machine = host {
    imports = [
      outputs.nixosModules.default
      ../tests/machine.nix
    ];
  };

  # NixOS has nothing of its own in these folders.
  pathsIn =
    text:
    concatMap (part: if builtins.isString part then [ ] else [ (builtins.head part) ]) (
      builtins.split "(/usr/(lib|libexec|share)/[a-zA-Z0-9./_-]*)" text
    );
  links = attrNames machine.systemd.tmpfiles.settings.casemate-tests;

  perTest = concatMap (
    name:
    let
      test = checks.${name};
    in
    [
      (that "${name} runs an empty script" (test.testScript != ""))
      (none "what ${name} names that is not in its machine" (
        filter (path: !builtins.any (link: lib.hasPrefix link path) links) (pathsIn test.testScript)
      ))
      (that "${name} has another machine than the rest" (
        (host test.nodes.machine).environment == machine.environment
      ))
    ]
  ) tests;
in
perTest
++ [
  (that "the test machine does not run Casemate" machine.services.casemate.enable)
  (none "assertions that the test machine breaks" (filter (it: !it.assertion) machine.assertions))
  (same "the test machine's packages"
    (map (it: it.pname or it.name) machine.environment.systemPackages)
    [
      "casemate"
      "casemate-test-tools"
      "nftables"
      "openssl"
      "pebble"
    ]
  )
  (same "the flake's outputs" (attrNames outputs) [
    "checks"
    "devShells"
    "formatter"
    "nixosModules"
    "overlays"
    "packages"
  ])
  (same "the locked nixpkgs"
    "github:${locked.original.owner}/${locked.original.repo}/${locked.original.ref}"
    flake.inputs.nixpkgs.url
  )
  (same "the locked revision's repository" locked.locked.repo locked.original.repo)
  (same "checks" (attrNames checks) (
    sorted (
      [
        "format"
        "modules"
        "package"
      ]
      ++ tests
    )
  ))
  (that "a development shell without the package's compiler" (
    elem package outputs.devShells.${system}.default.inputsFrom
  ))
  (same "the formatter" outputs.formatter.${system}.name "nixfmt-tree")
  (same "the package that the flake's module brings"
    (host outputs.nixosModules.default).services.casemate.package.outPath
    package.outPath
  )
  (same "placeholders in the units, and what the package fills in" (sorted units.placeholders) (
    attrNames package.substitutions
  ))
  (none "stems that the package does not build" (
    filter (stem: !elem "--package=casemate-${stem}" package.cargoBuildFlags) (import ../stems.nix)
  ))
]
