#!/bin/sh
# Installs missing system packages as root, or by sudo without a password.  Without these rights, it prints the command that installs
# them and fails.
#
#   tools/system-packages.sh run|host|deb|test|bench|pacman7|install
# shellcheck disable=SC2317  # functions are called through $install
set -eu

purpose=${1:?run, host, deb, test, bench, pacman7 or install}

# "a|b": either is enough; the first is installed if both are missing.

debian_packages() {
    if [ "$purpose" = host ]; then
        echo 'python3 python3-venv python3-netifaces ca-certificates'
        return
    fi
    if [ "$purpose" = deb ]; then
        # The names of Build-Depends, without the versions; debhelper-compat is a name of debhelper.
        echo 'build-essential'
        sed -n '/^Build-Depends:/,/^$/p' packaging/debian/control | sed 's/^Build-Depends://; s/-compat//; s/([^)]*)//; s/[ ,]//g'
        return
    fi
    # pyalpm and netifaces have no wheels: they are built from source.
    echo 'gcc pkg-config|pkgconf python3 python3-dev python3-venv libalpm-dev libarchive-dev libcurl4-openssl-dev|libcurl4-gnutls-dev'
    echo 'libgpgme-dev libssl-dev pacman-package-manager ca-certificates'
    [ "$purpose" = run ] || echo 'nginx-light|nginx iproute2 iptables nftables util-linux mount procps gnupg makepkg libarchive-tools zstd'
    [ "$purpose" != test ] || echo 'chromium chromium-driver python3-netifaces git python3-build python3-installer python3-setuptools python3-wheel'
    [ "$purpose" != bench ] || echo 'wrk apt-cacher-ng'
    [ "$purpose" != pacman7 ] || echo 'debootstrap'
    [ "$purpose" != install ] || echo 'debootstrap systemd-container'
}

arch_packages() {
    if [ "$purpose" = deb ]; then
        echo 'A package for Debian is built on Debian; for Arch see contrib/arch.' >&2
        exit 1
    fi
    if [ "$purpose" = host ]; then
        echo 'python python-netifaces ca-certificates'
        return
    fi
    # The headers of libalpm are in the package pacman, venv and the headers of Python in python.
    echo 'gcc pkgconf python pacman libarchive curl gpgme openssl'
    [ "$purpose" = run ] || echo 'nginx iproute2 iptables nftables util-linux procps-ng gnupg zstd'
    # chromium brings its driver; the packages for Arch are built with the rest.
    [ "$purpose" != test ] || echo 'chromium git fakeroot make python-build python-installer python-setuptools python-wheel'
    [ "$purpose" != bench ] || echo 'wrk'
    [ "$purpose" != pacman7 ] || echo 'debootstrap'
    [ "$purpose" != install ] || echo 'debootstrap' # systemd has nspawn
}

# What checks the manual pages, completions and dashboards.  The tests that need one of these are left out where it is missing.
debian_checkers() {
    [ "$purpose" != test ] || echo 'bash-completion fish groff-base mandoc prometheus zsh'
}

arch_checkers() {
    [ "$purpose" != test ] || echo 'bash-completion fish groff mandoc prometheus zsh'
}

debian_missing() { # PACKAGE...
    for choice in "$@"; do
        found=
        for package in $(echo "$choice" | tr '|' ' '); do
            [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" != installed ] || found=yes
        done
        [ -n "$found" ] || echo "${choice%%|*}"
    done
}

arch_missing() { # PACKAGE...
    # Exit status 127: some are missing.
    pacman -T "$@" || [ $? -eq 127 ]
}

debian_install() {
    quietly as_root apt-get update -o Acquire::Retries=3 || echo 'apt-get update failed; trying with the package lists that are there.' >&2
    quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends --no-remove -o Acquire::Retries=3 \
        -o Dpkg::Use-Pty=0 "$@" || return
    # Tests and benchmarks start their own nginx and apt-cacher-ng, and need of prometheus only its promtool; the user did not ask for running
    # servers.
    for server in nginx prometheus apt-cacher-ng; do
        case " $* " in
            *" $server "* | *" $server-light "*)
                as_root service "$server" stop >/dev/null 2>&1 || true
                as_root update-rc.d "$server" disable >/dev/null 2>&1 || true
                ;;
        esac
    done
}

arch_install() {
    # Never -Sy with packages: Arch does not support partial upgrades.  A machine without any databases is a new one.
    if [ -e /var/lib/pacman/sync/core.db ]; then
        as_root pacman -S --needed --noconfirm "$@"
    else
        as_root pacman -Syu --needed --noconfirm "$@"
    fi
}

quietly() { # shows a command's output only if it fails
    log=$(mktemp)
    "$@" >"$log" 2>&1 && rm "$log" && return
    cat "$log" >&2
    rm "$log"
    return 1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

stopped() { # MESSAGE
    echo "$1" >&2
    exit 1
}

may_install() {
    [ "$(id -u)" -eq 0 ] || { command -v sudo >/dev/null && sudo -n true 2>/dev/null; }
}

# $ID and $ID_LIKE, os-release(5).
ID='' ID_LIKE=''
# shellcheck source=/dev/null
[ ! -r /etc/os-release ] || . /etc/os-release
case " $ID $ID_LIKE " in
    *' debian '*) system=debian command='apt-get install --no-install-recommends' ;;
    *' arch '*) system=arch command='pacman -S --needed' ;;
    *)
        echo "This is neither Debian nor Arch Linux (${ID:-no /etc/os-release}). pacserve needs these packages, by their names in Debian:" >&2
        debian_packages >&2
        command -v gcc >/dev/null && command -v pacman-conf >/dev/null && pkg-config --exists libalpm && exit
        echo 'Stopped: at least one of gcc, pkg-config, pacman-conf and the headers of libalpm is missing.' >&2
        exit 1
        ;;
esac
# shellcheck disable=SC2046
missing=$(${system}_missing $("${system}_packages"))
checkers=$("${system}_checkers")
# shellcheck disable=SC2086
[ -z "$checkers" ] || checkers=$("${system}_missing" $checkers)
[ -n "$missing$checkers" ] || exit 0

missing=$(echo "$missing" | tr '\n' ' ' | sed 's/ $//')
checkers=$(echo "$checkers" | tr '\n' ' ' | sed 's/ $//')
if may_install; then
    echo "Installing the system packages that are missing: $missing${missing:+${checkers:+ }}$checkers" >&2
    # shellcheck disable=SC2086
    "${system}_install" $missing $checkers && exit
    [ -n "$checkers" ] || stopped "They could not be installed. The command was: $command $missing"
    # Perhaps only the checkers are to blame.
    # shellcheck disable=SC2086
    [ -z "$missing" ] || "${system}_install" $missing || stopped "They could not be installed. The command was: $command $missing"
fi
[ -z "$checkers" ] || echo "Tests that need one of these are left out: $checkers ($command $checkers)" >&2
[ -n "$missing" ] && ! may_install || exit 0
cat >&2 <<END
System packages are missing, and installing them needs root. Type this, then try again:

    $(command -v sudo >/dev/null && echo 'sudo ')$command $missing

END
exit 1
