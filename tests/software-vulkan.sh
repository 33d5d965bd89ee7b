#!/bin/sh
# Installs a software Vulkan device (Mesa's lavapipe) for the webgpu tests, on Debian 12 and as root. Running it again is free.
#
# In:  a Debian machine whose apt sources name a mirror. Out: libvulkan.so.1 and a lavapipe driver that Dawn accepts.
# Debian 12's own Mesa (22.3) is too old for Dawn, so the driver comes from the backports suite of the same mirror; the mirror
# is read out of this machine's sources, and no host is written here.
set -eu

wanted=25
installed=$(dpkg-query -W -f='${Version}' mesa-vulkan-drivers 2>/dev/null || true)
if [ -n "$installed" ] && dpkg --compare-versions "$installed" ge "$wanted" && dpkg-query -W libvulkan1 >/dev/null 2>&1; then
  echo "software Vulkan is there: mesa-vulkan-drivers $installed"
  exit 0
fi
if [ "$(id -u)" -ne 0 ]; then
  echo "software Vulkan needs root to install mesa-vulkan-drivers" >&2
  exit 1
fi

. /etc/os-release
suite="$VERSION_CODENAME-backports"
list=/etc/apt/sources.list.d/backports-for-vulkan.list

# The first mirror that serves this release: a `deb` line of a .list file, or the URIs of a deb822 stanza.
mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
  awk -v suite="$VERSION_CODENAME" '$1 == "deb" { i = 2; if ($2 ~ /^\[/) { while ($i !~ /\]$/) i++; i++ } if ($(i + 1) == suite) { print $i; exit } }')
if [ -z "$mirror" ]; then
  mirror=$(cat /etc/apt/sources.list.d/*.sources 2>/dev/null |
    awk -v suite="$VERSION_CODENAME" '
      /^URIs:/ { uri = $2 }
      /^Suites:/ { for (i = 2; i <= NF; i++) if ($i == suite) { print uri; exit } }')
fi
if [ -z "$mirror" ]; then
  echo "no apt source of this machine serves $VERSION_CODENAME" >&2
  exit 1
fi
key=/usr/share/keyrings/debian-archive-keyring.gpg
[ -f "$key" ] && signed="[signed-by=$key] " || signed=""
echo "deb $signed$mirror $suite main" >"$list"
# Only this list is refreshed, so that an unreachable source of another vendor stops nothing; libraries it needs may be stale there.
apt-get update -q || apt-get update -q -o Dir::Etc::sourcelist="$list" -o Dir::Etc::sourceparts=- || true
DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends -t "$suite" mesa-vulkan-drivers libvulkan1
echo "software Vulkan installed: mesa-vulkan-drivers $(dpkg-query -W -f='${Version}' mesa-vulkan-drivers)"
