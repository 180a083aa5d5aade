#!/bin/bash
# The servers that tests need, as private ones: on free ports of 127.0.0.1, with
# their data in a temporary folder, and gone when we are, however we end.
#
#	scripts/services.sh run COMMAND…    runs COMMAND beside them
#	. scripts/services.sh               starts them until the script ends
#
# Each address is exported in its variable, see below. What is set already is
# used as it is. What cannot be started stays unset, and a line of
# $services_missing says why: its name, a tab, and the reason.
#
# A process of its own, the keeper, starts and stops them. It lives in a session
# of its own, so that an interrupt reaches the tests first, and is told by the
# kernel when we die.

# Name, variable, program, Debian's package. Without a package it is used where
# it is found, and not missed elsewhere.
services_table="\
postgresql JOBCENTER_TEST_POSTGRES postgres postgresql
mariadb JOBCENTER_TEST_MYSQL mariadbd mariadb-server
redis JOBCENTER_TEST_REDIS redis-server redis-server
mongodb JOBCENTER_TEST_MONGO mongod"

services_start() {
	local here name variable program package line names=() wanted=() packages=()
	local -x PATH=$PATH
	here=$(dirname "${BASH_SOURCE[0]}")
	services_missing=
	services_path
	while read -r name variable program package; do
		if [ -n "${!variable-}" ]; then
			continue
		elif command -v "$program" >/dev/null; then
			names+=("$name")
		elif [ -n "$package" ]; then
			wanted+=("$name $program")
			packages+=("$package")
		fi
	done <<<"$services_table"
	if [ ${#wanted[@]} != 0 ]; then
		# shellcheck source=scripts/install.sh
		. "$here/install.sh"
		install "${packages[@]}"
		services_path
		for line in "${wanted[@]}"; do
			read -r name program <<<"$line"
			if command -v "$program" >/dev/null; then
				names+=("$name")
			else
				services_missing+="$name"$'\t'"$program was not found and could not be installed"$'\n'
			fi
		done
	fi

	[ ${#names[@]} != 0 ] || return 0
	trap 'exit 130' INT
	trap 'exit 143' TERM
	trap 'exit 129' HUP
	trap services_stop EXIT
	exec {services_keeper}< <(exec setpriv --pdeathsig TERM setsid "$BASH" "$here/services.sh" keep "${names[@]}")
	services_keeper_pid=$!
	while IFS=$'\t' read -r -u "$services_keeper" name line; do
		case $name in
		ready) return ;;
		JOBCENTER_*) export "$name=$line" ;;
		*) services_missing+="$name"$'\t'"$line"$'\n' ;;
		esac
	done
	services_missing+="keeper"$'\t'"ended early, of ${names[*]}"$'\n'
}

# Tells the keeper until its output ends, which is when it has stopped all.
services_stop() {
	while
		kill "$services_keeper_pid" 2>/dev/null
		read -r -t 0.1 -u "$services_keeper" || [ $? -gt 128 ]
	do :; done
}

# Debian keeps servers where only root looks, PostgreSQL's by its version.
services_path() {
	local postgresql
	postgresql=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
	PATH=$PATH:/usr/sbin:$postgresql
}

# keep SERVICE… says "VARIABLE<tab>ADDRESS" or "SERVICE<tab>REASON" of each, then
# "ready", and stops them all when it is told to end. It does not hear before
# they run: PostgreSQL leaves shared memory behind if its preparation is killed,
# and MariaDB forgets to end if it is told so while it starts.
keep() {
	local name data as=() deadline=$((SECONDS + 60))
	local -A pid
	trap '' TERM PIPE
	umask 022
	export LC_ALL=C # for their logs
	folder=$(mktemp -d -t jobcenter-services.XXXXXX) && chmod 711 "$folder" || exit

	# PostgreSQL refuses to be root; none of them needs to be.
	if [ "$(id -u)" = 0 ]; then
		as=(--reuid "$(id -u nobody)" --regid "$(id -g nobody)" --clear-groups)
	fi
	for name; do
		# A TMPDIR for each: a MariaDB that starts removes the temporary tables of others.
		data=$folder/$name
		mkdir -m 700 "$data"
		[ "$(id -u)" != 0 ] || chown "$(id -u nobody):$(id -g nobody)" "$data"
		(trap - TERM PIPE && cd "$data" && TMPDIR=$data "run_$name") </dev/null >"$data.log" 2>&1 &
		pid[$name]=$!
	done
	for name; do
		until grep -sqiE '(ready to accept|ready for|waiting for) connections' "$folder/$name.log"; do
			if ! kill -0 "${pid[$name]}" 2>/dev/null; then
				printf '%s\tdid not start: %s\n' "$name" "$(reason "$folder/$name.log")"
				continue 2
			elif [ $SECONDS -gt $deadline ]; then
				printf '%s\tdid not start within a minute\n' "$name"
				continue 2
			fi
			sleep 0.05
		done
		cat "$folder/$name.address"
	done
	echo ready
	trap 'stop; exit' TERM
	kill -0 $PPID 2>/dev/null && wait
	stop
}

# Both signals, as PostgreSQL waits for its clients at the first.
stop() {
	trap '' TERM
	# shellcheck disable=SC2046 # one word a process
	{
		kill -TERM $(jobs -pr)
		kill -INT $(jobs -pr)
		for _ in {1..200}; do
			[ -n "$(jobs -pr)" ] || break
			sleep 0.05
		done
		kill -KILL $(jobs -pr)
	} 2>/dev/null
	rm -rf "$folder"
}

# reason LOG prints the line that tells most.
reason() {
	local line
	line=$(grep -iE 'error|fatal' "$1" | head -n 1)
	printf '%s\n' "${line:-$(tail -n 1 "$1")}" | tr '\t' ' '
}

# address VARIABLE FORMAT chooses a port and leaves the address, FORMAT with the
# port, for the keeper. Below the range from which systems give out ports
# themselves, so that no test takes it in between.
address() {
	while
		port=$((20000 + RANDOM % 10000))
		(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null
	do :; done
	# shellcheck disable=SC2059 # it is a format
	printf "$1\t$2\n" "$port" >"$PWD.address"
	kill -0 $$ || exit # the keeper
}

# Each run_… prepares its server in the current folder and becomes it, to end if
# the keeper is killed. Nothing that makes commits durable is turned off.

run_postgresql() {
	setpriv "${as[@]}" initdb --pgdata=data --username=jobcenter --auth=trust --encoding=UTF8 --no-locale \
		--no-sync || return
	address JOBCENTER_TEST_POSTGRES 'postgres://jobcenter:jobcenter@127.0.0.1:%d/postgres?sslmode=disable'
	exec setpriv "${as[@]}" --pdeathsig INT postgres -D data -p "$port" -c listen_addresses=127.0.0.1 \
		-c unix_socket_directories= -c max_connections=300
}

# The character set is the one that Debian configures.
run_mariadb() {
	setpriv "${as[@]}" mariadb-install-db --no-defaults --datadir="$PWD/data" --skip-test-db \
		--auth-root-authentication-method=socket || return
	cat >"$PWD.sql" <<-'SQL'
		CREATE USER 'jobcenter'@'127.0.0.1' IDENTIFIED BY 'jobcenter';
		GRANT ALL ON *.* TO 'jobcenter'@'127.0.0.1' WITH GRANT OPTION;
		CREATE DATABASE jobcenter;
	SQL
	address JOBCENTER_TEST_MYSQL 'mysql://jobcenter:jobcenter@127.0.0.1:%d/jobcenter'
	exec setpriv "${as[@]}" --pdeathsig KILL mariadbd --no-defaults --datadir="$PWD/data" --socket=socket \
		--pid-file=pid --init-file="$PWD.sql" --bind-address=127.0.0.1 --port="$port" --skip-name-resolve \
		--max-connections=500 --character-set-server=utf8mb4 --collation-server=utf8mb4_general_ci
}

run_redis() {
	address JOBCENTER_TEST_REDIS 'redis://127.0.0.1:%d/0'
	exec setpriv "${as[@]}" --pdeathsig KILL redis-server --bind 127.0.0.1 --port "$port" --dir "$PWD" --save '' \
		--appendonly yes --appendfsync always
}

run_mongodb() {
	address JOBCENTER_TEST_MONGO 'mongodb://127.0.0.1:%d/'
	exec setpriv "${as[@]}" --pdeathsig KILL mongod --dbpath "$PWD" --bind_ip 127.0.0.1 --port "$port" --nounixsocket
}

if [ "${BASH_SOURCE[0]}" != "$0" ]; then
	services_start
	return
fi
set -u
case ${1-} in
keep)
	shift
	services_path
	keep "$@"
	;;
run)
	shift
	services_start >&2
	sed -n 's/\t/: /p' <<<"$services_missing" >&2
	"$@"
	;;
*)
	echo "usage: $0 run COMMAND…" >&2
	exit 2
	;;
esac
