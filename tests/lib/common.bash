# common - what every bats file begins with: load lib/common
#
# The tools of the build folder come first in PATH; each test runs in a folder of its own, with TMPDIR inside it, so that
# what a tool leaves behind can be seen (nothing_left).
# shellcheck shell=bash disable=SC2154 # status, output, stderr and the BATS_ variables are set by bats

bats_require_minimum_version 1.5.0

HOUSE=$(cd "$BATS_TEST_DIRNAME" && while [ ! -e Makefile ] && [ "$PWD" != / ]; do cd ..; done && pwd)
HS_BUILD=${HS_BUILD:-$HOUSE/build}
PATH=$HS_BUILD:$PATH
PYTHON=${PYTHON:-/usr/bin/python3}
if [ -z "${HS_DATA:-}" ] && [ -d "$HOUSE/../shared/data" ]; then HS_DATA=$(cd "$HOUSE/../shared/data" && pwd); fi
if [ -z "${HS_INTEROP:-}" ] && [ -d "$HOUSE/../shared/interop" ]; then HS_INTEROP=$(cd "$HOUSE/../shared/interop" && pwd); fi
export HOUSE HS_BUILD PATH PYTHON HS_DATA HS_INTEROP
unset HS_ZEROCOPY SOURCE_DATE_EPOCH OMP_NUM_THREADS

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	mkdir -p tmp
	export TMPDIR=$BATS_TEST_TMPDIR/tmp
}

# The names of all tools, as far as they are built.
tools() {
	local file
	for file in "$HOUSE"/tools/hs*.c; do
		file=${file##*/}
		[ -x "$HS_BUILD/${file%.c}" ] && printf '%s\n' "${file%.c}"
	done
}

# need TOOL...: skips the test, aloud, where a tool or program is not there.
need() {
	local word
	for word; do
		command -v "$word" >/dev/null || skip "$word is not there"
	done
}

# A terminal to type on and to write to.
need_terminal() {
	need script
	script -qec true /dev/null < /dev/null > /dev/null 2>&1 || skip "no pseudo-terminal here"
}

need_python() {
	"$PYTHON" -c "import ${1:-h5py}" 2>/dev/null || skip "$PYTHON has no ${1:-h5py}"
}

# fails TEXT...: prints it as a comment of the failing test and fails. Inside a loop that goes on after a failure (for_each)
# bash does not stop at a false command, so each failure is also written down.
fails() {
	printf '%s\n' "$*" | tee -a "$BATS_TEST_TMPDIR/failures"
	return 1
}

# for_each COMMAND...: runs it with the name of each tool behind; one failure fails the test, the others are tried all the same.
for_each() {
	local tool
	for tool in $(tools); do
		"$@" "$tool" || fails "... $tool" || true
	done
	[ ! -e "$BATS_TEST_TMPDIR/failures" ]
}

# gives STATUS COMMAND...: runs it with standard error apart, and fails unless it ends with STATUS.
gives() {
	local want=$1
	shift
	run --separate-stderr "$@"
	[ "$status" = "$want" ] ||
		fails "status $status, expected $want: $*"$'\n'"stdout: ${output:0:2000}"$'\n'"stderr: ${stderr:0:2000}"
}

# refuses STATUS COMMAND...: like gives; and one sentence on standard error that begins with the tool's name, no more.
refuses() {
	gives "$@" || return 1
	local lines=() tool=${2##*/}
	mapfile -t lines <<< "$stderr"
	[ "$tool" = sh ] || [ "$tool" = bash ] || [[ ${lines[0]} == "$tool: "* ]] || fails "not a sentence of $tool: $stderr" || return 1
	[ -n "${lines[0]}" ] && [ "${#lines[@]}" = 1 ] || fails "expected one line on stderr, not: $stderr"
}

says() {
	[[ "${stderr:-}${output:-}" == *"$1"* ]] || fails "does not say '$1': stdout: ${output:0:2000} stderr: ${stderr:-}"
}

# Nothing in TMPDIR, no half-written output beside it.
nothing_left() {
	local left
	left=$(find "$BATS_TEST_TMPDIR/tmp" -mindepth 1 ; find "$BATS_TEST_TMPDIR" -name '*.part')
	[ -z "$left" ] || fails "left behind: $left"
}

# The acceptance check of the container on each FILE: the reference check where it is, and hsinfo's own. Says so when both are
# missing.
check() {
	local done_one=''
	if [ -n "${HS_INTEROP:-}" ] && "$PYTHON" -c 'import h5py' 2>/dev/null; then
		HS_VERBOSE=1 "$PYTHON" "$HS_INTEROP/check_hsf.py" "$@" || fails "not all of these pass check_hsf: $*" || return 1
		done_one=1
	fi
	if command -v hsinfo >/dev/null; then
		hsinfo --check "$@" || fails "not all of these pass hsinfo --check: $*" || return 1
		done_one=1
	fi
	[ -n "$done_one" ] || echo "# skipped: no acceptance check is there (HS_INTEROP, hsinfo)" >&3
}

# npy FILE DESCR SHAPE BYTES: a NumPy array without Python. Its values are the bytes of counted lines: all different, the
# same every time, never zero.
npy() {
	local dict="{'descr': '$2', 'fortran_order': False, 'shape': ($3), }" length
	length=$(((10 + ${#dict} + 1 + 63) / 64 * 64 - 10))
	{
		# shellcheck disable=SC2059 # the length becomes two escaped bytes
		printf "\\x93NUMPY\\x01\\x00$(printf '\\x%02x\\x%02x' $((length % 256)) $((length / 256)))"
		printf "%-$((length - 1))s\\n" "$dict"
		seq 1000000 | head -c "$4"
	} > "$1"
}

# cube FILE.nxs [SHAPE]: a small spectrum image (y, x, energy) of uint16 in our own format.
cube() {
	local shape=${2:-6, 5, 64} bytes
	bytes=$((2 * ${shape//, / * }))
	npy "$TMPDIR/cube.npy" '<u2' "$shape" "$bytes"
	hsload -q -a y,x,energy "$TMPDIR/cube.npy" -o "$1" && rm "$TMPDIR/cube.npy"
}
