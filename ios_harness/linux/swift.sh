#!/usr/bin/env bash
# Runs Swift on a package: the machine's own where there is one, else that of setup_toolchain.sh.
#
#   swift.sh PACKAGE build|test|run [OPTION...]
#   swift.sh PACKAGE one-module [OPTION...]  type-checks all sources below PACKAGE/App as one module,
#                                            which is what they are in the App Playground, in Swift 5
#                                            and in Swift 6 mode; for macOS and visionOS as well
#   swift.sh PACKAGE app [OPTION...]         type-checks PACKAGE/Sample as an app that imports the
#                                            modules of PACKAGE/NelfKit, in both modes
#
# The last two take Apple's frameworks from PACKAGE/LinuxStubs.
#
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
build | test | run)
    # Packages of one name and path must not share products.
    [[ "$command" == run ]] && build=$(mktemp -d)
    exec swift "$command" --package-path "$package" --scratch-path "$build" "$@"
    ;;
one-module | app)
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    cd "$package"
    module() {
        swiftc -parse-as-library -wmo -I "$modules" -module-name "$1" -emit-module \
            -emit-module-path "$modules/$1.swiftmodule" $(find "$2" -name '*.swift' | sort)
    }
    # Frameworks of a system, each after those that it imports.
    stubs() {
        modules="$folder/$1"
        mkdir "$modules"
        shift
        for stub in "$@"; do
            module "$stub" "LinuxStubs/$stub"
        done
    }
    check() {
        swiftc -parse-as-library -wmo -typecheck -swift-version "$1" -strict-concurrency=complete \
            -I "$modules" -module-name "$name" "${options[@]}" \
            $(find "$sources" -name '*.swift' | sort)
        echo "$command: $2, Swift $1 mode is content"
    }
    options=("$@")
    everywhere=(Accelerate Combine CoreGraphics Metal)
    shown=(CoreVideo CoreML ImageIO MetalKit SwiftUI)
    stubs iOS "${everywhere[@]}" ARKit UIKit RealityKit "${shown[@]}"
    name=AppModule sources=App
    if [[ "$command" == app ]]; then
        name=SampleApp sources=Sample
        module NelfCore NelfKit/Sources/NelfCore
        module NelfKit NelfKit/Sources/NelfKit
    fi
    check 5 iOS
    check 6 iOS
    if [[ "$command" == one-module ]]; then
        # The other systems, as far as they are told by the frameworks that they have.
        stubs macOS "${everywhere[@]}" AppKit "${shown[@]}"
        check 6 macOS
        stubs visionOS "${everywhere[@]}" UIKit "${shown[@]}"
        check 6 visionOS
    fi
    ;;
*)
    echo "swift.sh: unknown command $command, expected build, test, run, one-module or app" >&2
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
