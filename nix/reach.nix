# What llm must reach for its providers, and certs for its directory, beyond what is declared: dialer refuses an entry
# that says again what another one says. A host that is not on HTTPS, or is an address, is in a private network as a
# rule; to permit that is the administrator's decision, and so is left to be declared.
{
  lib,
  declared,
  providers,
  acme,
}:

let
  httpsPort = 443;
  # As in crates/certs/src/config/acme.rs.
  letsEncrypt = "https://acme-v02.api.letsencrypt.org/directory";

  wanted =
    map (provider: {
      unit = "llm";
      url = provider.base_url or "";
    }) providers
    ++ lib.optional (acme != null) {
      unit = "certs";
      url = acme.directory or letsEncrypt;
    };

  entry =
    { unit, url }:
    let
      parts = builtins.match "https://([A-Za-z0-9.-]+)(:([1-9][0-9]*))?(/.*)?" url;
      port = builtins.elemAt parts 2;
    in
    lib.optional (parts != null) {
      inherit unit;
      host = builtins.head parts;
      ports = [ (if port == null then httpsPort else builtins.fromJSON port) ];
    };

  covers =
    new: old:
    (old.unit or "") == new.unit
    && (old.host or "") == new.host
    && builtins.elem (builtins.head new.ports) (old.ports or [ ]);
in
builtins.filter (new: !builtins.any (covers new) declared) (lib.unique (lib.concatMap entry wanted))
