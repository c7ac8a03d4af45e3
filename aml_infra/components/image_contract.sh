#!/bin/sh
# The image contract: what an image must have so that a training can run in it, here and on Azure Machine Learning.
# Runs as the last step of every image build. Says everything that is missing at once, and fails if anything is.
#
#   image_contract.sh user-managed|conda [VERSION [OS_RELEASE]]
#
# user-managed: the image brings its own packages. conda: Azure Machine Learning builds an environment on top of it.
# VERSION is only there so that a changed contract is checked again. OS_RELEASE is the file that names the system.
#
# Nothing but the shell's own commands is used, since anything else may be what is missing.

dependencies=$1
release=${3:-/etc/os-release}
found_problem=no

report() {
    echo "image contract: $1" >&2
    found_problem=yes
}

# Whether version $1 is at least $2; both as MAJOR.MINOR, with anything behind them.
is_at_least() {
    have_major=${1%%.*}
    have_rest=${1#*.}
    have_minor=${have_rest%%.*}
    [ "$have_rest" = "$1" ] && have_minor=0
    want_major=${2%%.*}
    want_minor=${2#*.}
    case "$have_major$have_minor" in
        *[!0-9]* | '') return 1 ;;
    esac
    [ "$have_major" -gt "$want_major" ] || { [ "$have_major" -eq "$want_major" ] && [ "$have_minor" -ge "$want_minor" ]; }
}

check_system() {
    if [ ! -r "$release" ]; then
        report "the Linux distribution is not known ($release is missing); start from Ubuntu >= 16.04 or Debian >= 9"
        return
    fi
    ID='' VERSION_ID='' PRETTY_NAME=''
    . "$release"
    case "$ID" in
        ubuntu) is_at_least "$VERSION_ID" 16.04 && return ;;
        # Debian's testing and unstable have no number.
        debian) { [ -z "$VERSION_ID" ] || is_at_least "$VERSION_ID" 9.0; } && return ;;
    esac
    report "the Linux distribution is ${PRETTY_NAME:-not named} ($ID $VERSION_ID); start from Ubuntu >= 16.04 or Debian >= 9"
}

check_python() {
    found=''
    for name in python python3; do
        command -v "$name" >/dev/null 2>&1 || continue
        "$name" -c 'import sys; sys.exit(sys.version_info < (3, 5))' >/dev/null 2>&1 && return
        found=$("$name" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || found="$name that does not start"
    done
    if [ -z "$found" ]; then
        report "Python >= 3.5 is missing (neither python nor python3 is on PATH); add \`RUN apt-get update && apt-get install --yes python3\` to the Dockerfile, or start from an image that has it"
    else
        report "Python is too old ($found); Python >= 3.5 is needed; start from a newer image, or install python3"
    fi
}

check_conda() {
    if ! command -v conda >/dev/null 2>&1; then
        report "Conda >= 4.5 is missing (conda is not on PATH), and user_managed_dependencies is false; install Miniconda in the image, or set user_managed_dependencies to true"
        return
    fi
    # Old versions write it to standard error.
    version=$(conda --version 2>&1)
    is_at_least "${version##* }" 4.5 && return
    report "Conda is too old ($version); Conda >= 4.5 is needed where user_managed_dependencies is false; run \`conda update conda\` in the Dockerfile"
}

check_timeout() {
    command -v timeout >/dev/null 2>&1 && return
    report "the command timeout is missing; it is part of coreutils: add \`RUN apt-get update && apt-get install --yes coreutils\` to the Dockerfile"
}

check_system
check_python
[ "$dependencies" = conda ] && check_conda
check_timeout

if [ "$found_problem" = yes ]; then
    exit 65
fi
echo "image contract: met"
