#!/bin/sh
# What `make bench-edge` measures beside and with: HAProxy, nginx and h2load, as
# Debian has them.
# Installed where this may be done, named in one line where not. Nothing of them
# is started as a service: runlevel 1 keeps the packages from doing that.
set -eu
PATH="$PATH:/usr/sbin"
missing=""
command -v haproxy >/dev/null 2>&1 || missing="$missing haproxy"
command -v nginx >/dev/null 2>&1 || missing="$missing nginx"
command -v h2load >/dev/null 2>&1 || missing="$missing nghttp2-client"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
	export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
	apt-get update -qq
	# shellcheck disable=SC2086
	apt-get install -y -qq --no-install-recommends $missing >/dev/null
	exit 0
fi
echo "the comparison needs:$missing (on Debian: sudo apt-get install$missing)" >&2
exit 1
