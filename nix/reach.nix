# What llm must reach for its providers, beyond what is declared: dialer refuses an entry that says again what another
# one says. A provider that is not on HTTPS, or is an address, is in a private network as a rule; to permit that is the
# administrator's decision, and so is left to be declared.
{
  lib,
  declared,
  providers,
}:

let
  unit = "llm";
  httpsPort = 443;

  entry =
    provider:
    let
      parts = builtins.match "https://([A-Za-z0-9.-]+)(:([1-9][0-9]*))?(/.*)?" (provider.base_url or "");
      port = builtins.elemAt parts 2;
    in
    lib.optional (parts != null) {
      inherit unit;
      host = builtins.head parts;
      ports = [ (if port == null then httpsPort else builtins.fromJSON port) ];
    };

  covers =
    new: old:
    (old.unit or "") == unit
    && (old.host or "") == new.host
    && builtins.elem (builtins.head new.ports) (old.ports or [ ]);
in
builtins.filter (new: !builtins.any (covers new) declared) (
  lib.unique (lib.concatMap entry providers)
)
