# The services, their units, and the operators' command.
{
  lib,
  coreutils,
  glibc,
  installShellFiles,
  rustPlatform,
  runtimeShell,
  stdenv,
  systemd,
}:

let
  stems = import ./stems.nix;

  # What stands between two @ in the unit files.
  substitutions = {
    bindir = "${placeholder "out"}/libexec/casemate";
    coreutils = "${lib.getBin coreutils}/bin";
    shell = runtimeShell;
    systemd = "${lib.getBin systemd}/bin";
  };

  sedExpressions = lib.mapAttrsToList (name: path: "-e 's|@${name}@|${path}|g'") substitutions;
in
rustPlatform.buildRustPackage {
  pname = "casemate";
  version = (fromTOML (builtins.readFile ../Cargo.toml)).workspace.package.version;

  src = lib.fileset.toSource {
    root = ../.;
    fileset = lib.fileset.unions [
      ../Cargo.lock
      ../Cargo.toml
      ../crates
      ../systemd
    ];
  };

  nativeBuildInputs = [ installShellFiles ];
  cargoLock.lockFile = ../Cargo.lock;
  cargoBuildFlags = map (stem: "--package=casemate-${stem}") (stems ++ [ "cli" ]);

  # A service lives in a root that holds its binary and no library, so each binary is whole in itself: static, and
  # position-independent all the same (static-pie). It is glibc's static form and not pkgsStatic's musl, so that it is
  # built by the compiler in the cache, keeps glibc's allocator, and is what the test machines run. As a flag for rustc,
  # the path leads to libc.a in the services' link and not in that of build scripts, which stay dynamic.
  # Relocations are packed: they are memory of each service.
  # The cfg lets the cipher use AVX-512 where the processor has it, found out when it runs.
  env.RUSTFLAGS = "-C target-feature=+crt-static -L native=${glibc.static}/lib -C link-arg=-Wl,-z,pack-relative-relocs --cfg chacha20_avx512";

  # They run in a test machine, confined for real, which a build's sandbox has no room for: `cargo xtask test'.
  doCheck = false;

  postInstall = ''
    mkdir -p $out/libexec/casemate $out/lib/systemd/{system,system-generators,system-preset} $out/share/casemate
    mv $out/bin/casemate-bots-generator $out/lib/systemd/system-generators/
    mv $out/bin/casemate-* $out/libexec/casemate/

    cp -r systemd/casemate-* $out/lib/systemd/system/
    cp systemd/*.preset $out/lib/systemd/system-preset/
    cp -r systemd/sysusers.d systemd/tmpfiles.d $out/lib/
    find $out/lib/systemd/system -type f -exec sed -i ${toString sedExpressions} {} +

    cp -r crates/chat/handbook crates/chat/demo $out/share/casemate/
  ''
  + lib.optionalString (stdenv.buildPlatform.canExecute stdenv.hostPlatform) ''
    installShellCompletion --cmd casemate \
      --bash <($out/bin/casemate completions bash) \
      --fish <($out/bin/casemate completions fish) \
      --zsh <($out/bin/casemate completions zsh)
  '';

  # There is no run path to shorten in a static binary.
  dontPatchELF = true;

  doInstallCheck = true;
  installCheckPhase = ''
    runHook preInstallCheck
    for stem in ${toString stems}; do
      binary=$out/libexec/casemate/casemate-$stem
      if readelf --program-headers --wide $binary | grep --quiet INTERP; then
        echo "$binary is not static: it would find no loader in its root" >&2
        exit 1
      fi
    done
    if grep --recursive --extended-regexp '@[a-z]+@' $out/lib/systemd/system; then
      echo "these unit files still have a placeholder" >&2
      exit 1
    fi
    runHook postInstallCheck
  '';

  passthru = {
    inherit stems substitutions;
  };

  meta = {
    description = "An AI assistant for a website, in services that are each confined by themselves";
    license = [
      lib.licenses.mit
      lib.licenses.asl20
    ];
    mainProgram = "casemate";
    platforms = [ "x86_64-linux" ];
  };
}
