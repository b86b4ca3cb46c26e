# What test scripts call inside the machine: the commands in vm-tests/tools, and the provider stand-in.
{
  casemate,
  chromedriver,
  chromium,
  lib,
  makeWrapper,
  python3,
}:

casemate.overrideAttrs (package: {
  pname = "casemate-test-tools";
  cargoBuildFlags = [ "--package=casemate-testkit" ];
  nativeBuildInputs = package.nativeBuildInputs ++ [ makeWrapper ];
  # For the shebang lines.
  buildInputs = package.buildInputs ++ [ (python3.withPackages (packages: [ packages.selenium ])) ];

  # ask_in_browser.py is the command ask-in-browser.
  postInstall = ''
    for script in ${../../vm-tests/tools}/*.py; do
      name=$(basename $script .py)
      tool=$out/bin/''${name//_/-}
      install -m 0755 $script $tool
      wrapProgram $tool --prefix PATH : ${
        lib.makeBinPath [
          chromedriver
          chromium
        ]
      }
    done
  '';
  doInstallCheck = false;
})
