# What NixOS adds to the packaged units, which stay as they are: each of these becomes a drop-in beside the unit.
{
  # A restart, in one step, when a file that the service reads has changed; its sockets stay open meanwhile. Without
  # `enableDefaultPath' the drop-in would give a PATH to a service that must find no program.
  service = files: {
    overrideStrategy = "asDropin";
    enableDefaultPath = false;
    stopIfChanged = false;
    restartTriggers = files;
  };

  # NixOS ignores the [Install] section of packaged units; this says the same again.
  wanted = target: {
    overrideStrategy = "asDropin";
    wantedBy = [ target ];
  };
}
