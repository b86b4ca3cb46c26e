# Types and modules (nixpkgs: lib/types.nix, lib/modules.nix).
{ lib }:

let
  inherit (builtins)
    all
    attrNames
    concatLists
    concatMap
    concatStringsSep
    elem
    elemAt
    filter
    foldl'
    functionArgs
    genList
    hasAttr
    head
    intersectAttrs
    isAttrs
    isBool
    isFloat
    isFunction
    isInt
    isList
    isPath
    isString
    length
    listToAttrs
    map
    mapAttrs
    match
    removeAttrs
    substring
    tail
    toJSON
    typeOf
    ;
  inherit (import ./properties.nix)
    declaredPriority
    discharge
    isType
    mkOverride
    pushDown
    strongest
    ;

  show = path: concatStringsSep "." path;
  unique = foldl' (seen: name: if elem name seen then seen else seen ++ [ name ]) [ ];
  namesOf = sets: unique (concatMap attrNames sets);
  having = name: sets: map (set: set.${name}) (filter (hasAttr name) sets);

  # One option's value, from its undischarged definitions.
  settle =
    path: type: values:
    let
      strong = strongest (concatMap discharge values);
      wrong = filter (value: !type.check value) strong;
    in
    if strong == [ ] then
      type.empty or (throw "the option `${show path}' is used but has no value")
    else if wrong != [ ] then
      throw "the option `${show path}' wants ${type.description}, not a value of the type ${typeOf (head wrong)}"
    else
      type.merge path strong;

  only =
    path: values:
    if all (value: value == head values) values then
      head values
    else
      throw "the option `${show path}' has definitions that disagree";

  plain = description: check: {
    inherit description check;
    merge = only;
  };

  attrsOf = element: {
    description = "attributes of ${element.description}";
    check = isAttrs;
    empty = { };
    merge =
      path: values:
      let
        sets = concatMap pushDown values;
        defined = filter (name: concatMap discharge (having name sets) != [ ]) (namesOf sets);
      in
      listToAttrs (
        map (name: {
          inherit name;
          value = settle (path ++ [ name ]) element (having name sets);
        }) defined
      );
  };

  listOf = element: {
    description = "list of ${element.description}";
    check = isList;
    empty = [ ];
    merge =
      path: values:
      let
        all' = concatLists values;
      in
      genList (index: settle (path ++ [ "[${toString index}]" ]) element [ (elemAt all' index) ]) (
        length all'
      );
  };

  either = left: right: {
    description = "${left.description} or ${right.description}";
    check = value: left.check value || right.check value;
    merge =
      path: values: if all left.check values then left.merge path values else right.merge path values;
  };

  nullOr = either (plain "null" (value: value == null));

  oneOf = list: foldl' either (head list) (tail list);

  submodule = module: {
    description = "a submodule";
    check = value: isAttrs value || isFunction value;
    empty = { };
    merge =
      path: values:
      (evalModules {
        modules = [ module ] ++ map (value: { config = value; }) values;
        prefix = path;
        specialArgs.name = elemAt path (length path - 1);
      }).config;
  };

  types = {
    bool = plain "a boolean" isBool;
    int = plain "an integer" isInt;
    float = plain "a float" isFloat;
    str = plain "a string" isString;
    port = plain "a port" (value: isInt value && value >= 0 && value <= 65535);
    path = plain "an absolute path" (
      value: isPath value || isAttrs value || (isString value && substring 0 1 value == "/")
    );
    package = plain "a package" (value: isAttrs value && value.type or null == "derivation");
    raw = plain "a value" (_: true);
    enum = choices: plain "one of ${toJSON choices}" (value: elem value choices);
    strMatching =
      pattern:
      plain "a string matching ${pattern}" (value: isString value && match pattern value != null);
    inherit
      attrsOf
      either
      listOf
      nullOr
      oneOf
      submodule
      ;
  };

  # The value of one option, or the same again for each name below it.
  evalTree =
    path: options: freeform: definitions:
    let
      sets = concatMap pushDown definitions;
    in
    if isType "option" options then
      settle path options.type (
        definitions
        ++ (if options ? default then [ (mkOverride declaredPriority options.default) ] else [ ])
      )
    else
      mapAttrs (name: inner: evalTree (path ++ [ name ]) inner null (having name sets)) options
      // (
        if freeform == null then
          { }
        else
          settle path freeform (map (set: removeAttrs set (attrNames options)) sets)
      );

  # Paths that have a value and no option.
  unknown =
    path: options: definitions:
    let
      sets = concatMap pushDown definitions;
    in
    if isType "option" options then
      [ ]
    else
      concatMap (
        name:
        if hasAttr name options then
          unknown (path ++ [ name ]) options.${name} (having name sets)
        else if concatMap discharge (having name sets) == [ ] then
          [ ]
        else
          [ (show (path ++ [ name ])) ]
      ) (namesOf sets);

  mergeOptions =
    path: sets:
    if length sets == 1 then
      head sets
    else if filter (isType "option") sets != [ ] then
      throw "the option `${show path}' is declared twice"
    else
      listToAttrs (
        map (name: {
          inherit name;
          value = mergeOptions (path ++ [ name ]) (having name sets);
        }) (namesOf sets)
      );

  evalModules =
    {
      modules,
      specialArgs ? { },
      prefix ? [ ],
    }:
    let
      arguments = specialArgs // {
        inherit lib config options;
      };
      call =
        module:
        let
          loaded = if isPath module || isString module then import module else module;
          value = if isFunction loaded then loaded (known loaded) else loaded;
          known = function: if functionArgs function == { } then arguments else wanted function;
          wanted = function: intersectAttrs (functionArgs function) arguments;
          structured = value ? options || value ? config || value ? freeformType;
          own = {
            options = value.options or { };
            freeform = value.freeformType or null;
            config = if structured then value.config or { } else removeAttrs value [ "imports" ];
          };
        in
        [ own ] ++ concatMap call (value.imports or [ ]);
      flat = concatMap call modules;
      freeforms = filter (type: type != null) (map (module: module.freeform) flat);
      options = mergeOptions prefix (map (module: module.options) flat);
      freeform = if freeforms == [ ] then null else head freeforms;
      definitions = map (module: module.config) flat;
      # What modules see is not checked for unknown options: the check asks them for their conditions.
      config = evalTree prefix options freeform definitions;
      strays = if freeform == null then unknown prefix options definitions else [ ];
    in
    {
      inherit options;
      config = if strays == [ ] then config else throw "there is no option `${head strays}'";
    };
in
{
  inherit evalModules types;
}
