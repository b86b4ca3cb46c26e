# llm: answers, from the documents alone or through a provider.
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
    stem = "llm";
    inherit (cfg.llm) settings;
  };
in
{
  options.services.casemate.llm = {
    enable = lib.mkEnableOption "answers" // {
      default = true;
    };

    settings = lib.mkOption {
      inherit (toml) type;
      default = { };
      example = {
        provider = [
          {
            name = "openai";
            base_url = "https://api.openai.com/v1";
            model = "gpt-5-mini";
            credential = "provider.openai";
          }
        ];
      };
      description = "The contents of {file}`/etc/casemate/llm.toml`, checked by llm itself.";
    };

    credentials = lib.mkOption {
      type = lib.types.attrsOf lib.types.path;
      default = { };
      example = {
        "provider.openai" = "/etc/credstore.encrypted/provider.openai";
      };
      description = ''
        Providers' keys: the name that a provider's `credential` gives, and the file that
        {command}`systemd-creds encrypt --name=NAME` made. Only llm is given them.
      '';
    };
  };

  config = lib.mkIf (cfg.enable && cfg.llm.enable) {
    environment.etc."casemate/llm.toml" = toml.etc file;
    users.groups.casemate-to-llm = { };
    systemd.services.casemate-llm =
      dropIn.service [ file ]
      // dropIn.wanted "multi-user.target"
      // {
        serviceConfig.LoadCredentialEncrypted = lib.mapAttrsToList (
          name: path: "${name}:${path}"
        ) cfg.llm.credentials;
      };
    systemd.sockets.casemate-llm = dropIn.wanted "sockets.target";
  };
}
