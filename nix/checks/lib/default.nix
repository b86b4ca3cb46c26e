# A small stand-in for the part of nixpkgs' lib that is used here, so that all can be evaluated where there is no nixpkgs
# and no network. It follows the real one in what matters: conditions are pushed down to the options that they guard,
# priorities decide, unknown options and values of the wrong type are errors that name the option.
let
  inherit (builtins)
    attrNames
    concatStringsSep
    elem
    filter
    foldl'
    listToAttrs
    map
    stringLength
    substring
    ;

  mkOption = option: { _type = "option"; } // option;

  nameValuePair = name: value: { inherit name value; };
  genAttrs = names: value: listToAttrs (map (name: nameValuePair name (value name)) names);

  lib = {
    inherit (import ./properties.nix) mkDefault mkIf mkMerge;
    inherit (import ./modules.nix { inherit lib; }) evalModules types;
    inherit genAttrs mkOption nameValuePair;
    inherit (builtins) concatMap mapAttrs;

    # What the package asks of nixpkgs' lib beside the module system; enough of it to be evaluated.
    getBin = package: package;
    makeBinPath = packages: concatStringsSep ":" (map (package: "${package}/bin") packages);
    licenses = genAttrs [ "asl20" "mit" ] (name: name);
    fileset = {
      unions = files: files;
      toSource = source: source.root;
    };

    mkEnableOption =
      what:
      mkOption {
        type = lib.types.bool;
        default = false;
        description = "Whether to enable ${what}.";
      };

    optional = condition: value: if condition then [ value ] else [ ];
    optionalString = condition: text: if condition then text else "";
    unique = foldl' (seen: it: if elem it seen then seen else seen ++ [ it ]) [ ];
    filterAttrs =
      keep: set:
      listToAttrs (
        map (name: nameValuePair name set.${name}) (filter (name: keep name set.${name}) (attrNames set))
      );
    mapAttrs' = rename: set: listToAttrs (map (name: rename name set.${name}) (attrNames set));
    mapAttrsToList = what: set: map (name: what name set.${name}) (attrNames set);

    hasPrefix = prefix: text: substring 0 (stringLength prefix) text == prefix;
    hasInfix =
      infix: text:
      let
        length = stringLength infix;
        from = start: substring start length text;
        last = stringLength text - length;
      in
      last >= 0 && builtins.any (start: from start == infix) (builtins.genList (start: start) (last + 1));
    hasSuffix =
      suffix: text:
      let
        from = stringLength text - stringLength suffix;
      in
      from >= 0 && substring from (stringLength suffix) text == suffix;
    removeSuffix =
      suffix: text:
      if lib.hasSuffix suffix text then
        substring 0 (stringLength text - stringLength suffix) text
      else
        text;
  };
in
lib
