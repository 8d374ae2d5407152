#!/usr/bin/env bash
# Sets up Swift from Debian's own packages in a chroot, so that the Swift code can be built and tested
# on any Debian or Ubuntu machine. Needs root, network and 4 GB. swift.sh beside it uses the result.
#
#   NELF_SWIFT_ROOT  where the chroot goes; default /var/tmp/nelf-swift
#   NELF_DEBIAN      Debian mirror; default: the first one in apt's own sources
set -euo pipefail

root="${NELF_SWIFT_ROOT:-/var/tmp/nelf-swift}"
# trixie is the first release with a package of Swift.
suite=trixie
# Without the last two, swiftc finds no C runtime and no C++ library to link with.
packages=(swiftlang libc6-dev libstdc++-14-dev)

fail() {
    echo "setup_toolchain.sh: $*" >&2
    exit 2
}

# Prints the first repository of Debian itself that `apt-get update` read; nothing on Ubuntu.
apt_mirror() {
    apt-get indextargets --format '$(REPO_URI)' \
        'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | sed -n 1p || true
}

if [[ -e "$root/ready" ]]; then
    echo "Swift is ready in $root"
    exit 0
fi
[[ $(id -u) == 0 ]] || fail "a chroot needs root; run it with sudo, or install swift yourself"
# Never into a folder with something else in it: a half-made chroot is removed by hand.
[[ ! -e "$root" || -z "$(ls -A "$root")" ]] || fail "$root exists without a toolchain; remove it"
if ! command -v debootstrap >/dev/null; then
    command -v apt-get >/dev/null || fail "needs debootstrap, found neither it nor apt-get"
    apt-get update --quiet
    apt-get install --quiet --yes --no-install-recommends debootstrap
fi
mirror="${NELF_DEBIAN:-$(apt_mirror)}"
[[ -n "$mirror" ]] || fail "apt knows no Debian mirror; run apt-get update, or set NELF_DEBIAN to one"

mkdir -p "$root"
debootstrap --variant=minbase "$suite" "$root" "$mirror"
cp /etc/resolv.conf "$root/etc/resolv.conf"
# A mount namespace of its own: nothing stays mounted, whatever happens.
unshare --mount bash -euo pipefail -s "$root" "${packages[@]}" <<'INSIDE'
root=$1
shift
mount -t proc proc "$root/proc"
export DEBIAN_FRONTEND=noninteractive
chroot "$root" apt-get update --quiet
chroot "$root" apt-get install --quiet --yes --no-install-recommends "$@"
chroot "$root" apt-get clean
chroot "$root" swift --version
INSIDE
touch "$root/ready"
echo "Swift is ready in $root"
