# The stream is the file: takeover between two tools, plain bytes in every other situation, and loud failure when cut.
load lib/common

# a cube of 2 MB: larger than a pipe holds, so that the writer is still there when the reader decides
big() {
	cube "$1" '128, 128, 64'
}

# same A B: the values are the same, by the checksum that each file carries (and check() recomputes)
same() {
	local a b
	a=$(h5dump -a /entry/data/data/sha256 "$1" | grep '(0)')
	b=$(h5dump -a /entry/data/data/sha256 "$2" | grep '(0)')
	[[ -n $a && $a = "$b" ]] || fails "$1 and $2 differ: $a $b"
}

setup_file() {
	command -v h5dump > /dev/null || skip "h5dump is not there"
}

@test "between two tools the file is taken over without a copy" {
	big a.nxs
	gives 0 bash -o pipefail -c 'hsload a.nxs | hsload -vv -o b.nxs'
	says 'taken over without a copy'
	same a.nxs b.nxs
	check b.nxs
	nothing_left
}

@test "takeover also through a named pipe and a process substitution" {
	big a.nxs
	mkfifo pipe
	hsload a.nxs > pipe &
	gives 0 sh -c 'hsload -vv -o b.nxs < pipe'
	wait $!
	says 'taken over without a copy'
	gives 0 bash -c 'hsload -vv -o c.nxs < <(hsload a.nxs)'
	says 'taken over without a copy'
	same a.nxs b.nxs
	same a.nxs c.nxs
	nothing_left
}

@test "HS_ZEROCOPY=0 on either side: the bytes flow" {
	big a.nxs
	gives 0 bash -o pipefail -c 'HS_ZEROCOPY=0 hsload a.nxs | hsload -vv -o b.nxs'
	[[ $stderr != *'without a copy'* ]] || fails "taken over all the same"
	gives 0 bash -o pipefail -c 'hsload a.nxs | HS_ZEROCOPY=0 hsload -vv -o c.nxs'
	[[ $stderr != *'without a copy'* ]] || fails "taken over all the same"
	says 'bytes are copied'
	same a.nxs b.nxs
	same a.nxs c.nxs
	check b.nxs c.nxs
	nothing_left
}

@test "a writer's result does not depend on how its output travels" {
	big a.nxs
	hsload a.nxs | hsload -o b.nxs
	hsload a.nxs | cat | hsload -o c.nxs
	hsload -o d.nxs < a.nxs
	hsload a.nxs | hsload | hsload > e.nxs
	check b.nxs c.nxs d.nxs e.nxs
	same a.nxs b.nxs
	same a.nxs c.nxs
	same a.nxs d.nxs
	same a.nxs e.nxs
	# and the history of every stage is there, however it travelled
	local file steps
	for file in b:3 c:3 d:2 e:4; do
		steps=$(h5ls "${file%:*}.nxs/entry" | grep -c '^process_')
		[ "$steps" = "${file#*:}" ] || fails "$file: $steps steps" || return 1
	done
}

@test "tee keeps a complete and valid copy, and the reader gets the same" {
	big a.nxs
	gives 0 bash -o pipefail -c 'hsload a.nxs | tee copy.nxs | hsload -vv -o b.nxs'
	says "bytes are copied: not the offerer's pipe"
	same a.nxs copy.nxs
	same a.nxs b.nxs
	check copy.nxs b.nxs
	h5ls copy.nxs
	# the copy carries a stale offer in its first line: read from a file, it does no harm
	gives 0 sh -c 'hsload < copy.nxs > again.nxs'
	gives 0 sh -c 'cat copy.nxs | hsload > through.nxs'
	same a.nxs again.nxs
	same a.nxs through.nxs
	nothing_left
}

@test "> file: an ordinary HDF5 file with filters and without an offer" {
	big a.nxs
	hsload a.nxs > b.nxs
	check b.nxs
	[ "$(head -c 8 b.nxs | od -An -tx1 | tr -d ' ')" = 894844460d0a1a0a ]
	h5dump -pH -d /entry/data/data b.nxs > header
	grep -q 'COMPRESSION DEFLATE { LEVEL 1 }' header
	grep -q 'CHECKSUM FLETCHER32' header
	# >> into an empty file is the same; a sink that is no file and no pipe takes the bytes
	: > c.nxs
	hsload a.nxs >> c.nxs
	check c.nxs
	hsload a.nxs > /dev/null
}

@test "| cat > file: what travels is unfiltered, has a user block, and any HDF5 program opens it" {
	big a.nxs
	hsload a.nxs | cat > b.nxs
	[ "$(head -c 13 b.nxs)" = 'HSPIPE1 size=' ]
	check b.nxs
	h5dump -pH -d /entry/data/data b.nxs > header
	! grep -q 'COMPRESSION DEFLATE' header || fails "compressed for a pipe"
}

@test "HDF5 files without our line come through a pipe as well" {
	big a.nxs
	gives 0 sh -c 'cat a.nxs | hsload -o b.nxs'
	same a.nxs b.nxs
	need_python
	"$PYTHON" -c '
import h5py, numpy as np
h5py.File("bare.h5", "w")["scan/values"] = np.arange(3 * 4 * 50, dtype="f4").reshape(3, 4, 50)'
	gives 0 sh -c 'cat bare.h5 | hsload -o c.nxs'
	check c.nxs
	nothing_left
}

# cut N [of NAME]: the stream of a cube through head -c N into a reader
@test "a stream cut anywhere: status 3, one line that says truncated, nothing written" {
	big a.nxs
	hsload a.nxs | cat > stream
	local size n
	size=$(wc -c < stream)
	for n in 1 12 100 511 512 513 600 2048 $((size / 4)) $((size / 2)) $((size - 4096)) $((size - 1)); do
		refuses 3 sh -c "head -c $n stream | hsload -o out.nxs" || return 1
		if [ "$n" -ge 512 ]; then says 'truncated stream' || return 1; fi
		[ ! -e out.nxs ] || fails "cut at $n of $size left an output" || return 1
	done
	nothing_left
}

@test "a file of ours cut anywhere: status 3" {
	big a.nxs
	local size n
	size=$(wc -c < a.nxs)
	for n in 1 7 8 95 96 512 2048 $((size / 4)) $((size / 2)) $((size - 1)); do
		head -c "$n" a.nxs > cut.nxs
		refuses 3 hsload cut.nxs -o out.nxs || return 1
		refuses 3 sh -c 'cat cut.nxs | hsload -o out.nxs' || return 1
		refuses 3 sh -c 'hsload -o out.nxs < cut.nxs' || return 1
		[ ! -e out.nxs ]
	done
	nothing_left
}

@test "upstream killed in the middle: downstream ends with 3" {
	big a.nxs
	hsload a.nxs | cat > stream
	mkfifo pipe
	# the writer is stopped by the full pipe until the reader opens; it dies with most of its bytes unsent
	bash -c 'exec cat stream > pipe' &
	local writer=$! got=0
	hsload -o out.nxs < <(head -c 700000 pipe; kill -9 $writer) 2> said || got=$?
	[ "$got" = 3 ] || fails "status $got"
	grep -q 'truncated stream: 700000 of' said
	[ ! -e out.nxs ]
	nothing_left
}

@test "an offerer killed before it is taken: the rest is missing, status 3" {
	big a.nxs
	mkfifo pipe
	hsload a.nxs > pipe &
	local writer=$! got=0
	exec 7< pipe
	sleep 0.3
	kill -9 $writer
	wait $writer || true
	hsload -vv -o out.nxs <&7 2> said || got=$?
	[ "$got" = 3 ] || fails "status $got"
	exec 7<&-
	grep -q 'truncated stream' said
	grep -q 'the offerer is gone' said
	[ ! -e out.nxs ]
	nothing_left
}

@test "upstream fails: downstream says that nothing came, status 3" {
	gives 0 bash -c 'hsload no-such-file 2>/dev/null | hsload -o out.nxs; echo ${PIPESTATUS[*]}'
	[ "$output" = '4 3' ] || fails "statuses: $output"
	says 'nothing came through the pipe'
	[ ! -e out.nxs ]
	nothing_left
}

@test "a reader that leaves: upstream dies of SIGPIPE and leaves nothing" {
	big a.nxs
	gives 0 bash -c 'hsload a.nxs | true; echo ${PIPESTATUS[0]}'
	[ "$output" = 141 ] || fails "status $output"
	gives 0 bash -c 'HS_ZEROCOPY=0 hsload a.nxs | head -c 1000 > first; echo ${PIPESTATUS[0]}'
	[ "$output" = 141 ] || fails "status $output"
	[ "$(wc -c < first)" = 1000 ]
	[ -z "$stderr" ] || fails "said: $stderr"
	nothing_left
}

@test "SIGPIPE ignored by the shell: status 4 and a sentence" {
	big a.nxs
	gives 0 bash -c 'trap "" PIPE; { hsload a.nxs; echo $? > status; } | true; cat status'
	[[ $output = 4 || $output = 141 ]] || fails "status $output"
	nothing_left
}

@test "two readers of one pipe: neither succeeds with half a file" {
	big a.nxs
	mkfifo pipe
	hsload a.nxs > pipe &
	local writer=$!
	exec 7< pipe
	HS_ZEROCOPY=0 hsload -o one.nxs <&7 2> said.one &
	local one=$!
	HS_ZEROCOPY=0 hsload -o two.nxs <&7 2> said.two &
	local two=$! good=0
	exec 7<&-
	wait $one && good=$((good + 1)) && check one.nxs && same a.nxs one.nxs
	wait $two && good=$((good + 1)) && check two.nxs && same a.nxs two.nxs
	wait $writer || true
	[ $good -le 1 ] || fails "both succeeded"
	nothing_left
}

@test "a second program after a takeover: its bytes are not mistaken for ours" {
	big a.nxs
	gives 0 bash -c '{ hsload a.nxs; echo more 2>/dev/null; } | hsload -o b.nxs'
	same a.nxs b.nxs
	nothing_left
}

@test "-o /dev/stdout and -o to a named pipe stream like standard output" {
	big a.nxs
	gives 0 bash -o pipefail -c 'hsload a.nxs -o /dev/stdout | hsload -vv -o b.nxs'
	says 'taken over without a copy'
	same a.nxs b.nxs
	mkfifo pipe
	cat pipe > c.nxs &
	gives 0 hsload a.nxs -o pipe
	wait $!
	check c.nxs
	same a.nxs c.nxs
	[ -p pipe ]
	nothing_left
}

@test "a socket as standard output takes the bytes" {
	need_python
	big a.nxs
	"$PYTHON" - <<-'TEXT'
		import socket, subprocess, threading
		ours, theirs = socket.socketpair()
		parts = []
		def read():
		    while part := ours.recv(1 << 16): parts.append(part)
		thread = threading.Thread(target=read); thread.start()
		status = subprocess.run(["hsload", "a.nxs"], stdout=theirs).returncode
		theirs.close(); thread.join()
		open("b.nxs", "wb").write(b"".join(parts))
		raise SystemExit(status)
	TEXT
	check b.nxs
	same a.nxs b.nxs
}

@test "a full TMPDIR: status 4 and a sentence that names TMPDIR; nothing is left" {
	[ "$(id -u)" = 0 ] || skip "only root may mount a small file system"
	big a.nxs
	unshare -m true 2>/dev/null || skip "no mounts here"
	gives 4 unshare -m bash -c 'mount -t tmpfs -o size=300k none tmp && cat a.nxs a.nxs | HS_ZEROCOPY=0 hsload -o out.nxs'
	says 'set TMPDIR'
	[ ! -e out.nxs ]
	gives 4 unshare -m bash -c 'mount -t tmpfs -o size=300k none tmp &&
		hsload --raw a.nxs | cat > /dev/null; exit ${PIPESTATUS[0]}'
	[ -n "$stderr" ]
	gives 4 unshare -m bash -c 'mount -t tmpfs -o size=300k none tmp &&
		hsload --raw a.nxs -o tmp/out.nxs; status=$?; ls -A tmp; exit $status'
	[ -z "$output" ] || fails "left on the full disk: $output"
}

@test "another pid namespace: the bytes flow" {
	[ "$(id -u)" = 0 ] || skip "only root may make a pid namespace"
	unshare -fp --mount-proc true 2>/dev/null || skip "no pid namespaces here"
	big a.nxs
	gives 0 bash -o pipefail -c 'hsload a.nxs | unshare -fp --mount-proc hsload -vv -o b.nxs'
	says 'bytes are copied: another host or namespace'
	same a.nxs b.nxs
	nothing_left
}

@test "another user: the bytes flow" {
	[ "$(id -u)" = 0 ] || skip "only root may become another user"
	need setpriv
	big a.nxs
	chmod 755 . && chmod 777 tmp
	setpriv --reuid=65534 --clear-groups "$HS_BUILD/hsload" --version > /dev/null || skip "another user may not run the tools here"
	gives 0 env TMPDIR=/tmp bash -o pipefail -c 'hsload a.nxs | setpriv --reuid=65534 --clear-groups "$HS_BUILD/hsload" -vv > b.nxs'
	says 'bytes are copied: another user'
	same a.nxs b.nxs
	nothing_left
}

@test "a forged offer is refused: the file it names is not opened, the bytes decide" {
	big a.nxs
	hsload a.nxs | cat > stream
	# the line names a live process of ours, a descriptor and an inode that are not the offered file
	local line
	line=$(head -1 stream)
	tail -f /dev/null < /etc/passwd 3>&- &
	local pid=$! start
	start=$(awk '{ print $22 }' /proc/$pid/stat)
	{
		printf '%s\n' "$line" | sed "s/ pid=[0-9]*/ pid=$pid/; s/ start=[0-9]*/ start=$start/; s/ fd=[0-9]*/ fd=0/"
		head -c 600 /dev/zero
	} | head -c 512 > forged
	tail -c +513 stream >> forged
	gives 0 bash -c 'cat forged | hsload -vv -o b.nxs'
	kill $pid
	says 'bytes are copied'
	same a.nxs b.nxs
	# absurd lines: refused or copied, never a crash
	for line in 'HSPIPE1 size=' 'HSPIPE1 size=-1' 'HSPIPE1 size=99999999999999999999999' 'HSPIPE1 size=18446744073709551615 pid=1' \
		'HSPIPE1 size=512 boot= pidns= pid= start= fd= ack= pipe= dev= ino= token=' 'HSPIPE1 size=2048 pid=-1 fd=-1 ack=999999999'; do
		{ { printf '%s\n' "$line"; head -c 600 /dev/zero; } | head -c 512; tail -c +513 stream; } > forged
		run --separate-stderr bash -c 'cat forged | hsload -q -f -o c.nxs'
		[ "$status" = 0 ] || [ "$status" = 3 ] || fails "'$line': status $status, $stderr" || return 1
	done
	nothing_left
}

@test "an image of standard input: a device is refused or read, never waited for in vain" {
	gives 3 sh -c 'hsload < /dev/null'
	says 'nothing came'
	gives 3 hsload /dev/null
	gives 3 sh -c 'head -c 100000 /dev/zero | hsload'
	nothing_left
}

@test "three stages at once, twice: no stage disturbs another" {
	big a.nxs
	local i
	for i in 1 2; do
		hsload a.nxs | hsload | hsload -o "out$i.nxs" &
	done
	wait
	same a.nxs out1.nxs
	same a.nxs out2.nxs
	nothing_left
}
