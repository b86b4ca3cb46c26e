# gate: terminates TLS and forwards to the bots; beside it, HTTP for challenges and the way to HTTPS.
{
  config,
  lib,
  pkgs,
  ...
}:

let
  cfg = config.services.casemate;
  dropIn = import ../drop-in.nix;
  toml = import ../settings.nix {
    inherit pkgs;
    inherit (cfg) package;
  };
  file = toml.checked {
    stem = "gate";
    # Where a router leads another port here, the settings say which one visitors see.
    settings =
      if cfg.gate.port == packagedPort then
        cfg.gate.settings
      else
        cfg.gate.settings
        // {
          http = {
            redirect_port = cfg.gate.port;
          }
          // cfg.gate.settings.http or { };
        };
  };
  # The port in systemd/casemate-gate.socket.
  packagedPort = 443;
  # The port in systemd/casemate-gate-http.socket.
  packagedHttpPort = 80;
  # The port in systemd/casemate-gate-peers.socket.
  packagedPeersPort = 9443;

  authority = lib.optional (cfg.gate.peersAuthority != null) cfg.gate.peersAuthority;

  # The empty entry takes back what the packaged unit listens on.
  listen =
    packaged: port:
    lib.mkIf (port != packaged) [
      ""
      (toString port)
    ];
in
{
  options.services.casemate.gate = {
    enable = lib.mkEnableOption "the HTTPS server" // {
      default = true;
    };

    settings = lib.mkOption {
      inherit (toml) type;
      default = { };
      description = "The contents of {file}`/etc/casemate/gate.toml`, checked by gate itself.";
    };

    port = lib.mkOption {
      type = lib.types.port;
      default = packagedPort;
      description = "The TCP port that gate serves on.";
    };

    httpPort = lib.mkOption {
      type = lib.types.port;
      default = packagedHttpPort;
      description = "The TCP port on which gate answers certificate authorities' challenges and leads visitors to HTTPS.";
    };

    peersPort = lib.mkOption {
      type = lib.types.port;
      default = packagedPeersPort;
      description = ''
        The TCP port on which gate takes what other appliances (`appliances` in the settings) hand on. It is open where
        {file}`/etc/casemate/peers.pem` holds their authority.
      '';
    };

    peersAuthority = lib.mkOption {
      type = lib.types.nullOr lib.types.path;
      default = null;
      description = ''
        The certificate of the authority that all appliances share, as PEM. This one's own key and certificate are the
        sealed credential `gate.peer` in {file}`/etc/credstore.encrypted`.
      '';
    };

    openFirewall = lib.mkOption {
      type = lib.types.bool;
      default = false;
      description = "Whether the firewall lets visitors reach both of their ports.";
    };
  };

  config = lib.mkIf (cfg.enable && cfg.gate.enable) {
    environment.etc."casemate/gate.toml" = toml.etc file;
    environment.etc."casemate/peers.pem" = lib.mkIf (cfg.gate.peersAuthority != null) {
      source = cfg.gate.peersAuthority;
      # A copy, since a link would lead nowhere in the service's root.
      mode = "0444";
    };
    networking.firewall.allowedTCPPorts = lib.mkIf cfg.gate.openFirewall [
      cfg.gate.port
      cfg.gate.httpPort
    ];
    users.groups.casemate-tls = { };
    users.groups.casemate-events = { };
    systemd.services.casemate-gate =
      dropIn.service ([ file ] ++ authority) // dropIn.wanted "multi-user.target";
    systemd.sockets.casemate-gate = dropIn.wanted "sockets.target" // {
      listenStreams = listen packagedPort cfg.gate.port;
    };
    systemd.sockets.casemate-gate-peers = {
      overrideStrategy = "asDropin";
      listenStreams = listen packagedPeersPort cfg.gate.peersPort;
    };
    systemd.sockets.casemate-gate-http = dropIn.wanted "sockets.target" // {
      listenStreams = listen packagedHttpPort cfg.gate.httpPort;
    };
  };
}
