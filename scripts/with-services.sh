#!/usr/bin/env bash
# with-services.sh COMMAND...: runs COMMAND beside a real PostgreSQL and a real Redis of its own, on
# free loopback ports in a temporary folder, and stops both again whatever happens to COMMAND.
#
# COMMAND finds them in its environment:
#   TEST_DATABASE_URL   postgres://…/pm_arb_test   the user may create further databases and schemas
#   TEST_REDIS_URL      redis://127.0.0.1:PORT/0
# One of these that is already set is used as it is, and that server is not started.
#
# The contract with whoever writes to the test database: it is marked as one, and a test that is
# pointed at a database without the mark refuses to run. The mark is both of
#   - a name that ends in `_test`
#   - the comment `pm-arb test database` (COMMENT ON DATABASE … IS …), which is
#     SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()
set -euo pipefail
source "$(dirname "$0")/lib.sh"

DATABASE=pm_arb_test
MARK='pm-arb test database'
START_ATTEMPTS_MAX=5   # a port can be taken between choosing it and using it
READY_TENTHS_MAX=300   # half a minute

(($# > 0)) || die "usage: with-services.sh COMMAND..."

home=
pids=()
child=

stop() {
    local status=$? pid
    trap '' INT TERM HUP
    [[ -z $child ]] || kill -TERM -- "-$child" 2>/dev/null || true
    for pid in "${pids[@]}"; do
        kill -INT "$pid" 2>/dev/null || true
    done
    for pid in "${pids[@]}"; do
        wait "$pid" 2>/dev/null || true
    done
    [[ -z $home ]] || rm -rf "$home"
    exit "$status"
}
trap stop EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# Both servers refuse or dislike root; they also stop when this script is killed outright.
as_server=(setpriv --pdeathsig INT)
make_home() {
    [[ -z $home ]] || return 0
    home=$(mktemp -d "${TMPDIR:-/tmp}/pm-arb-test.XXXXXX")
    if [[ $(id -u) == 0 ]]; then
        local user=nobody
        ! id -u postgres >/dev/null 2>&1 || user=postgres
        as_server+=(--reuid "$(id -u "$user")" --regid "$(id -g "$user")" --clear-groups)
        chown "$user" "$home"
    fi
}

free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 30000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

# start NAME READY COMMAND...: COMMAND in the background, until READY answers for it.
# Job control gives it a process group of its own: Ctrl-C reaches this script, which stops things in order.
start() {
    local name=$1 ready=$2 log=$home/$1.log tenths
    shift 2
    set -m
    (cd "$home" && exec "${as_server[@]}" "$@") >"$log" 2>&1 </dev/null &
    local pid=$!
    set +m
    pids+=("$pid")
    for ((tenths = 0; tenths < READY_TENTHS_MAX; tenths++)); do
        "$ready" && kill -0 "$pid" 2>/dev/null && return 0
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    say "$name did not start:"
    tail -n 20 "$log" >&2
    kill -INT "$pid" 2>/dev/null || true
    return 1
}

postgres_programs() {
    # Debian keeps the server's programs out of PATH, one folder a version; the newest is taken.
    local folder
    folder=$(compgen -G '/usr/lib/postgresql/*/bin/initdb' | sort -V | tail -n1) || true
    folder=${folder:-$(command -v initdb || true)}
    [[ -n $folder ]] && (cd "$(dirname "$(readlink -f "$folder")")" && [[ -x postgres ]] && pwd)
}

start_postgres() {
    local bin attempt password
    if ! bin=$(postgres_programs); then
        need_packages "no PostgreSQL server" postgresql
        bin=$(postgres_programs) || die "PostgreSQL was installed, but initdb is not in /usr/lib/postgresql"
    fi
    make_home
    password=$(head -c 18 /dev/urandom | od -An -vtx1 | tr -d ' \n')
    # A file, because a command line is everybody's to read; the folder is the server's alone.
    printf '%s\n' "$password" | "${as_server[@]}" tee "$home/password" >/dev/null
    (cd "$home" && "${as_server[@]}" "$bin/initdb" -D "$home/postgres" -U "$DATABASE" -E UTF8 --locale=C \
        --auth=scram-sha-256 --pwfile="$home/password" --no-sync) >"$home/initdb.log" 2>&1 ||
        { cat "$home/initdb.log" >&2; die "initdb failed"; }
    export PGPASSWORD=$password
    for ((attempt = 1; ; attempt++)); do
        PORT=$(free_port)
        postgres_ready() { "$bin/pg_isready" -q -h 127.0.0.1 -p "$PORT"; }
        # Nothing here outlives the run, so nothing waits for the disk.
        start postgres postgres_ready "$bin/postgres" -D "$home/postgres" -p "$PORT" -c listen_addresses=127.0.0.1 \
            -c unix_socket_directories= -c fsync=off -c full_page_writes=off -c max_connections=200 && break
        ((attempt < START_ATTEMPTS_MAX)) || die "PostgreSQL did not start"
    done
    "$bin/psql" -q -X -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$PORT" -U "$DATABASE" -d postgres \
        -c "CREATE DATABASE $DATABASE" -c "COMMENT ON DATABASE $DATABASE IS '$MARK'"
    unset PGPASSWORD
    export TEST_DATABASE_URL=postgres://$DATABASE:$password@127.0.0.1:$PORT/$DATABASE
    say "PostgreSQL $("$bin/postgres" -V | cut -d' ' -f3) on 127.0.0.1:$PORT"
}

redis_ready() {
    local reply
    (exec 3<>"/dev/tcp/127.0.0.1/$PORT" && printf 'PING\r\n' >&3 && read -r -t 2 reply <&3 && [[ $reply == +PONG* ]]) \
        2>/dev/null
}

start_redis() {
    local attempt
    have redis-server || need_packages "no Redis server" redis-server
    make_home
    for ((attempt = 1; ; attempt++)); do
        PORT=$(free_port)
        start redis redis_ready redis-server --bind 127.0.0.1 --port "$PORT" --save '' --appendonly no \
            --dir "$home" --daemonize no && break
        ((attempt < START_ATTEMPTS_MAX)) || die "Redis did not start"
    done
    export TEST_REDIS_URL=redis://127.0.0.1:$PORT/0
    say "Redis $(redis-server --version | sed 's/.* v=\([^ ]*\).*/\1/') on 127.0.0.1:$PORT"
}

[[ -n ${TEST_DATABASE_URL:-} ]] || start_postgres
[[ -n ${TEST_REDIS_URL:-} ]] || start_redis

set -m
setpriv --pdeathsig TERM "$@" </dev/null &
child=$!
set +m
status=0
wait "$child" || status=$?
child=
exit "$status"
