#!/usr/bin/env bash
# The two programs that tests use from the operating system: PostgreSQL and Chromium. On Debian and
# as root they are installed where missing; elsewhere a note says which tests will be skipped.
set -u
missing=()
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || missing+=(postgresql)
command -v chromium >/dev/null || command -v google-chrome >/dev/null || missing+=(chromium)
[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    # The packages' own clusters and services are not wanted: tests start a private server.
    mkdir -p /etc/postgresql-common
    [ -e /etc/postgresql-common/createcluster.conf ] || echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" fonts-dejavu-core >/dev/null && exit 0
fi
echo "note: not installed: ${missing[*]}; the tests that need them will be skipped, saying so" >&2
exit 0
