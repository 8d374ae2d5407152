#!/usr/bin/env bash
# Runs Swift on a package: the machine's own where there is one, else that of setup_toolchain.sh.
#
#   swift.sh PACKAGE build|test [OPTION...]
#   swift.sh PACKAGE one-module [OPTION...]  type-checks all sources below PACKAGE/App as one module,
#                                            which is what they are in the App Playground
#   swift.sh --available                     says which Swift it would use; exit 1 if there is none
#
# Build products go to NELF_SWIFT_BUILD, default /var/tmp/nelf-swift-build, never into the package.
set -euo pipefail

root="${NELF_SWIFT_ROOT:-/var/tmp/nelf-swift}"
build="${NELF_SWIFT_BUILD:-/var/tmp/nelf-swift-build}"

toolchain() {
    # Debian calls an object store `swift`; only the compiler answers like this.
    if command -v swift >/dev/null && swift --version 2>/dev/null | grep -q "Swift version"; then
        echo native
    elif [[ -e "$root/ready" && $(id -u) == 0 ]]; then
        echo chroot
    else
        echo none
    fi
}

# Arguments: package, folder for products, command, its options.
read -r -d '' work <<'WORK' || true
set -euo pipefail
package=$1 build=$2 command=$3
shift 3
case "$command" in
build | test)
    exec swift "$command" --package-path "$package" --scratch-path "$build" "$@"
    ;;
one-module)
    modules=$(mktemp -d)
    trap 'rm -rf "$modules"' EXIT
    cd "$package"
    for stub in CoreVideo CoreML; do
        swiftc -parse-as-library -wmo -I "$modules" -module-name "$stub" -emit-module \
            -emit-module-path "$modules/$stub.swiftmodule" "LinuxStubs/$stub/"*.swift
    done
    swiftc -wmo -typecheck -swift-version 5 -I "$modules" -module-name AppModule "$@" \
        $(find App -name '*.swift' | sort)
    ;;
*)
    echo "swift.sh: unknown command $command, expected build, test or one-module" >&2
    exit 2
    ;;
esac
WORK

kind=$(toolchain)
if [[ "${1:-}" == --available ]]; then
    echo "$kind"
    [[ "$kind" != none ]]
    exit
fi
if [[ $# -lt 2 ]]; then
    echo "usage: swift.sh PACKAGE build|test|one-module [OPTION...]" >&2
    exit 2
fi
package=$(cd "$1" && pwd)
shift
mkdir -p "$build"
case "$kind" in
native)
    exec bash -c "$work" swift.sh "$package" "$build" "$@"
    ;;
chroot)
    # A mount namespace of its own: nothing stays mounted, whatever happens.
    exec unshare --mount bash -euo pipefail -s "$root" "$package" "$build" "$work" "$@" <<'INSIDE'
root=$1 package=$2 build=$3 work=$4
shift 4
mkdir -p "$root/package" "$root/build"
mount -t proc proc "$root/proc"
mount --bind "$package" "$root/package"
mount -o remount,bind,ro "$root/package"
mount --bind "$build" "$root/build"
exec chroot "$root" env HOME=/root bash -c "$work" swift.sh /package /build "$@"
INSIDE
    ;;
*)
    echo "swift.sh: no Swift here; run ios_harness/linux/setup_toolchain.sh" >&2
    exit 2
    ;;
esac
