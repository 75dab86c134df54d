# Every file that a tool writes obeys the convention, whatever kind of data went in.
load lib/common

setup_file() {
	[ -n "${HS_INTEROP:-}" ] || [ -x "$HS_BUILD/hsinfo" ] || skip "no acceptance check is there (HS_INTEROP, hsinfo)"
}

# foreign FILE...: with HS_READERS=1 other people's programs open them, too. xarray has no complex numbers, so it is told apart.
foreign() {
	[ -n "${HS_READERS:-}" ] && [ -n "${HS_INTEROP:-}" ] || return 0
	local reader status file files
	for reader in ${readers:-silx hyperspy xarray hdf5tools}; do
		status=0
		files=("$@")
		# silx takes values of shape (1, n) for a scatter, HyperSpy drops dimensions of one value: nothing a file could mend
		if [[ $reader = silx || $reader = hyperspy ]]; then
			files=()
			for file; do
				h5ls -r "$file" | grep -qE '/data +Dataset \{(1|1, .*|.*, 1)\}$' || files+=("$file")
			done
			[ ${#files[@]} -gt 0 ] || continue
		fi
		"$PYTHON" "$HS_INTEROP/check_$reader.py" "${files[@]}" > "said.$reader" 2>&1 || status=$?
		case $status in
		0) ;;
		77) echo "# skipped: $reader is not there" >&3 ;;
		*) fails "$reader: $(cat "said.$reader")" || return 1 ;;
		esac
	done
}

# through FILE: each step on it. A tool may refuse a kind of data, with a sentence and without an output, where $may_refuse (a
# pattern of steps) says so.
through() {
	local step out n=0 written=("$1")
	while read -r step; do
		[ -x "$HS_BUILD/${step%% *}" ] || { echo "# ${step%% *} is not built" >&3; continue; }
		n=$((n + 1))
		out=step$n.nxs
		rm -f "$out"
		# shellcheck disable=SC2086 # words
		run --separate-stderr $step "$1" -o "$out"
		if [[ ($status = 2 || $status = 3) && -n ${may_refuse:-} && $step =~ $may_refuse ]]; then
			[ "$(wc -l <<< "$stderr")" = 1 ] && [ ! -e "$out" ] || fails "$step $1: $stderr" || return 1
			echo "# $step refuses: $stderr" >&3
			continue
		fi
		[[ $status = 0 || $status = 5 ]] || fails "$step $1: status $status, $stderr" || return 1
		written+=("$out")
	done <<-'TEXT'
		hsload
		hsload --raw
		hspca -k 2
		hspca -k 1 --no-scores
		hspca -k 2 --carry
		hspca -k 2 --denoise
		hscluster -k 2 -q
		hscluster -k 2 -m angle -q
		hscluster -k 1 --carry -q
	TEXT
	# a chain carries the results of each step, and what travels by pipe is the same
	if [ -x "$HS_BUILD/hspca" ] && [ -x "$HS_BUILD/hscluster" ] && [ -z "${may_refuse:-}" ]; then
		hsload "$1" | hspca -k 2 | tee middle.nxs | hscluster -k 2 -q > chain.nxs
		written+=(middle.nxs chain.nxs)
		h5ls -r chain.nxs | grep -q 'hspca/scores/data' || fails "the scores did not travel" || return 1
		h5ls -r chain.nxs | grep -q 'hscluster/labels/data' || fails "no labels" || return 1
	fi
	check "${written[@]}" && foreign "${written[@]}" || return 1
	nothing_left
}

# made DESCR SHAPE AXES BYTES
made() {
	npy made.npy "$1" "$2" "$4"
	hsload -q -f -a "$3" made.npy -o made.nxs
}

@test "spectrum image" {
	made '<u2' '9, 8, 40' y,x,energy 5760
	through made.nxs
}

@test "spectrum image of float64, larger than a chunk" {
	need hsgen
	hsgen mixture --size 70x50x120 --dtype float64 -o made.nxs
	through made.nxs
}

@test "line scan" {
	made '<u2' '20, 40' x,energy 1600
	through made.nxs
}

@test "single spectrum" {
	made '<u2' '300,' energy 600
	may_refuse=. through made.nxs
}

@test "image" {
	made '<u2' '30, 20' y,x 1200
	may_refuse=. through made.nxs
}

@test "4-D: an image at every pixel" {
	made '<u2' '6, 5, 7, 8' y,x,ky,kx 3360
	through made.nxs
}

@test "band excitation: two signal dimensions of different kind" {
	made '<u2' '5, 4, 6, 10' y,x,bias,frequency 2400
	through made.nxs
}

@test "one pixel, one channel" {
	made '<u2' '1, 1, 40' y,x,energy 80
	may_refuse=. through made.nxs
	made '<u2' '5, 6, 1' y,x,energy 60
	may_refuse=. through made.nxs
}

@test "scattered points" {
	need_python
	"$PYTHON" "$HOUSE/tests/lib/small.py" scatter points.h5
	hsload -q points.h5 -o points.nxs
	h5ls points.nxs/entry/data | grep -q '^point '
	through points.nxs
}

@test "masked pixels" {
	need_python
	need hspca
	made '<u2' '9, 8, 40' y,x,energy 5760
	"$PYTHON" -c '
import numpy as np
m = np.zeros((9, 8), "u1"); m[2:4, 3] = 1; m[0] = 4; np.save("mask.npy", m)'
	hsload -q -a y,x mask.npy -o mask.nxs
	local tool
	for tool in hspca hscluster; do
		command -v $tool > /dev/null || continue
		gives 0 $tool -q -k 2 --mask mask.nxs made.nxs -o $tool.nxs
		check $tool.nxs
		foreign $tool.nxs
		gives 0 $tool -q -k 2 --mask mask.nxs --carry made.nxs -o $tool.carry.nxs
		check $tool.carry.nxs
	done
	# labels of masked pixels are -1, scores of masked pixels are no numbers
	"$PYTHON" -c '
import h5py, numpy as np, os
m = np.load("mask.npy") != 0
def find(f, name): return next(f["entry"][g][name]["data"][()] for g in f["entry"] if g.startswith("process_") and name in f["entry"][g])
assert np.array_equal(np.isnan(find(h5py.File("hspca.nxs"), "scores")).all(0), m)
if os.path.exists("hscluster.nxs"): assert np.array_equal(find(h5py.File("hscluster.nxs"), "labels") == -1, m)'
}

@test "NaN, infinities, zero spectra" {
	need_python
	"$PYTHON" -c '
import numpy as np
v = np.random.default_rng(3).poisson(20, (9, 8, 40)).astype("f4"); v[1, 1] = np.nan; v[2, 2, 7] = np.inf; v[3, 3, 0] = -np.inf; v[4] = 0
np.save("v.npy", v)'
	hsload -q -a y,x,energy v.npy -o v.nxs
	through v.nxs
}

@test "a constant, and zero everywhere" {
	need hsgen
	local value
	for value in 0 7; do
		hsgen constant --value $value --noise none --size 9x8x40 -f -o constant.nxs
		may_refuse=angle through constant.nxs || fails "... of $value" || return 1
	done
}

@test "complex values" {
	need_python
	"$PYTHON" -c '
import numpy as np
r = np.random.default_rng(4); np.save("v.npy", (r.normal(size=(9, 8, 40)) + 1j * r.normal(size=(9, 8, 40))).astype("c8"))'
	hsload -q -a y,x,energy v.npy -o v.nxs
	readers='silx hyperspy hdf5tools' may_refuse=. through v.nxs
}

@test "every scene of hsgen" {
	need hsgen
	local scene
	for scene in $(hsgen --list | awk '{ print $1 }'); do
		hsgen "$scene" --size 12x9x60 -o "$scene.nxs"
		hsgen "$scene" --size 12x9x60 | cat > "$scene.piped.nxs"
	done
	check ./*.nxs
	foreign ./*.nxs
	nothing_left
}

@test "samples of another writer of the same convention go through every tool" {
	[ -n "${HS_INTEROP:-}" ] || skip "no other writer (HS_INTEROP)"
	need_python
	mkdir samples
	"$PYTHON" "$HS_INTEROP/gen_samples.py" samples > /dev/null
	local file n=0
	# HDF5 1.10.8 takes a variable-length CLASS="IMAGE" for a dimension scale, or not, by the address of the text: rgb stays out
	rm samples/rgb.nxs
	for file in samples/*.nxs; do
		n=$((n + 1))
		case $file in
		*/complex.nxs) readers='silx hyperspy hdf5tools' may_refuse=. through "$file" || return 1 ;;
		*) may_refuse=. through "$file" || return 1 ;;
		esac
	done 3> /dev/null
	[ $n -ge 10 ] || fails "only $n samples"
}

@test "the check itself notices faults" {
	need_python
	made '<u2' '9, 8, 40' y,x,energy 5760
	local n=0 fault
	while read -r fault; do
		n=$((n + 1))
		cp made.nxs fault.nxs
		"$PYTHON" -c "
import h5py
with h5py.File('fault.nxs', 'r+') as f: $fault"
		if [ -x "$HS_BUILD/hsinfo" ]; then
			gives 1 hsinfo --check fault.nxs || fails "not noticed: $fault" || return 1
		fi
		if [ -n "${HS_INTEROP:-}" ]; then
			gives 1 "$PYTHON" "$HS_INTEROP/check_hsf.py" fault.nxs || fails "not noticed: $fault" || return 1
		fi
	done <<-'TEXT'
		del f['entry/data'].attrs['signal']
		f['entry/data/data'][0, 0, 0] += 1
		del f['entry/data/energy'].attrs['units']
		f.attrs['default'] = 'nothing'
		del f['entry/title']
		f['entry/data/y'][:] = f['entry/data/y'][()][::-1]
	TEXT
}
