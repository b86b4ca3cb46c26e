# Conditions, merges and priorities (nixpkgs: lib/modules.nix).
let
  inherit (builtins)
    concatMap
    filter
    foldl'
    isAttrs
    mapAttrs
    ;

  isType = name: value: isAttrs value && value._type or null == name;

  # Priorities as nixpkgs numbers them: the lower one wins.
  plainPriority = 100;
  defaultPriority = 1000;
  declaredPriority = 1500;

  mkIf = condition: content: {
    _type = "if";
    inherit condition content;
  };
  mkMerge = contents: {
    _type = "merge";
    inherit contents;
  };
  mkOverride = priority: content: {
    _type = "override";
    inherit priority content;
  };
  mkDefault = mkOverride defaultPriority;

  # Sets without properties at the top: a condition moves to each attribute, and so is looked at only when that
  # attribute is (a module may ask `config` whether it is enabled).
  pushDown =
    value:
    if isType "if" value then
      map (mapAttrs (_: mkIf value.condition)) (pushDown value.content)
    else if isType "merge" value then
      concatMap pushDown value.contents
    else if isType "override" value then
      map (mapAttrs (_: mkOverride value.priority)) (pushDown value.content)
    else
      [ value ];

  discharge =
    value:
    if isType "if" value then
      if value.condition then discharge value.content else [ ]
    else if isType "merge" value then
      concatMap discharge value.contents
    else if isType "override" value then
      map (it: it // { inherit (value) priority; }) (discharge value.content)
    else
      [
        {
          priority = plainPriority;
          inherit value;
        }
      ];

  strongest =
    definitions:
    let
      lowest = foldl' (
        low: it: if it.priority < low then it.priority else low
      ) declaredPriority definitions;
    in
    map (it: it.value) (filter (it: it.priority == lowest) definitions);
in
{
  inherit
    declaredPriority
    discharge
    isType
    mkDefault
    mkIf
    mkMerge
    mkOverride
    pushDown
    strongest
    ;
}
