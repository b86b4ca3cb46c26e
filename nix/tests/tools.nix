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

  postInstall = ''
    for tool in ${../../vm-tests/tools}/*; do
      install --mode=0755 $tool $out/bin/
      wrapProgram $out/bin/$(basename $tool) --prefix PATH : ${
        lib.makeBinPath [
          chromedriver
          chromium
        ]
      }
    done
  '';
  doInstallCheck = false;
})
