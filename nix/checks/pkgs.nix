# Stands in for nixpkgs' package set: a derivation here is the set of what it was asked to do, so that a check can look
# at it. Nothing is built.
{ lib }:

let
  inherit (builtins)
    functionArgs
    intersectAttrs
    listToAttrs
    map
    ;

  derivation =
    name: attributes:
    attributes
    // attributes.passthru or { }
    // {
      type = "derivation";
      inherit name;
      outPath = "/nix/store/00000000000000000000000000000000-${name}";
      overrideAttrs = change: derivation name (attributes // change attributes);
    };

  # What a TOML file can hold (pkgs/pkgs-lib/formats.nix).
  tomlValue =
    lib.types.oneOf [
      lib.types.bool
      lib.types.int
      lib.types.float
      lib.types.str
      lib.types.path
      (lib.types.attrsOf tomlValue)
      (lib.types.listOf tomlValue)
    ]
    // {
      description = "TOML value";
    };

  platform = {
    system = "x86_64-linux";
    canExecute = _: true;
  };

  # Packages of which only the path matters.
  plain = listToAttrs (
    map
      (name: {
        inherit name;
        value = derivation name { };
      })
      [
        "cargo-nextest"
        "chromedriver"
        "chromium"
        "clippy"
        "coreutils"
        "deadnix"
        "dpkg"
        "emptyFile"
        "installShellFiles"
        "makeWrapper"
        "nixfmt"
        "nixfmt-tree"
        "nftables"
        "openssl"
        "pebble"
        "rustfmt"
        "systemd"
      ]
  );

  set =
    overlay:
    let
      self = base // overlay self base;
      base = plain // {
        inherit lib;
        runtimeShell = "/bin/sh";
        callPackage =
          file: arguments:
          let
            function = import file;
          in
          function (intersectAttrs (functionArgs function) self // arguments);
        extend = set;

        stdenv = {
          buildPlatform = platform;
          hostPlatform = platform;
        };
        glibc.static = derivation "glibc-static" { };
        python3.withPackages =
          choose: derivation "python3" { packages = choose { selenium = "selenium"; }; };

        fetchurl = { name, ... }@attributes: derivation name attributes;
        formats.toml = _: {
          type = lib.types.attrsOf tomlValue;
          generate = name: settings: derivation name { inherit settings; };
        };
        mkShell = derivation "shell";
        runCommand =
          name: attributes: script:
          derivation name (attributes // { inherit script; });
        rustPlatform.buildRustPackage =
          attributes:
          derivation attributes.pname (
            {
              nativeBuildInputs = [ ];
              buildInputs = [ ];
            }
            // attributes
          );
        testers.runNixOSTest = test: derivation "vm-test-run-${test.name}" test;
      };
    in
    self;
in
set (_: _: { })
