# A corpus that nobody here wrote, for the tests: the Debian FAQ, as Debian 13 packages it.
{
  dpkg,
  fetchurl,
  runCommand,
}:

let
  package = fetchurl {
    name = "debian-faq.deb";
    urls = [
      "https://deb.debian.org/debian/pool/main/d/debian-faq/debian-faq_12.2_all.deb"
      # The same file by its SHA-1, for when Debian 13 has left the mirrors.
      "https://snapshot.debian.org/file/517d0bc75ae6059f7fea996360553c8bb2c9051d"
    ];
    hash = "sha256-MD8cneHVhYl1SQ3Z9QqE/NHCLwTFhKAa/DC1tPxP5S0=";
  };
in
runCommand "debian-faq" { nativeBuildInputs = [ dpkg ]; } ''
  dpkg-deb --extract ${package} files
  mkdir --parents $out/share/doc
  cp --recursive files/usr/share/doc/debian $out/share/doc/
''
