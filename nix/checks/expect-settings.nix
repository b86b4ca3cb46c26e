# What the settings become: files that their service has checked and can see, drop-ins, rules.
{
  lib,
  units,
  evaluate,
  that,
  same,
  sorted,
  ...
}:

let
  inherit (builtins)
    attrNames
    concatMap
    elem
    head
    map
    match
    replaceStrings
    toJSON
    ;

  plain = evaluate { enable = true; };
  bot = {
    title = "Shop assistant";
    suggestions = [ "Where is my parcel?" ];
    preview = true;
  };
  full = evaluate {
    enable = true;
    bots.shop = bot;
    gate = {
      port = 8443;
      httpPort = 8080;
      openFirewall = true;
    };
    llm = {
      settings.provider = [
        { base_url = "https://api.openai.com/v1"; }
        { base_url = "https://llm.example:8443"; }
        { base_url = "https://llm.example:8443/other"; }
        { base_url = "https://declared.example/v1"; }
        { base_url = "http://undeclared.example/v1"; }
        { base_url = "http://ollama.lan:11434/v1"; }
      ];
      credentials."provider.openai" = "/etc/credstore.encrypted/provider.openai";
    };
    certs.settings.acme = {
      agree_to_terms = true;
      names = [ "shop.example" ];
    };
    dialer.settings.reach = [
      {
        unit = "llm";
        host = "ollama.lan";
        ports = [ 11434 ];
        private = true;
      }
      {
        unit = "llm";
        host = "declared.example";
        ports = [
          80
          443
        ];
      }
    ];
  };
  beside = evaluate {
    enable = true;
    gate = {
      peersPort = 9444;
      peersAuthority = "/srv/peers.pem";
    };
  };
  etc = full.environment.etc;
  # As written to the file.
  reach = etc."casemate/dialer.toml".source.settings.reach;

  oneLine = replaceStrings [ "\n" ] [ " " ];
  contains = pattern: text: match ".*${pattern}.*" (oneLine text) != null;

  perFile = concatMap (
    path:
    let
      name = match "casemate/bots/(.*)[.]toml" path;
      isBot = name != null;
      stem = if isBot then "chat" else head (match "casemate/(.*)[.]toml" path);
      instance = lib.optionalString isBot "--instance ${head name} ";
      shown = if isBot then "/etc/casemate/bots" else "/etc/${path}";
    in
    [
      (that "/etc/${path} is not checked by ${stem}" (
        contains "/libexec/casemate/casemate-${stem} --check-config +${instance}--config /"
          etc.${path}.source.script
      ))
      (that "/etc/${path} is a link, which leads nowhere in a service's root" (
        etc.${path}.mode == "0444"
      ))
      # Or its folder, where the service reads the file anew.
      (that "the unit of ${stem} is not shown ${shown}" (
        elem shown (units.shown stem) || elem (dirOf shown) (units.shown stem)
      ))
    ]
  ) (attrNames etc);
in
perFile
++ [
  (same "files" (attrNames etc) [
    "casemate/bots/shop.toml"
    "casemate/certs.toml"
    "casemate/dialer.toml"
    "casemate/firewall.toml"
    "casemate/gate.toml"
    "casemate/guard.toml"
    "casemate/llm.toml"
  ])
  (same "the bot's file" full.services.casemate.bots.shop bot)
  (same "gate's port unless asked for another" plain.systemd.sockets.casemate-gate.listenStreams [ ])
  (same "gate's other port" full.systemd.sockets.casemate-gate.listenStreams [
    ""
    "8443"
  ])
  (same "gate's port of HTTP unless asked for another"
    plain.systemd.sockets.casemate-gate-http.listenStreams
    [ ]
  )
  (same "gate's other port of HTTP" full.systemd.sockets.casemate-gate-http.listenStreams [
    ""
    "8080"
  ])
  (same "gate's port for appliances unless asked for another"
    plain.systemd.sockets.casemate-gate-peers.listenStreams
    [ ]
  )
  (same "gate's other port for appliances" beside.systemd.sockets.casemate-gate-peers.listenStreams [
    ""
    "9444"
  ])
  (same "the authority of appliances, as a copy" beside.environment.etc."casemate/peers.pem" {
    source = "/srv/peers.pem";
    mode = "0444";
  })
  (that "gate is not restarted for another authority of appliances" (
    elem "/srv/peers.pem" beside.systemd.services.casemate-gate.restartTriggers
  ))
  (same "where gate leads visitors unless asked for another port"
    plain.environment.etc."casemate/gate.toml".source.settings
    { }
  )
  (same "where gate leads visitors" etc."casemate/gate.toml".source.settings.http.redirect_port 8443)
  (same "ports in the firewall, unasked" plain.networking.firewall.allowedTCPPorts [ ])
  (same "ports in the firewall" full.networking.firewall.allowedTCPPorts [
    8443
    8080
  ])
  (same "llm's credentials" full.systemd.services.casemate-llm.serviceConfig.LoadCredentialEncrypted [
    "provider.openai:/etc/credstore.encrypted/provider.openai"
  ])
  (same "what llm and certs may reach" (sorted (map toJSON reach)) (
    sorted (
      map toJSON (
        full.services.casemate.dialer.settings.reach
        ++ [
          {
            unit = "llm";
            host = "api.openai.com";
            ports = [ 443 ];
          }
          {
            unit = "llm";
            host = "llm.example";
            ports = [ 8443 ];
          }
          {
            unit = "certs";
            host = "acme-v02.api.letsencrypt.org";
            ports = [ 443 ];
          }
        ]
      )
    )
  ))
]
