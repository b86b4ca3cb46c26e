# The options' defaults, and what becomes of bad input.
{
  lib,
  pkgs,
  evaluate,
  evaluateHost,
  that,
  same,
  fails,
  ...
}:

let
  inherit (builtins)
    all
    concatMap
    map
    ;

  # NixOS as it is without these modules.
  untouched =
    (lib.evalModules {
      modules = [ ./nixos.nix ];
      specialArgs = { inherit pkgs; };
    }).config;
  off = evaluate { };
  # A store path stands for a package: defaults must be values that can be shown.
  defaults = (evaluate { enable = true; }).services.casemate;

  refused = config: !all (it: it.assertion) config.assertions;
  accepts = name: !refused (bot name);
  bot =
    name:
    evaluate {
      enable = true;
      bots.${name}.title = "Shop assistant";
    };
in
[
  (that "a kernel without Landlock is accepted" (
    refused (evaluateHost {
      security.lsm = [ "yama" ];
      services.casemate.enable = true;
    })
  ))
  (that "the options' defaults cannot be written as JSON" (!fails defaults))
  (that "the name `x' names no bot" (accepts "x"))
  (that "32 characters name no bot" (accepts "x2345678901234567890123456789012"))
]
++ map (name: that "`${name}' may name a bot" (!accepts name)) [
  "Shop"
  "-shop"
  "shop-"
  "a.b"
  "x23456789012345678901234567890123"
]
++ map (name: same "`${name}' on a host without Casemate" off.${name} untouched.${name}) [
  "environment"
  "networking"
  "systemd"
  "users"
]
++
  concatMap
    (
      { what, settings }:
      [
        (that "${what} is accepted" (fails (evaluate ({ enable = true; } // settings)).services.casemate))
      ]
    )
    [
      {
        what = "a bot without a title";
        settings.bots.shop.preview = true;
      }
      {
        what = "a title that is a number";
        settings.bots.shop.title = 1;
      }
      {
        what = "a port past 65535";
        settings.gate.port = 65536;
      }
      {
        what = "a misspelt option";
        settings.gate.prot = 443;
      }
      {
        what = "a credential that is no path";
        settings.llm.credentials."provider.openai" = "sk-secret";
      }
      {
        what = "a setting that TOML cannot hold";
        settings.gate.settings.limit = null;
      }
    ]
