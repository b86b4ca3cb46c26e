# What it takes to work on Casemate: the compiler that builds it, and what `cargo xtask test' calls.
{
  mkShell,
  casemate,
  cargo-nextest,
  clippy,
  deadnix,
  nixfmt,
  rustfmt,
}:

mkShell {
  inputsFrom = [ casemate ];
  packages = [
    cargo-nextest
    clippy
    deadnix
    nixfmt
    rustfmt
  ];
}
