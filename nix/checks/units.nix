# What the unit files say, as far as the modules must agree with it.
let
  inherit (builtins)
    attrNames
    concatMap
    elemAt
    filter
    foldl'
    isString
    listToAttrs
    map
    match
    readDir
    readFile
    split
    ;

  root = ../../systemd;
  unitPattern = "casemate-.*\\.(path|service|socket|target|timer)";

  words = text: filter (word: isString word && word != "") (split "[[:space:]]+" text);
  linesOf = file: filter isString (split "\n" (readFile file));
  matches = pattern: file: filter (found: found != null) (map (match pattern) (linesOf file));
  valuesOf = key: file: concatMap (found: words (elemAt found 0)) (matches "${key}=(.*)" file);
  unique = foldl' (seen: it: if builtins.elem it seen then seen else seen ++ [ it ]) [ ];

  entries = readDir root;
  units = filter (name: entries.${name} == "regular" && match unitPattern name != null) (
    attrNames entries
  );
  dropIns = concatMap (
    name:
    if entries.${name} == "directory" then
      map (file: root + "/${name}/${file}") (attrNames (readDir (root + "/${name}")))
    else
      [ ]
  ) (attrNames entries);
  files = map (name: root + "/${name}") units ++ dropIns;
in
{
  inherit units;

  # Stems, by the services: casemate-gate.service, casemate-chat@.service.
  stems = concatMap (
    name:
    let
      found = match "casemate-([a-z]+)@?\\.service" name;
    in
    if found == null then [ ] else found
  ) units;

  # Unit -> targets in its [Install] section; units that have none are left out.
  wantedBy = listToAttrs (
    filter (entry: entry.value != [ ]) (
      map (name: {
        inherit name;
        value = valuesOf "WantedBy" (root + "/${name}");
      }) units
    )
  );

  # Groups that the units name, and those that sysusers.d makes.
  groupsNamed = unique (
    concatMap (file: valuesOf "SocketGroup" file ++ valuesOf "SupplementaryGroups" file) files
  );
  groupsMade = map (found: elemAt found 0) (
    matches "g ([^ ]+) .*" (root + "/sysusers.d/casemate.conf")
  );

  # The names between two @.
  placeholders = unique (
    concatMap (
      file: concatMap (part: if isString part then [ ] else part) (split "@([a-z]+)@" (readFile file))
    ) files
  );

  # Files and directories that a stem's unit is shown, without the "-" that means "if it exists".
  shown =
    stem:
    concatMap (
      name:
      concatMap (path: match "-?(.*)" path) (
        valuesOf "BindReadOnlyPaths" (root + "/${name}/50-grant.conf")
      )
    ) (filter (name: match "casemate-${stem}@?\\.service\\.d" name != null) (attrNames entries));

}
