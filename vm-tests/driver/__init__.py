"""The NixOS test driver's calls, for machines that are booted without Nix.

A test script in `vm-tests/` uses only what the NixOS test driver offers, and so runs unchanged in both places.
"""
