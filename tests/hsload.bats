# hsload: every format, calibrated and complete; everything broken refused.
load lib/common

small() {
	"$PYTHON" "$HOUSE/tests/lib/small.py" "$@"
}

# kind KIND: one format from file to container, values and calibration compared
kind() {
	need_python
	small "$1" "small.$1"
	gives 0 hsload "small.$1" -o out.nxs
	[[ $1 = hdf5 || -z $stderr ]] || fails "warned: $stderr"
	small --check "$1" out.nxs
	check out.nxs
	# by name instead of by content, and by pipe, the same values
	local format=$1
	[ "$format" = 3ds ] && format=nanonis-3ds
	gives 0 hsload -q --format "$format" "small.$1" -o named.nxs
	small --check "$1" named.nxs
	if [ "$1" != rpl ]; then
		gives 0 sh -c "cat small.$1 | hsload -q -o piped.nxs"
		small --check "$1" piped.nxs
	fi
	nothing_left
}

@test ".npy: NumPy arrays" { kind npy; }
@test ".rpl: Lispix ripple with its .raw" { kind rpl; }
@test ".3ds: Nanonis grid spectroscopy" { kind 3ds; }
@test ".hspy: HyperSpy" { kind hspy; }
@test "NSID" { kind nsid; }
@test "USID" { kind usid; }
@test "NeXus" { kind nexus; }
@test "Berkeley EMD" { kind emd; }
@test "any HDF5 file" { kind hdf5; }

@test "--list-formats names every format that --format takes" {
	gives 0 hsload --list-formats
	local name n=0
	while read -r name _; do
		n=$((n + 1))
		[ "$name" = hstools ] && continue
		# asked for by name, a text file is refused as not of that format, not as an unknown name
		seq 10 > text
		refuses 3 hsload --format "$name" text -o out.nxs || return 1
	done <<< "$output"
	[ $n -ge 10 ] || fails "only $n formats"
	refuses 2 hsload --format no-such-format text -o out.nxs
}

@test "file.h5:/path takes that array; --axes names its dimensions; a wrong path or count of names is refused" {
	need_python
	small hdf5 small.h5
	gives 0 hsload small.h5:/a/b/values --axes y,x,energy -o out.nxs
	small --check hdf5 out.nxs
	check out.nxs
	h5ls out.nxs/entry/data | grep -q '^energy '
	# the spectral dimension first in the file goes last
	"$PYTHON" -c '
import h5py, sys; sys.path.insert(0, "'"$HOUSE"'/tests/lib"); import small
h5py.File("first.h5", "w")["v"] = small.VALUES.transpose(2, 0, 1)'
	gives 0 hsload first.h5:/v --axes energy,y,x -o turned.nxs
	small --check hdf5 turned.nxs
	refuses 3 hsload small.h5:/a/b/nothing -o no.nxs
	run --separate-stderr hsload small.h5:/a/b/values --axes y,x -o no.nxs
	[[ $status = 2 || $status = 3 ]] || fails "status $status for two names of three dimensions"
	[ ! -e no.nxs ]
}

@test "--raw: no filters; by default shuffle, deflate 1 and fletcher32" {
	need h5dump
	npy a.npy '<u2' '32, 32, 200' 409600
	hsload -q a.npy -o packed.nxs
	hsload -q --raw a.npy -o raw.nxs
	h5dump -pH -d /entry/data/data packed.nxs | grep -q 'COMPRESSION DEFLATE { LEVEL 1 }'
	h5dump -pH -d /entry/data/data packed.nxs | grep -q SHUFFLE
	h5dump -pH -d /entry/data/data packed.nxs | grep -q FLETCHER32
	! h5dump -pH raw.nxs | grep -qE 'DEFLATE|SHUFFLE|FLETCHER32' || fails "--raw filtered something"
	check packed.nxs raw.nxs
	need h5diff
	h5diff packed.nxs raw.nxs /entry/data/data
}

@test "several signals: the measurement is data, the others keep their names" {
	need_python
	small 3ds small.3ds
	hsload small.3ds -o out.nxs
	h5ls out.nxs/entry > list
	grep -q '^data ' list
	grep -q '^parameter_' list
	grep -q '^mean_spectrum ' list
	grep -q '^sum_image ' list
	grep -q '^thumbnail ' list
	"$PYTHON" -c '
import h5py
with h5py.File("two.nxs", "w") as f:
    e = f.create_group("entry"); e.attrs["NX_class"] = "NXentry"
    for name in ("data", "sum_image", "mean_spectrum", "title", "thumbnail", "start_time"):
        g = e.create_group(name); g.attrs["NX_class"] = "NXdata"; g.attrs["signal"] = "v"; g["v"] = [1.0, 2, 4, 3]'
	gives 0 hsload -q two.nxs -o out2.nxs
	check out2.nxs
}

@test "the vendor header is kept byte for byte" {
	need_python
	small 3ds small.3ds
	hsload small.3ds -o out.nxs
	"$PYTHON" -c '
import h5py
raw = open("small.3ds", "rb").read()
header = bytes(h5py.File("out.nxs")["entry/original_metadata/header/data"][()])
assert raw.startswith(header) and b":HEADER_END:" in raw[:len(header) + 20] and len(header) > 300, len(header)'
}

@test "an aborted scan loads what is there, says so, and marks the rest as missing" {
	need_python
	small 3ds small.3ds
	head -c $(($(wc -c < small.3ds) - 1000)) small.3ds > aborted.3ds
	gives 0 hsload aborted.3ds -o out.nxs
	says 'header promises 20 points, file ends after'
	check out.nxs
	"$PYTHON" -c '
import h5py, numpy as np, sys
sys.path.insert(0, "'"$HOUSE"'/tests/lib"); import small
v = h5py.File("out.nxs")["entry/data/data"][()].reshape(-1, small.NE); want = small.VALUES.reshape(-1, small.NE)
lost = np.isnan(v).all(1); whole = ~np.isnan(v).any(1)
assert 5 <= lost.sum() <= 8 and whole.sum() >= 12 and np.array_equal(v[whole], want[whole]), (lost.sum(), whole.sum())'
}

@test "a mean spectrum and a sum image that are right, NaN left out" {
	need_python
	"$PYTHON" -c '
import numpy as np
v = np.random.default_rng(1).normal(5, 1, (7, 6, 50)).astype("f4"); v[2, 3, 10] = np.nan; v[4, 4] = np.inf; np.save("v.npy", v)'
	gives 0 hsload -q -a y,x,energy v.npy -o out.nxs
	"$PYTHON" -c '
import h5py, numpy as np
v = np.load("v.npy").astype(float); good = np.isfinite(v).all(2); f = h5py.File("out.nxs")["entry"]
assert np.allclose(f["mean_spectrum/data"][()], v[good].mean(0), rtol=1e-6), "mean"
s = f["sum_image/data"][()]
assert np.array_equal(np.isnan(s), ~good) and np.allclose(s[good], v.sum(2)[good], rtol=1e-6), "sum"'
}

@test "all number types arrive untouched" {
	need_python
	"$PYTHON" -c '
import numpy as np
rng = np.random.default_rng(2)
for t in "u1 i1 <u2 >u2 <i2 >i2 <u4 >u4 <i4 >i4 <u8 >i8 <f2 >f2 <f4 >f4 <f8 >f8 <c8 <c16 ?".split():
    d = np.dtype(t)
    raw = rng.integers(0, 256, (3, 4, 40 * d.itemsize), dtype="u1").view(d)
    if d.kind in "fc": raw = np.round(rng.normal(size=(3, 4, 40)) * 100).astype(d)
    if d.kind == "b": raw = rng.integers(0, 2, (3, 4, 40)).astype(d)
    np.save("t_%s.npy" % t.replace("<", "le_").replace(">", "be_").replace("?", "bool"), raw)'
	local file
	for file in t_*.npy; do
		gives 0 hsload -q -a y,x,energy "$file" -o "${file%.npy}.nxs" || return 1
	done
	check t_*.nxs > checked || fails "$(cat checked)"
	"$PYTHON" -c '
import glob, h5py, numpy as np
for name in glob.glob("t_*.npy"):
    a, b = np.load(name), h5py.File(name[:-3] + "nxs")["entry/data/data"][()]
    assert np.array_equal(a.astype(b.dtype), b) and b.dtype.itemsize >= a.dtype.itemsize, name'
}

@test "odd shapes: one value, one channel, one pixel, a line, 4-D, 5-D" {
	need_python
	"$PYTHON" -c '
import numpy as np
for shape in ((), (1,), (7,), (1, 1, 1), (5, 1), (1, 5), (4, 3), (2, 3, 4, 5), (2, 3, 2, 4, 5), (1, 1, 9)):
    np.save("s_%s.npy" % "x".join(map(str, shape)), np.arange(1, 1 + int(np.prod(shape)), dtype="f4").reshape(shape))'
	local file
	for file in s_*.npy; do
		gives 0 hsload -q "$file" -o "${file%.npy}.nxs" || return 1
	done
	check s_*.nxs > checked || fails "$(cat checked)"
	"$PYTHON" -c '
import glob, h5py, numpy as np
for name in glob.glob("s_*.npy"):
    a, b = np.load(name), h5py.File(name[:-3] + "nxs")["entry/data/data"][()]
    assert np.array_equal(a.ravel(), b.ravel()), name'
}

@test "the result does not depend on -j and --memory; SOURCE_DATE_EPOCH makes the bytes the same" {
	npy a.npy '<u2' '64, 64, 200' 1638400
	export SOURCE_DATE_EPOCH=1700000000
	# the command line is part of the file, so the settings are kept the same length by the environment of one name
	gives 0 hsload -q a.npy -j 1 --memory 100M -o one.nxs
	gives 0 hsload -q a.npy -j 4 --memory 900M -o two.nxs
	need h5diff
	h5diff one.nxs two.nxs /entry/data /entry/data
	h5diff one.nxs two.nxs /entry/sum_image /entry/sum_image
	h5diff one.nxs two.nxs /entry/mean_spectrum /entry/mean_spectrum
	mkdir first second
	(cd first && hsload -q ../a.npy -o out.nxs)
	sleep 1.1
	(cd second && hsload -q ../a.npy -o out.nxs)
	cmp first/out.nxs second/out.nxs
}

@test "--memory is kept: a cube three times larger than the memory allowed" {
	# 300 MB of zeros, sparse on the disk
	npy big.npy '<f4' '400, 400, 500' 0
	truncate -s $((128 + 400 * 400 * 500 * 4)) big.npy
	gives 0 hsload -v --memory 128M -j 2 big.npy -o out.nxs
	local peak
	peak=$(sed -n 's/.*peak memory \([0-9]*\).*MiB.*/\1/p' <<< "$stderr")
	[ -n "$peak" ] && [ "$peak" -le 128 ] || fails "peak memory $peak MiB: $stderr"
}

# ---------------------------------------------------------------- broken input

# broken FILE: refused with status 3 and one line, nothing written
broken() {
	refuses 3 hsload "$1" -o out.nxs
	[ ! -e out.nxs ] || fails "$1: an output was written"
	nothing_left
}

@test "empty, one byte, noise, text, a PNG: status 3" {
	: > empty
	printf x > one
	seq 100000 | gzip > noise
	seq 1000 > text
	printf '\211PNG\r\n\032\n\0\0\0\rIHDR' > picture
	printf '\211HDF\r\n\032\n' > magic
	head -c 5000 /dev/zero > zeros
	{ printf '\211HDF\r\n\032\n'; seq 2000; } > hdf5noise
	local file
	for file in empty one noise text picture magic zeros hdf5noise; do
		broken $file || return 1
		if [ $file != empty ]; then refuses 3 sh -c "cat $file | hsload -o out.nxs" || return 1; fi
	done
}

@test "every format cut at every tenth: status 3 (a grid cut in its data loads with a warning)" {
	need_python
	local kind n tenth
	for kind in $(small --kinds); do
		small "$kind" "whole.$kind"
		n=$(wc -c < "whole.$kind")
		for tenth in 0 1 2 3 4 5 6 7 8 9; do
			head -c $((n * tenth / 10)) "whole.$kind" > "cut.$kind"
			if [ "$kind" = 3ds ] && grep -aq HEADER_END cut.3ds; then
				gives 0 hsload cut.3ds -f -o kept.nxs || return 1
				says 'are NaN' || return 1
			elif [ "$kind" = rpl ]; then      # the header is lines; its values are what must not be short
				cp whole.rpl cut.rpl
				head -c $((2400 * tenth / 10)) whole.raw > cut.raw
				broken cut.rpl || return 1
			else
				broken "cut.$kind" || return 1
			fi
		done
	done
}

@test "every format with bytes overwritten in the middle: loads or status 3, never a crash" {
	need_python
	local kind at n
	for kind in $(small --kinds); do
		small "$kind" "whole.$kind"
		n=$(wc -c < "whole.$kind")
		for at in 1 2 3 4 5 6 7 8; do
			cp "whole.$kind" "hit.$kind"
			[ "$kind" = rpl ] && cp whole.raw hit.raw
			printf '\377\377\377\377\377\377\377\177' | dd of="hit.$kind" bs=1 seek=$((n * at / 9)) conv=notrunc status=none
			run --separate-stderr timeout 20 hsload -q "hit.$kind" -f -o out.nxs
			[[ $status = 0 || $status = 3 ]] || fails "$kind hit at $((n * at / 9)): status $status $stderr" || return 1
		done
	done
	nothing_left
}

@test "shapes beyond any file: status 3 at once" {
	npy a.npy '<f4' '1152921504606846976,' 4000
	broken a.npy
	npy b.npy '<f4' '4294967296, 4294967296, 4294967296' 4000
	broken b.npy
	npy c.npy '<f4' '0, 5' 4000
	broken c.npy
	npy d.npy '<f4' '-3, 5' 4000
	broken d.npy
	npy e.npy '<f4' '1,1,1,1,1,1,1,1,1,1,1,1' 4
	broken e.npy
	printf 'key\tvalue\nwidth\t99999999999\nheight\t99999999999\ndepth\t99999999999\noffset\t0\ndata-length\t4\ndata-type\tfloat\n' > f.rpl
	printf 'byte-order\tlittle-endian\nrecord-by\tvector\n' >> f.rpl
	printf 1234 > f.raw
	broken f.rpl
	sed 's/99999999999/twelve/' f.rpl > g.rpl
	cp f.raw g.raw
	broken g.rpl
	sed 's/99999999999/-4/' f.rpl > h.rpl
	cp f.raw h.raw
	broken h.rpl
}

@test "3ds headers that lie: status 3" {
	need_python
	small 3ds small.3ds
	local change n=0
	for change in 's/Points=30/Points=1152921504606846976/' 's/Points=30/Points=thirty/' 's/Points=30/Points=-1/' 's/5 x 4/0 x 4/' \
		's/5 x 4/99999999999 x 99999999999/' 's/(4 byte)=5/(4 byte)=4000000000/' 's/Points=30/Points=0/' '/HEADER_END/d' '/^Points/d' \
		'/^Grid dim/d'; do
		n=$((n + 1))
		LC_ALL=C sed "$change" small.3ds > lie$n.3ds
		cmp -s small.3ds lie$n.3ds && fails "'$change' changed nothing"
		broken lie$n.3ds || fails "... $change" || return 1
	done
}

@test "hostile HDF5: link loops, external links, missing filters, absurd sizes, wrong types" {
	need_python
	"$PYTHON" -c '
import h5py, numpy as np
with h5py.File("loop.h5", "w") as f:
    g = f.create_group("a/b"); g["up"] = f["a"]; f["soft"] = h5py.SoftLink("/soft"); g["self"] = g
with h5py.File("loop_data.h5", "w") as f:
    g = f.create_group("a"); g["up"] = f["/"]; g["values"] = np.arange(60.0).reshape(3, 4, 5)
with h5py.File("outside.h5", "w") as f: f["x"] = h5py.ExternalLink("/etc/passwd", "/"); f["y"] = h5py.ExternalLink("loop_data.h5", "/a/values")
with h5py.File("huge.h5", "w") as f: f.create_dataset("x", (1 << 40, 1 << 20), "f8", chunks=(1, 1024))
with h5py.File("words.h5", "w") as f: f["x"] = "words"; f["y"] = np.array([b"a", b"b"])
with h5py.File("none.h5", "w") as f: f["x"] = h5py.Empty("f4"); f.create_dataset("y", (0, 5), "f4")
with h5py.File("vds.h5", "w") as f:
    v = h5py.VirtualLayout((4, 5), "f4"); v[:] = h5py.VirtualSource("nowhere.h5", "x", (4, 5)); f.create_virtual_dataset("x", v)'
	local file
	for file in loop outside words none vds; do broken $file.h5 || return 1; done
	gives 0 timeout 20 hsload -q loop_data.h5 -o out.nxs
	check out.nxs
	rm out.nxs
	# 8 EiB of values that were never written: refused or stopped by the disk, not by memory
	run --separate-stderr timeout 20 hsload huge.h5 --memory 100M -o out.nxs
	[[ $status = 3 || $status = 4 || $status = 2 ]] || fails "status $status: $stderr"
	[ ! -e out.nxs ]
	nothing_left
}

@test "a damaged chunk is noticed by its checksum: status 3" {
	need_python
	npy a.npy '<u2' '64, 64, 200' 1638400
	hsload -q a.npy -o a.nxs
	"$PYTHON" -c '
import h5py
with h5py.File("a.nxs") as f: at = f["entry/data/data"].id.get_chunk_info(0)
with open("a.nxs", "r+b") as f:
    f.seek(at.byte_offset + at.size // 2); b = f.read(1); f.seek(-1, 1); f.write(bytes([b[0] ^ 16]))'
	broken a.nxs
}

# ---------------------------------------------------------------- real files

# real GLOB...: what another program read from the same files
real() {
	need_python
	[ -n "${HS_DATA:-}" ] && [ -d "$HS_DATA/truth" ] || skip "no real files here (HS_DATA)"
	local files=() pattern
	for pattern; do
		# shellcheck disable=SC2206 # patterns
		files+=("$HS_DATA"/$pattern)
	done
	"$PYTHON" "$HOUSE/tests/lib/truth.py" "$HS_DATA" "${files[@]}"
}

@test "real .3ds files agree with another reader" { real '3ds/*' 'variants/*.3ds'; }
@test "real HyperSpy files agree with another reader" { real 'hspy/*'; }
@test "real NSID files agree with another reader" { real 'nsid/*' 'variants/nsid*'; }
@test "real USID files agree with another reader" { real 'usid/*' 'variants/usid*'; }
@test "real NeXus files agree with another reader" { real 'nexus/*' 'variants/nx*'; }
@test "real .rpl files agree with another reader" { real 'rpl/*.rpl' 'variants/*.rpl'; }
@test "real .npy files agree with another reader" { real 'npy/*' 'variants/*.npy'; }
@test "real EMD files agree with another reader" { real 'emd/example*'; }

@test "all real files of these formats pass the acceptance check" {
	[ -n "${HS_DATA:-}" ] || skip "no real files here (HS_DATA)"
	local file n=0
	for file in "$HS_DATA"/{3ds,nsid,usid,hspy,nexus,npy}/* "$HS_DATA"/rpl/*.rpl "$HS_DATA"/bench/*.h5; do
		[ -e "$file" ] || continue
		n=$((n + 1))
		gives 0 hsload -q "$file" -o $n.nxs || return 1
		check $n.nxs > said || fails "$file: $(cat said)" || return 1
	done
	[ $n -gt 10 ]
}
