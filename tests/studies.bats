# studies: what holds for every tool that studies a signal, by every method it has: the same bytes for any number of threads, any
# way the values lie on disk, file or pipe; a defined answer for data that have none.
# shellcheck disable=SC2154 # stderr is set by gives
load lib/common

# One command line a row, as short as keeps it quick.
studies() {
	cat <<- 'END'
		hspca -q -k 3
		hspca -q -p -k 3 --denoise
		hspca -q -k 3 --method random
		hspca -q -k 3 --method sketch
		hspca -q -k 3 --method tsqr
		hspca -q -k 3 --robust
		hscluster -q -k 3
		hscluster -q -k 3 --metric angle
		hscluster -q -k 3 --method gmm
		hscluster -q -k 3 --method ward --connected
		hscluster -q --method dbscan
		hscluster -q --method hdbscan
		hscluster -q -k 3 --method spectral
		hscluster -q -k 3 --method minibatch
		hsnmf -q -k 3 -r 1 --max-iter 100
		hsnmf -q -k 3 -l poisson -r 1 --max-iter 50
		hsica -q -k 3 -r 2
		hsica -q -k 3 -m jade --on maps -r 1
		hsica -q -k 2 -m fastica --approach deflation -r 1
		hsunmix -q -k 3
		hsunmix -q -p -k 3 -e sisal -a nnls
		hsunmix -q -k 3 -a bayes --samples 40
		hsfit -q -m gaussian+line
		hsfit -q -m expr:a*x^2+b|constant --robust
		hsprep -q --normalise area
	END
}

# each_study COMMAND...: runs it with every command line behind; all are tried, one failure fails the test.
each_study() {
	local line words
	while read -r line; do
		read -ra words <<< "$line"
		"$@" "${words[@]}" || fails "... $line" || true
	done < <(studies)
	[ ! -e "$BATS_TEST_TMPDIR/failures" ]
}

same_results() {
	hscmp -t 0 --all "$1" "$2" > said 2>&1 || fails "$1 and $2 differ: $(cat said)"
}

# runs OUT COMMAND...: its result is in OUT; not converged is a result too
runs() {
	local out=$1 status=0
	shift
	"$@" -f -o "$out" 2> errors || status=$?
	[ "$status" = 0 ] || [ "$status" = 5 ] || fails "status $status: $* : $(cat errors)"
}

every_study_has_a_row() {
	local tool=$1
	"$tool" --describe | jq -e '[.options[].name] | index("report") and index("mask")' > /dev/null || return 0
	studies | grep -q "^$tool " || fails "$tool takes pixels and has no row among the studies"
}

@test "every tool that takes pixels is among the studies" {
	for_each every_study_has_a_row
}

# -------------------------------------------------------------------- the same answer, however it is asked

same_for_threads() {
	local j
	runs one.nxs "$@" -j 1 scene.nxs || return
	for j in 2 3 8; do
		runs many.nxs "$@" -j $j scene.nxs && same_results one.nxs many.nxs || return
	done
	check one.nxs > checked 2>&1 || fails "$(cat checked)"
}

@test "the same bytes for 1, 2, 3 and 8 threads, and a file of the convention" {
	hsgen mixture -k 3 --size 24x21x40 -c 5000 -o scene.nxs
	each_study same_for_threads
}

same_for_layouts() {
	local way
	runs plain.nxs "$@" native.nxs || return
	for way in packed chunked big turned flipped; do
		[ ! -e "$way.nxs" ] || { runs other.nxs "$@" "$way.nxs" && same_results plain.nxs other.nxs; } || return
	done
}

@test "the same bytes from raw, compressed, differently chunked, big-endian, transposed and reversed values" {
	need_python numpy
	need h5repack
	# shellcheck disable=SC2016
	"$PYTHON" -c 'import numpy as np
rng = np.random.default_rng(5)
x = rng.poisson(rng.dirichlet(np.ones(3), size=(21, 24)) @ rng.uniform(20, 200, (3, 40))).astype("<f4")
np.save("native.npy", x); np.save("big.npy", x.astype(">f4")); np.save("turned.npy", np.asfortranarray(x)); np.save("flipped.npy", x[:, :, ::-1])'
	hsload --raw -a y,x,energy=1:1:eV native.npy -o native.nxs
	hsload -a y,x,energy=1:1:eV native.npy -o packed.nxs
	h5repack -l /entry/data/data:CHUNK=7x3x40 -f /entry/data/data:GZIP=6 packed.nxs chunked.nxs
	hsload --raw -a y,x,energy=1:1:eV big.npy -o big.nxs
	hsload --raw -a y,x,energy=1:1:eV turned.npy -o turned.nxs
	hsload --raw -q -a y,x,energy=40:-1:eV flipped.npy -o flipped.nxs
	each_study same_for_layouts
}

same_through_pipes() {
	runs file.nxs "$@" scene.nxs || return
	hsgen mixture -k 3 --size 24x21x40 -c 5000 | "$@" > pipe.nxs 2> errors || [ $? = 5 ] || fails "pipe: $(cat errors)" || return
	hsgen mixture -k 3 --size 24x21x40 -c 5000 | cat | "$@" 2> errors | cat > copied.nxs || fails "copied: $(cat errors)" || return
	same_results file.nxs pipe.nxs && same_results file.nxs copied.nxs || return
	nothing_left
}

@test "the same bytes from a file, a pipe, and a pipe that is copied" {
	hsgen mixture -k 3 --size 24x21x40 -c 5000 -o scene.nxs
	each_study same_through_pipes
}

# -------------------------------------------------------------------- data that have no answer

# A result without infinities that is a file of the convention, or one sentence; never a signal, never more than 60 s.
is_defined() {
	local input=${*: -1} status=0
	rm -f out.nxs
	timeout 60 "$@" -f -o out.nxs 2> errors || status=$?
	case $status in
	0 | 5)
		hsinfo --check out.nxs > checked 2>&1 || fails "$* : $(cat checked)" || return
		no_infinities out.nxs || fails "$* : infinities in the result"
		;;
	3) [ "$(wc -l < errors)" = 1 ] && [ ! -e out.nxs ] || fails "$* : $(cat errors)" ;;
	*) fails "status $status: $* ($input): $(cat errors)" ;;
	esac
}

no_infinities() {
	"$PYTHON" - "$1" <<- 'END'
		import sys, h5py, numpy as np
		with h5py.File(sys.argv[1]) as f:
		    entry = f["entry"]
		    step = entry[max(k for k in entry if k.startswith("process_"))]
		    bad = [n for n, g in step.items() if isinstance(g, h5py.Group) and "data" in g and g["data"].dtype.kind == "f"
		           and np.isinf(g["data"][()]).any()]
		    sys.exit("infinities in " + ", ".join(bad) if bad else 0)
	END
}

degenerate_studies() {
	local input
	for input in zero flat-channel one-pixel one-channel one-value few duplicates nan-rows all-nan tiny huge negative; do
		is_defined "$@" "$input.nxs" || return
	done
}

@test "all zero, flat channels, one pixel, one channel, duplicates, NaN, 1e-300, 1e300, negative values: a defined answer" {
	need_python numpy
	"$PYTHON" -c 'import numpy as np
rng = np.random.default_rng(7)
x = rng.poisson(40, (6, 7, 12)).astype("f8")
nan = x.copy(); nan[0, :, 3] = np.nan; nan[2, 2] = np.inf
flat = x.copy(); flat[:, :, 4] = 7; flat[:, :, 5] = 0
named = { "zero": 0 * x, "flat-channel": flat, "one-pixel": x[:1, :1], "one-channel": x[:, :, :1], "one-value": x[:1, :1, :1],
    "few": x[:1, :2], "duplicates": np.repeat(x[:1, :2], 21, axis=0).reshape(6, 7, 12), "nan-rows": nan, "all-nan": x * np.nan,
    "tiny": x * 1e-300, "huge": x * 1e300, "negative": x - 100 }
for name, value in named.items(): np.save(name + ".npy", value)'
	local file
	for file in *.npy; do hsload -q -a y,x,energy "$file" -o "${file%.npy}.nxs"; done
	each_study degenerate_studies
	nothing_left
}
