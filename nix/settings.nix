# Settings become TOML, and the very service that will read a file checks it while the system is built: a misspelt key
# stops the build with the service's own message, and never reaches a running machine.
{ pkgs, package }:

let
  toml = pkgs.formats.toml { };
  # A build for another architecture cannot run the service; there the check happens when the service starts.
  runnable = pkgs.stdenv.buildPlatform.canExecute pkgs.stdenv.hostPlatform;
in
{
  inherit (toml) type;

  checked =
    {
      stem,
      settings,
      name ? stem,
      arguments ? "",
    }:
    let
      file = toml.generate "${name}.toml" settings;
    in
    if runnable then
      pkgs.runCommand "casemate-${name}.toml" { passthru = { inherit settings; }; } ''
        ${package}/libexec/casemate/casemate-${stem} --check-config ${arguments} --config ${file}
        cp ${file} $out
      ''
    else
      file;

  # A file of its own in /etc, not a link into the store: a service's root holds its file and no store for a link to lead to.
  etc = source: {
    inherit source;
    mode = "0444";
  };
}
