# The modules turn on the units that there are, all of them, and as their [Install] sections say.
{
  lib,
  units,
  evaluate,
  that,
  same,
  none,
  sorted,
  without,
  ...
}:

let
  inherit (builtins)
    attrNames
    concatMap
    concatStringsSep
    elem
    filter
    listToAttrs
    map
    match
    pathExists
    readDir
    ;

  stems = import ../stems.nix;
  modules = map (lib.removeSuffix ".nix") (attrNames (readDir ../module));

  plain = evaluate { enable = true; };
  withBot = evaluate {
    enable = true;
    bots.shop.title = "Shop assistant";
    bots.desk = {
      title = "Help desk";
      instances = 3;
    };
  };

  suffixes = {
    paths = "path";
    services = "service";
    sockets = "socket";
    targets = "target";
    timers = "timer";
  };
  # Every unit that a configuration touches, by its full name.
  touched =
    config:
    listToAttrs (
      concatMap (
        kind:
        map (name: lib.nameValuePair "${name}.${suffixes.${kind}}" config.systemd.${kind}.${name}) (
          attrNames config.systemd.${kind}
        )
      ) (attrNames suffixes)
    );
  wanted = lib.mapAttrs (_: unit: unit.wantedBy) (
    lib.filterAttrs (_: unit: unit.wantedBy != [ ]) (touched plain)
  );
  # casemate-chat@shop.service and casemate-chat@shop.2.service come from the file casemate-chat@.service.
  file =
    name:
    let
      parts = match "([^@]+@)[^@]+([.][a-z]+)" name;
    in
    if parts == null then name else concatStringsSep "" parts;

  # As the bots of `withBot` ask for.
  instances = [
    {
      bot = "desk";
      instance = "desk";
    }
    {
      bot = "desk";
      instance = "desk.2";
    }
    {
      bot = "desk";
      instance = "desk.3";
    }
    {
      bot = "shop";
      instance = "shop";
    }
  ];

  perStem = concatMap (stem: [
    (that "the stem ${stem} has no crate" (pathExists (../../crates + "/${stem}")))
    (that "the stem ${stem} has no module" (elem stem modules))
  ]) stems;

  perUnit = concatMap (
    name:
    let
      unit = (touched withBot).${name};
    in
    [
      (that "the modules set ${name}, which is not under systemd/" (elem (file name) units.units))
      (that "the modules' ${name} would replace the packaged unit" (unit.overrideStrategy == "asDropin"))
      (that "the modules give ${name} a PATH" (!(unit.enableDefaultPath or false)))
    ]
  ) (attrNames (touched withBot));
in
perStem
++ perUnit
++ [
  (same "stems, and services under systemd/" (sorted stems) (sorted units.stems))
  (none "modules that belong to no stem" (
    without (
      stems
      ++ [
        "cli"
        "default"
      ]
    ) modules
  ))
  (same "what the modules start, and what the [Install] sections say" wanted units.wantedBy)
  (same "users.groups, and what sysusers.d makes" (attrNames plain.users.groups) (
    sorted units.groupsMade
  ))
  # systemd makes its own.
  (none "groups that units name and nothing makes" (
    without ([ "systemd-journal" ] ++ units.groupsMade) units.groupsNamed
  ))
  (none "declared bots that keep running when their file changes" (
    filter (
      unit:
      (withBot.systemd.services."casemate-chat@${unit.instance}".restartTriggers or [ ])
      != [ withBot.environment.etc."casemate/bots/${unit.bot}.toml".source ]
    ) instances
  ))
  (same "the units of declared bots" (filter (name: match "casemate-chat@.+" name != null) (
    attrNames withBot.systemd.services
  )) (sorted (map (unit: "casemate-chat@${unit.instance}") instances)))
]
