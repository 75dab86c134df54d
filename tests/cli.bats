# What every tool has in common: each test walks all tools that are built.
load lib/common

# The tools whose operands are files of ours: they refuse foreign, missing and empty ones alike.
readers() {
	local tool
	for tool in $(tools); do
		"$tool" --describe | jq -e '.max_operands > 0 and (.operands | test("FILE|^A|IN"))' >/dev/null && printf '%s\n' "$tool"
	done
}

# must_say TOOL: what a tool has to be told besides its operands.
must_say() {
	case $1 in
	hsfit) echo --model gaussian ;;
	hsprep) echo --normalise area ;;
	esac
}

# read_with STATUS FILE TEXT: each reader, with as many operands as it needs, refuses FILE.
read_with() {
	local tool n
	need jq
	for tool in $(readers); do
		n=$("$tool" --describe | jq 'if .min_operands > 1 then .min_operands else 1 end')
		local operands=()
		while [ ${#operands[@]} -lt "$n" ]; do operands+=("$2"); done
		# a regular file as standard output: nothing may be there afterwards
		# shellcheck disable=SC2046 # options are several words
		refuses "$1" sh -c 'tool=$1; shift; exec "$tool" "$@" > out' sh "$tool" $(must_say "$tool") "${operands[@]}" || fails "... $tool"
		[[ $stderr == *"$3"* ]] || fails "$tool does not say '$3': $stderr"
		[ ! -s out ] || fails "$tool wrote $(wc -c < out) bytes all the same"
	done
	nothing_left
	[ ! -e failures ]
}

@test "there are tools to test" {
	[ -n "$(tools)" ]
}

help_is_short() {
	gives 0 "$1" --help || return
	[ -z "$stderr" ] || fails "help on standard error"
	local long=$output n
	gives 0 "$1" -h || return
	[ "$long" = "$output" ] || fails "-h and --help differ"
	n=$(wc -l <<< "$output")
	[ "$n" -le 45 ] || fails "$n lines of help"
	[ "$(wc -L <<< "$output")" -le 90 ] || fails "a line of help is wider than 90"
	says "usage: $1" && says "example: "
}

@test "-h and --help: the same, on standard output, at most 45 lines" {
	for_each help_is_short
}

version_is_there() {
	gives 0 "$1" --version || return
	[ -z "$stderr" ] || fails "something on standard error: $stderr"
	[[ ${lines[0]} =~ ^"$1 (hstools) "[0-9]+\.[0-9]+\.[0-9]+", commit "[0-9a-f]+|unknown ]] || fails "first line: ${lines[0]}"
	says HDF5
}

@test "--version: name, version, commit, libraries" {
	for_each version_is_there
}

description_is_json() {
	gives 0 "$1" --describe || return
	jq -e --arg tool "$1" '.name == $tool and (.summary | length > 0) and (.gives | length > 0)
		and (.options | length > 3) and all(.options[]; (.name | length > 1) and (.help | length > 3) and (.type | length > 0))
		and (([.options[].name] | length) == ([.options[].name] | unique | length))' <<< "$output" >/dev/null ||
		fails "$1 --describe: $output"
}

@test "--describe: JSON with every option named once and explained" {
	need jq
	for_each description_is_json
}

completion_works() {
	gives 0 "$1" --describe=bash || return
	bash -n <<< "$output" || return
	# the shell function offers --help after "TOOL --hel"
	bash -c 'eval "$1"; COMP_WORDS=("$2" --hel); COMP_CWORD=1; "_$2"; [ "${COMPREPLY[0]}" = --help ]' bash "$output" "$1" ||
		fails "completion of --hel is not --help"
}

@test "--describe=bash: a completion that bash takes" {
	for_each completion_works
}

page_is_there() {
	[ -s "$HOUSE/man/$1.1" ] || fails "man/$1.1 is missing" || return
	[ -s "$HOUSE/tests/$1.bats" ] || fails "tests/$1.bats is missing" || return
	# every option is on the page
	local option
	for option in $("$1" --describe | jq -r '.options[].name'); do
		tr -d '\134' < "$HOUSE/man/$1.1" | grep -qF -- "Fl Fl $option" || fails "man/$1.1 does not explain --$option" || return
	done
}

@test "every tool has a man page with all its options, and a bats file" {
	need jq
	for_each page_is_there
}

mistakes_are_usage() {
	refuses 2 "$1" --no-such-option
	says '(see --help)'
	if "$1" --describe | jq -e '.max_operands < 12' > /dev/null; then
		refuses 2 "$1" a b c d e f g h i j k l
		says '(see --help)'
	fi
	refuses 2 "$1" --help-me
}

@test "unknown options and too many operands: status 2 and a hint" {
	need jq
	for_each mistakes_are_usage
}

# Each option that takes a value refuses to be without it, and numbers are parsed to the last character.
values_are_checked() {
	local name type
	while read -r name type; do
		case $type in
		flag | tally) refuses 2 "$1" "--$name=1"; continue ;;
		count | real) refuses 2 "$1" "--$name" 3x; refuses 2 "$1" "--$name=" ;;
		bytes) refuses 2 "$1" "--$name" 3q; refuses 2 "$1" "--$name=-1" ;;
		seconds) refuses 2 "$1" "--$name" 3parsecs ;;
		choice) refuses 2 "$1" "--$name" no-such-word ;;
		esac
		refuses 2 "$1" "--$name"
	done < <("$1" --describe | jq -r '.options[] | select(.name | test("^(help|version|describe)$") | not) | "\(.name) \(.type)"')
}

@test "values of options are checked to their last character: status 2" {
	need jq
	for_each values_are_checked
}

@test "a missing file: status 4 and one line" {
	read_with 4 no-such-file "'no-such-file'"
}

@test "a directory: status 3" {
	mkdir folder
	read_with 3 folder "it is a directory"
}

@test "an empty file: status 3" {
	: > empty
	read_with 3 empty "'empty'"
}

@test "a text file: status 3" {
	seq 100 > numbers.txt
	read_with 3 numbers.txt "'numbers.txt'"
}

@test "an HDF5 file of another convention: status 3, and every tool but hsload points at hsload" {
	need_python
	"$PYTHON" -c 'import h5py; h5py.File("foreign.h5", "w").attrs["note"] = "no data"'
	read_with 3 foreign.h5 "'foreign.h5'"
	need jq
	local tool
	for tool in $(readers); do
		[ "$tool" = hsload ] && continue
		run sh -c "$tool $(must_say "$tool") foreign.h5 foreign.h5 2>&1 || $tool $(must_say "$tool") foreign.h5 2>&1"
		says hsload
	done
}

@test "a truncated file of ours: status 3" {
	cube whole.nxs
	local n
	n=$(wc -c < whole.nxs)
	head -c $((n / 2)) whole.nxs > half.nxs
	read_with 3 half.nxs "'half.nxs'"
}

full_disk_is_seen() {
	local option
	for option in --help --version --describe; do
		refuses 4 sh -c "$1 $option > /dev/full"
		says 'No space left on device'
	done
}

@test "text to a full disk: status 4" {
	for_each full_disk_is_seen
}

closed_stdout_is_seen() {
	gives 4 sh -c "$1 --version >&-"
}

@test "text to a closed standard output: status 4" {
	for_each closed_stdout_is_seen
}

# CPU time, because the tests share their machine: the quickest of five
start_is_quick() {
	local best=1000 ms TIMEFORMAT='%3U %3S'
	for _ in 1 2 3 4 5; do
		ms=$({ time "$1" --version > /dev/null; } 2>&1 | awk '{ print int(1000 * ($1 + $2)) }')
		[ "$ms" -lt $best ] && best=$ms
	done
	[ $best -le 20 ] || fails "the quickest of five starts took $best ms of CPU time"
}

@test "start-up takes at most 20 ms of CPU time" {
	for_each start_is_quick
}

# ---------------------------------------------------------------- one reader and one writer stand for all

@test "data is not written to a terminal: status 2" {
	need_terminal
	npy a.npy '<u2' '6, 5, 64' 3840
	# script makes a terminal; its own output is that of the tool
	gives 2 script -qec 'hsload a.npy' /dev/null
	says 'not written to a terminal'
	gives 0 script -qec 'hsload a.npy -o kept.nxs' /dev/null
	[ -s kept.nxs ]
	nothing_left
}

@test "a terminal is not read as data: status 2" {
	need_terminal
	gives 2 script -qec 'hsload > out' /dev/null
	says 'no input'
}

@test "data to a full disk: status 4, also as -o" {
	npy a.npy '<u2' '6, 5, 64' 3840
	refuses 4 sh -c 'hsload a.npy > /dev/full'
	says 'No space left on device'
	refuses 4 hsload a.npy -o /dev/full
	nothing_left
}

@test "closed standard streams are not mistaken for files" {
	npy a.npy '<u2' '6, 5, 64' 3840
	gives 4 sh -c 'hsload a.npy >&-'
	gives 4 sh -c 'hsload - <&- > out'
	gives 0 sh -c 'hsload a.npy -f -o all.nxs <&- >&- 2>&-'
	check all.nxs
	gives 0 sh -c 'hsload -vv a.npy 2>&- > quiet.nxs'
	check quiet.nxs
	nothing_left
}

@test "an output never takes the place of a closed standard stream, where messages would land in it" {
	need strace
	npy a.npy '<u2' '6, 5, 64' 3840
	strace -o trace true || skip "strace may not trace here"
	sh -c 'exec strace -o trace -e trace=pwrite64 hsload -vv - -o out.nxs < a.npy 2>&- >&-'
	grep -q 'pwrite64([0-9]*, "HS\|pwrite64([0-9]*,' trace || fails "no writes were seen"
	! grep 'pwrite64([012],' trace | head -3 | grep . || fails "values were written to a standard stream"
}

@test "an existing output is kept without -f (status 2), replaced with it" {
	npy a.npy '<u2' '6, 5, 64' 3840
	echo precious > out.nxs
	refuses 2 hsload a.npy -o out.nxs
	says '-f replaces it'
	[ "$(cat out.nxs)" = precious ]
	gives 0 hsload a.npy -f -o out.nxs
	check out.nxs
	nothing_left
}

@test "a failed run keeps the existing output even with -f" {
	echo precious > out.nxs
	echo 'no data' > bad
	refuses 3 hsload bad -f -o out.nxs
	[ "$(cat out.nxs)" = precious ]
	nothing_left
}

@test "an output folder that is not there, or may not be written: status 4; a folder as output: status 2" {
	npy a.npy '<u2' '6, 5, 64' 3840
	refuses 4 hsload a.npy -o nowhere/out.nxs
	mkdir folder
	refuses 2 hsload a.npy -o folder
	refuses 2 hsload a.npy -f -o folder
	[ "$(id -u)" != 0 ] || return 0
	chmod a-w folder
	refuses 4 hsload a.npy -o folder/out.nxs
	nothing_left
}

@test "a TMPDIR that is not there: status 4, and the sentence names it" {
	npy a.npy '<u2' '6, 5, 64' 3840
	gives 4 env TMPDIR=/no/such/folder bash -c 'hsload a.npy | cat > /dev/null; exit ${PIPESTATUS[0]}'
	says 'set TMPDIR'
	# a named output needs no TMPDIR
	gives 0 env TMPDIR=/no/such/folder hsload a.npy -o out.nxs
}

@test "SIGTERM and SIGHUP leave no half output and end the tool by that signal" {
	npy big.npy '<u2' '200, 200, 64' 5120000
	local signal number
	for signal in TERM:143 HUP:129; do
		number=${signal#*:}
		mkfifo wait.$number
		# standard input that never ends: the tool is sure to be reading when the signal comes
		hsload -o out.$number - < wait.$number &
		local pid=$!
		exec 7> wait.$number
		head -c 100000 big.npy >&7
		kill -"${signal%:*}" $pid
		local got=0
		wait $pid || got=$?
		exec 7>&-
		[ "$got" = "$number" ] || fails "ended with $got, expected $number"
		[ ! -e "out.$number" ]
	done
	nothing_left
}

@test "-q is silent, -v says each stage" {
	npy a.npy '<u2' '6, 5, 64' 3840
	gives 0 hsload -q a.npy -o q.nxs
	[ -z "$stderr$output" ] || fails "said: $stderr$output"
	gives 0 hsload a.npy -f -o q.nxs
	[ -z "$stderr$output" ] || fails "silent on success is: $stderr$output"
	gives 0 hsload -v a.npy -f -o q.nxs
	says 'peak memory'
}

@test "NO_COLOR gives plain text on a terminal" {
	need_terminal
	npy a.npy '<u2' '6, 5, 64' 3840
	gives 0 env NO_COLOR=1 script -qec 'hsload -v a.npy -f -o q.nxs' /dev/null
	[[ $output != *$'\e['*m* ]]
}

@test "--dry-run does nothing and says what it would" {
	npy a.npy '<u2' '6, 5, 64' 3840
	gives 0 hsload -n a.npy -o dry.nxs
	says 'would load'
	[ ! -e dry.nxs ]
}

@test "options may come anywhere, -- ends them, - is standard input" {
	npy ./-odd.npy '<u2' '6, 5, 64' 3840
	gives 0 hsload -o a.nxs -- -odd.npy
	gives 0 hsload ./-odd.npy -o b.nxs
	gives 0 sh -c 'hsload - -o c.nxs < ./-odd.npy'
	gives 0 hsload ./-odd.npy -od.nxs
	gives 0 hsload ./-odd.npy --output=e.nxs
	check a.nxs b.nxs c.nxs d.nxs e.nxs
}

@test "--report: a summary as JSON; a place that cannot be written is status 4" {
	need jq
	npy a.npy '<u2' '6, 5, 64' 3840
	gives 0 hsload a.npy -o out.nxs --report report.json
	jq -e '.program == "hsload" and (.version | length > 0)' report.json
	gives 4 hsload a.npy -f -o out.nxs --report /nowhere/report.json
}

# ---------------------------------------------------------------- exit statuses, as hstools(7) lists them

@test "status 1: the answer is no" {
	need hscmp
	cube a.nxs
	npy b.npy '<u2' '6, 5, 64' 3840
	printf '\377\377' | dd of=b.npy bs=1 seek=1000 conv=notrunc status=none
	hsload -a y,x,energy b.npy -o b.nxs
	gives 0 hscmp a.nxs a.nxs
	gives 1 hscmp a.nxs b.nxs
}

@test "status 5: not converged, the result is written and flagged" {
	need hscluster
	cube a.nxs '40, 40, 64'
	gives 5 hscluster -k 8 --max-iter 1 a.nxs -o labels.nxs
	check labels.nxs
}

# ---------------------------------------------------------------- the house

@test "scripts/floors notices a stray include and a header outside its wing" {
	mkdir house
	cp -r "$HOUSE/common" "$HOUSE/tools" house
	gives 0 env HS_HOUSE=house sh "$HOUSE/scripts/floors"
	sed -i '1i #include "store/rows.h"' house/common/math/la.c
	gives 1 env HS_HOUSE=house sh "$HOUSE/scripts/floors"
	says 'stray: common/math/la.c:1: store/rows.h'
	cp "$HOUSE/common/math/la.c" house/common/math/la.c
	sed -i '1i #include <hdf5.h>' house/common/formats/npy.c
	gives 1 env HS_HOUSE=house sh "$HOUSE/scripts/floors"
	says 'stray: common/formats/npy.c:1: hdf5.h'
}

@test "make install puts programs, pages and completions below DESTDIR" {
	local tool
	make -s -q -C "$HOUSE" BUILD="$HS_BUILD" all || skip "the tools are not up to date"
	gives 0 make -s -C "$HOUSE" BUILD="$HS_BUILD" DESTDIR="$PWD/root" PREFIX=/usr install
	for tool in $(tools); do
		gives 0 "root/usr/bin/$tool" --version || return 1
		bash -n "root/usr/share/bash-completion/completions/$tool"
	done
	[ -s root/usr/share/doc/hstools/LICENSE ]
	for page in "$HOUSE"/man/*.[157]; do
		[ -e "$page" ] || continue
		page=${page##*/}
		[ -s "root/usr/share/man/man${page##*.}/$page" ] || fails "$page is not installed"
	done
}
