final: _: {
  casemate = final.callPackage ./package.nix { };
}
