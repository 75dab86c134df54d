# hsinfo: what it says of a file, whether it notices what is wrong with one, and whether its history can be run again.
# shellcheck disable=SC2016,SC2030,SC2031,SC2317 # each test is a subshell of its own; $ in single quotes is meant
load lib/common

# sums FILE: path and sha256 of all signals of a file.
sums() {
	hsinfo --json "$1" | jq -c '.signals[] | [.path, .sha256]'
}

# ------------------------------------------------------------------ what a file holds

@test "text: title, default signal, shape, axes, units, history" {
	cube c.nxs
	hspca -q -k 2 c.nxs -o p.nxs
	gives 0 hsinfo c.nxs
	[ "${lines[0]}" = "c.nxs: cube" ] || fails "$output"
	says "* data  6 x 5 x 64 uint16"
	says "    energy           64  0 .. 63, step 1"
	says "  mean_spectrum  64 float64"
	gives 0 hsinfo p.nxs
	says "* process_02_hspca/scores  2 x 6 x 5 float32"
	says "hspca -q -k 2 c.nxs -o p.nxs"
	[ "$(wc -L <<< "$output")" -le 100 ] || fails "a line is too wide: $output"
}

@test "standard input, a pipe and a redirection say the same" {
	cube c.nxs
	hsinfo c.nxs | sed '1d; /^  size/d' > from_file
	hsinfo - < c.nxs | sed 1d > from_stdin
	# shellcheck disable=SC2002 # a pipe is what is meant
	cat c.nxs | hsinfo | sed 1d > from_pipe
	cmp from_file from_stdin && cmp from_file from_pipe
}

@test "several files: one line of JSON each; one that is bad does not hide the others" {
	need jq
	cube a.nxs
	cube b.nxs '4, 3, 16'
	echo text > bad.nxs
	gives 3 hsinfo --json a.nxs bad.nxs b.nxs
	[ "$(jq -r .file <<< "$output" | paste -sd ' ')" = "a.nxs b.nxs" ] || fails "$output"
	[ "$(jq -c '.signals[] | select(.default) | .shape' <<< "$output" | paste -sd ' ')" = "[6,5,64] [4,3,16]" ] || fails "$output"
	[[ $stderr == "hsinfo: cannot read 'bad.nxs'"* ]] || fails "$stderr"
	gives 4 hsinfo a.nxs missing.nxs
	says "* data"
}

@test "JSON: axes, storage, typed parameters, inputs with checksums" {
	need jq
	cube c.nxs '16, 16, 256'
	hspca -q -k 3 --poisson c.nxs -o p.nxs
	hsinfo --json c.nxs > c.json
	hsinfo --json p.nxs > p.json
	jq -e '.default == "/entry/data" and .size_bytes > 0 and .hs_version == "1.0" and .vendor.header_bytes > 0' c.json
	jq -e '.signals[] | select(.default) | .dtype == "uint16" and .units != null and (.sha256 | length == 64)
		and (.axes | map(.name) == ["y", "x", "energy"]) and .axes[2] == (.axes[2] + { n: 256, first: 0, last: 255, uniform: true, step: 1 })
		and .stored.size_bytes == 131072 and .stored.stored_bytes < 131072 and .stored.filters == ["shuffle", "deflate", "fletcher32"]' c.json
	jq -e '.default == "/entry/process_02_hspca/scores" and (.history | map(.program) == ["hsload", "hspca"])' p.json
	jq -e '.history[1] | .number == 2 and .parameters.components == 3 and .parameters.poisson == true and .parameters.centre == "auto"
		and (.argv | index("--poisson") != null) and .inputs[0].file_name == "c.nxs"' p.json
	# the checksum of the input is that of the signal it names
	[ "$(jq -r '.history[1].inputs[0].sha256' p.json)" = "$(jq -r '.signals[] | select(.default) | .sha256' c.json)" ]
	[ "$(jq -r '.history[0].inputs[0].sha256' p.json)" = "$(jq -r '.history[0].inputs[0].sha256' c.json)" ]
}

@test "masks, further coordinates and non-uniform axes are said" {
	need jq
	need_python
	cube c.nxs
	"$PYTHON" - <<'PY'
import h5py, numpy as np
with h5py.File("c.nxs", "r+") as f:
    g = f["entry/data"]
    m = np.zeros((6, 5), "u1"); m[0, :3] = 1; m[1, 1] = 2; m[2, 2] = 9
    d = g.create_dataset("pixel_mask", data=m)
    d.attrs["flag_masks"] = np.array([1, 2, 4, 8], "u1"); d.attrs["flag_meanings"] = "dead hot saturated excluded"
    g.attrs["pixel_mask_indices"] = np.array([0, 1], "i4")
    t = g.create_dataset("time", data=np.arange(30.).reshape(6, 5))
    t.attrs["units"] = "s"; t.attrs["long_name"] = "time (s)"; t.attrs["start"] = "2026-01-01T00:00:00+01:00"
    g.attrs["time_indices"] = np.array([0, 1], "i4")
    g["energy"][...] = np.arange(64.) ** 1.5
PY
	gives 0 hsinfo c.nxs
	says "masked 5 of 30 pixels: 4 dead, 1 hot, 1 excluded"
	says "with time (s) over y x, from 2026-01-01T00:00:00+01:00"
	says "0 .. 500.047, non-uniform"
	gives 0 hsinfo --check c.nxs
	hsinfo --json c.nxs | jq -e '.signals[] | select(.default) | .mask == { over: "pixels", n: 30, masked: 5, dead: 4, hot: 1, saturated: 0, excluded: 1 }
		and .coordinates[0].over == ["y", "x"] and .axes[2].uniform == false and .axes[2].step == null'
	"$PYTHON" - <<'PY'
import h5py, numpy as np
with h5py.File("c.nxs", "r+") as f:
    g = f["entry/data"]
    del g["pixel_mask"]; del g.attrs["pixel_mask_indices"]
    m = np.zeros(g["data"].shape, "u1"); m[2, 3, 4:7] = 4
    d = g.create_dataset("data_mask", data=m)
    d.attrs["flag_masks"] = np.array([1, 2, 4, 8], "u1"); d.attrs["flag_meanings"] = "dead hot saturated excluded"
    g["data"].attrs["mask"] = "data_mask"
PY
	gives 0 hsinfo c.nxs
	says "masked 3 of 1920 values: 3 saturated"
	gives 0 hsinfo --check c.nxs
}

@test "--stats: minimum, maximum, mean and sum are those of NumPy" {
	need jq
	need_python numpy
	"$PYTHON" - > want.json <<'PY'
import json, numpy as np
a = np.random.default_rng(7).normal(3, 10, (40, 30, 200)).astype("f4")
a[5, 5, :7] = np.nan
a[39, 29, 199] = np.inf
np.save("a.npy", a)
good = a[np.isfinite(a)].astype(float)
import math
print(json.dumps({"values": good.size, "nan": 7, "infinite": 1, "min": good.min(), "max": good.max(), "sum": math.fsum(good)}))
PY
	hsload -q -a y,x,energy a.npy -o a.nxs
	hsinfo --stats --json a.nxs | jq '.signals[] | select(.default) | .statistics' > got.json
	jq -e -n --slurpfile g got.json --slurpfile w want.json '$g[0] as $g | $w[0] as $w
		| $g.values == $w.values and $g.nan == 7 and $g.infinite == 1 and $g.min == $w.min and $g.max == $w.max
		and (($g.sum - $w.sum) | fabs) < 1e-9 * ($w.sum | fabs) and (($g.mean - $w.sum / $w.values) | fabs) < 1e-12'
	# the same for any number of threads and any memory
	hsinfo --stats --json -j 1 --memory 72M a.nxs > one
	hsinfo --stats --json -j 4 a.nxs > four
	cmp one four
	gives 0 hsinfo --stats -d mean_spectrum a.nxs
	says "    200 values, 0 NaN"
	gives 2 hsinfo --stats -d nothing a.nxs
}

@test "vendor header: the bytes and the metadata as they came" {
	need jq
	cube c.nxs
	hsinfo --header c.nxs > header.bin
	npy again.npy '<u2' '6, 5, 64' 3840
	cmp -n "$(stat -c %s header.bin)" header.bin again.npy
	[ "$(sha256sum < header.bin | cut -c1-64)" = "$(hsinfo --json c.nxs | jq -r .vendor.header_sha256)" ]
	hsinfo --metadata c.nxs | jq -e 'type == "object"'
	hsgen -q mixture --size 4x4x16 -o g.nxs
	refuses 1 hsinfo --header g.nxs
	refuses 2 hsinfo --header c.nxs g.nxs
	refuses 2 hsinfo --check --stats c.nxs
}

@test "a full disk is no success" {
	cube c.nxs
	refuses 4 sh -c 'exec hsinfo c.nxs > /dev/full'
	refuses 4 sh -c 'exec hsinfo --header c.nxs > /dev/full'
}

# ------------------------------------------------------------------ bad input

# each way of asking refuses FILE by name and through a pipe, with one sentence
refused_always() {
	local how bad=0
	for how in '' --json --check --history --stats; do
		# shellcheck disable=SC2086 # no word when empty
		refuses 3 hsinfo $how "$1" || { echo "... $how $1"; bad=1; }
		[ -z "$output" ] || { echo "... $how $1 says: $output"; bad=1; }
	done
	refuses 3 sh -c 'exec hsinfo < "$0"' "$1" || { echo "... < $1"; bad=1; }
	nothing_left || bad=1
	return "$bad"
}

@test "empty, one byte, text: status 3 and one sentence" {
	: > empty.nxs
	printf '\211' > byte.nxs
	printf 'some text\nin lines\n' > text.nxs
	local file bad=0
	for file in empty byte text; do refused_always $file.nxs || bad=1; done
	return "$bad"
}

@test "cut off at every tenth: status 3 and one sentence" {
	cube c.nxs
	local size k bad=0
	size=$(stat -c %s c.nxs)
	for k in 1 2 3 4 5 6 7 8 9; do
		head -c $((size * k / 10)) c.nxs > cut.nxs
		refuses 3 hsinfo cut.nxs || { echo "... $k"; bad=1; }
		refuses 3 hsinfo --check cut.nxs || { echo "... --check $k"; bad=1; }
	done
	head -c $((size - 1)) c.nxs > cut.nxs
	refused_always cut.nxs || bad=1
	return "$bad"
}

@test "HDF5 of another convention, with loops of links: status 3 and one sentence" {
	need_python
	"$PYTHON" - <<'PY'
import h5py
with h5py.File("other.h5", "w") as f:
    f["a/b/values"] = [1., 2.]
    f["a/b/up"] = f["a"]
    f["a/soft"] = h5py.SoftLink("/a/soft")
    f["a/out"] = h5py.ExternalLink("/etc/passwd", "/")
PY
	refused_always other.h5
}

@test "a file of ours with loops of links: said, and counted as a fault" {
	need_python
	cube c.nxs
	"$PYTHON" - <<'PY'
import h5py
with h5py.File("c.nxs", "r+") as f:
    f["entry/original_metadata/up"] = f["entry"]
    f["entry/soft"] = h5py.SoftLink("/entry/soft")
PY
	gives 0 timeout 20 hsinfo c.nxs
	gives 1 timeout 20 hsinfo --check c.nxs
	says "/entry/original_metadata/up: is a loop"
	says "/entry/soft: is a link that leads nowhere"
}

# ------------------------------------------------------------------ the convention

@test "--check: what the tools write obeys, and nothing is said" {
	cube c.nxs '16, 16, 256'
	hspca -q -k 2 --carry c.nxs -o p.nxs
	hsgen -q mixture --size 8x8x32 -o g.nxs
	gives 0 hsinfo --check c.nxs p.nxs g.nxs
	[ -z "$output$stderr" ] || fails "$output$stderr"
	gives 0 sh -c 'hsload -q c.nxs | hsinfo --check'
	gives 0 hsinfo --check --json c.nxs
	[ "$output" = '{"file": "c.nxs", "faults": [], "obeys": true, "values_read": true}' ] || fails "$output"
}

@test "--check: real files, loaded, obey" {
	[ -d "${HS_DATA:-}" ] || skip "no real files: HS_DATA is not set"
	local file n=0
	for file in "$HS_DATA"/3ds/* "$HS_DATA"/emd/* "$HS_DATA"/hspy/* "$HS_DATA"/nexus/* "$HS_DATA"/npy/* "$HS_DATA"/nsid/* "$HS_DATA"/rpl/* \
		"$HS_DATA"/usid/*; do
		[ "$(stat -L -c %s "$file" 2>/dev/null || echo 99999999)" -lt 20000000 ] || continue
		hsload -q "$file" -o "load_$n.nxs" 2>/dev/null && n=$((n + 1))
	done
	[ "$n" -gt 0 ] || skip "none of the files in HS_DATA can be loaded"
	gives 0 hsinfo --check load_*.nxs
}

# Each way to break a file: a function and what is said about it. "broken.py list" names them, "broken.py NAME" does it.
breakers() {
	cat > broken.py <<'PY'
import shutil, sys
import h5py, numpy as np
from h5py import h5t

ways = {}
def way(says):
    def take(fn):
        ways[fn.__name__] = (says, fn)
        return fn
    return take

def fixed(group, name, text):
    """a string dataset as the convention wants it"""
    if name in group:
        del group[name]
    t = h5t.C_S1.copy(); t.set_size(len(text) + 1); t.set_cset(h5t.CSET_UTF8); t.set_strpad(h5t.STR_NULLTERM)
    d = h5py.h5d.create(group.id, name.encode(), t, h5py.h5s.create(h5py.h5s.SCALAR))
    d.write(h5py.h5s.ALL, h5py.h5s.ALL, np.array(text.encode(), "S%d" % (len(text) + 1)), mtype=t)

# strings
@way("@NX_class has variable length")
def class_variable(f): f["entry/data"].attrs["NX_class"] = "NXdata"
@way("@units has fixed length")
def attr_fixed(f): f["entry/data/data"].attrs["units"] = np.bytes_("count")
@way("@units is not declared as UTF-8")
def attr_ascii(f): f["entry/data/data"].attrs.create("units", "count", dtype=h5py.string_dtype("ascii"))
@way("@units is empty")
def attr_empty(f): f["entry/data/data"].attrs["units"] = ""
@way("@note is an array of strings")
def attr_array(f): f["entry/data/data"].attrs.create("note", ["a", "b"], dtype=h5py.string_dtype())
@way("/entry/title: is a string of variable length")
def text_variable(f): del f["entry/title"]; f["entry"]["title"] = "x"
@way("/entry/title: is a string without its closing NUL")
def text_open(f): del f["entry/title"]; f["entry"].create_dataset("title", data=np.bytes_("abc"))
@way("/entry/list: is an array of strings")
def text_array(f): f["entry"]["list"] = np.array([b"a", b"b"])

# tree
@way("/entry/sum image: has a name other than")
def name(f): f["entry"].move("sum_image", "sum image")
@way("/entry/process_01_hsload: is a group without @NX_class")
def no_class(f): del f["entry/process_01_hsload"].attrs["NX_class"]
@way("/entry/other: is an external link")
def external(f): f["entry/other"] = h5py.ExternalLink("other.nxs", "/entry")
@way("/entry/original_metadata/up: is a loop")
def loop(f): f["entry/original_metadata/up"] = f["entry"]
@way("/: @default '/entry' is not the name of a child")
def default_path(f): f.attrs["default"] = "/entry"
@way("/entry: @default 'nothing' is not the name of a child")
def default_missing(f): f["entry"].attrs["default"] = "nothing"
@way("@default does not lead to an NXdata")
def default_wrong(f): f["entry"].attrs["default"] = "original_metadata"
@way("/: has no @file_time")
def no_time(f): del f.attrs["file_time"]
@way("/: has no @hs_version")
def no_version(f): del f.attrs["hs_version"]
@way("is a time without a zone")
def no_zone(f): f.attrs["file_time"] = "2026-01-01T00:00:00"
@way("/entry: start_time 'yesterday' is no ISO 8601 time")
def no_iso(f): fixed(f["entry"], "start_time", "yesterday")
@way("is no UUID")
def no_uuid(f): fixed(f["entry"], "entry_identifier_uuid", "12345678-1234-1234-1234-12345678")
@way("/entry: has no program_name")
def no_program_name(f): del f["entry/program_name"]

# types and storage
@way("/entry/blob: is opaque")
def opaque(f): f["entry"]["blob"] = np.void(b"123")
@way("/entry/list: holds sequences of variable length")
def sequences(f): f["entry"].create_dataset("list", (2,), dtype=h5py.vlen_dtype(np.dtype("f8")))
@way("/entry/pointer: holds references")
def references(f): f["entry"].create_dataset("pointer", data=f["entry/data"].ref, dtype=h5py.ref_dtype)
@way("/entry/table: is a compound other than complex")
def compound(f): f["entry"]["table"] = np.zeros(3, [("a", "f4"), ("b", "f4")])
@way("is packed with filter 32000")
def lzf(f): f["entry"].create_dataset("packed", data=np.arange(4096.), chunks=(1024,), compression="lzf")
@way("has chunks of 8388608 bytes")
def chunk_large(f): f["entry"].create_dataset("big", (1024, 1024), "f8", chunks=(1024, 1024))
@way("has chunks of 64 bytes")
def chunk_small(f): f["entry"].create_dataset("big", (512, 1024), "f8", chunks=(1, 8))
@way("is a virtual dataset over another file")
def virtual(f):
    v = h5py.VirtualLayout((4,), "f8"); v[:] = h5py.VirtualSource("other.h5", "x", (4,))
    f["entry"].create_virtual_dataset("elsewhere", v)

# NXdata
@way("/entry/data: @signal is 'values', not 'data'")
def signal_name(f): g = f["entry/data"]; g.move("data", "values"); g.attrs["signal"] = "values"
@way("has no @signal, or one that is not there")
def no_signal(f): del f["entry/data"].attrs["signal"]
@way("/entry/data: has no title")
def no_title(f): del f["entry/data/title"]
@way("has a group in it, 'more'")
def subgroup(f): f["entry/data"].create_group("more").attrs["NX_class"] = np.bytes_("NXcollection")
@way("names 2 axes for 3 dimensions")
def axes_count(f): f["entry/data"].attrs.create("axes", ["y", "x"], dtype=h5py.string_dtype())
@way("/entry/data: has no axis 'z'")
def axes_missing(f): f["entry/data"].attrs.create("axes", ["z", "x", "energy"], dtype=h5py.string_dtype())
@way("/entry/data/y: is an axis and must be 16 real numbers")
def axis_long(f): g = f["entry/data"]; del g["y"]; g["y"] = np.arange(17.)
@way("@x_indices is not 1")
def indices(f): f["entry/data"].attrs["x_indices"] = np.int32(0)
@way("@interpretation differs")
def interpretation(f): f["entry/data/data"].attrs["interpretation"] = "image"
@way("/entry/data/data: has no @quantity")
def no_quantity(f): del f["entry/data/data"].attrs["quantity"]
@way("@data_type is 'CUBE'")
def data_type(f): f["entry/data/data"].attrs["data_type"] = "CUBE"
@way("@dimension_type is 'LENGTH'")
def dimension_type(f): f["entry/data/x"].attrs["dimension_type"] = "LENGTH"
@way("/entry/data/energy: is uniform and descends")
def descends(f): e = f["entry/data/energy"]; e[...] = e[...][::-1]
@way("/entry/data/energy: is not monotonic")
def not_monotonic(f): f["entry/data/energy"][3] = 100.
@way("has not 'energy', and only it, attached as its scale")
def no_scale(f): g = f["entry/data"]; g["data"].dims[2].detach_scale(g["energy"])
@way("has not 'energy', and only it, attached as its scale")
def foreign_scale(f):
    g = f["entry/data"]; g["data"].dims[2].detach_scale(g["energy"]); g["data"].dims[2].attach_scale(f["entry/mean_spectrum/energy"])
@way("dimension 0 is not labelled 'y'")
def label(f): f["entry/data/data"].dims[0].label = "z"
@way("has not the shape of what it is the error of")
def errors_shape(f): f["entry/data/data_errors"] = np.zeros(16)
@way("must be real floating point")
def errors_type(f): f["entry/data/data_errors"] = np.zeros(f["entry/data/data"].shape, "i4")
@way("is a mask without @flag_masks")
def mask_flags(f): f["entry/data/pixel_mask"] = np.zeros((16, 16), "u1")
@way("must have the shape of the data")
def mask_shape(f):
    d = f["entry/data"].create_dataset("data_mask", data=np.zeros((16, 16), "u1"))
    d.attrs["flag_masks"] = np.array([1], "u1"); d.attrs["flag_meanings"] = "dead"
@way("is time without @start")
def time_start(f): f["entry/data/time"] = np.zeros((16, 16))

# values
@way("/entry/data/data: has values that do not match @sha256")
def value(f): f["entry/data/data"][3, 4, 5] += 1
@way("@sha256 is not 64 hexadecimal digits")
def digest(f): f["entry/data/data"].attrs["sha256"] = "abc"
@way("/entry/original_metadata/header/data: does not match the checksum beside it")
def header(f): f["entry/original_metadata/header/data"][0] += 1

# history
@way("/entry/process_02_hspca: has no date")
def no_date(f): del f["entry/process_02_hspca/date"]
@way("/entry/process_02_hspca: date '22 Nov 2026' is no ISO 8601 time")
def bad_date(f): fixed(f["entry/process_02_hspca"], "date", "22 Nov 2026")
@way("/entry/process_02_hspca/configuration: holds no JSON with a list argv")
def no_json(f): fixed(f["entry/process_02_hspca/configuration"], "data", "{argv: []")
@way("/entry/process_02_hspca/configuration: holds no JSON with a list argv")
def no_argv(f): fixed(f["entry/process_02_hspca/configuration"], "data", '{"argv": "hspca"}')
@way("has 2 steps in its history, numbered without gaps up to 1 only")
def sequence(f): f["entry/process_02_hspca/sequence_index"][...] = 3
@way("has a sequence_index that is no number from 1 on, or not its own")
def sequence_twice(f): f["entry/process_02_hspca/sequence_index"][...] = 1
@way("/entry/process_02_hspca/input_1: has no file_name")
def no_file_name(f): del f["entry/process_02_hspca/input_1/file_name"]
@way("/entry/process_02_hspca/input_1: has a checksum that is not 64 hexadecimal digits")
def checksum(f): fixed(f["entry/process_02_hspca/input_1"], "checksum", "ABC")
@way("/entry/process_02_hspca/input_1: is an NXnote without type")
def no_type(f): del f["entry/process_02_hspca/input_1/type"]
@way("has no history")
def no_history(f):
    for k in list(f["entry"]):
        if k.startswith("process"): del f["entry"][k]

if sys.argv[1] == "list":
    for k, (says, fn) in ways.items(): print("%s\t%s" % (k, says))
else:
    out = sys.argv[1] + ".broken"
    shutil.copy("good.nxs", out)
    with h5py.File(out, "r+") as f: ways[sys.argv[1]][1](f)
PY
}

@test "--check: notices every way to break a file that is listed here, and says which" {
	need_python
	cube c.nxs '16, 16, 256'
	hspca -q -k 2 --carry c.nxs -o good.nxs
	gives 0 hsinfo --check good.nxs
	breakers
	"$PYTHON" broken.py list > ways
	local name said n=0 bad=0
	while IFS=$'\t' read -r name said; do
		"$PYTHON" broken.py "$name" || { echo "... $name: cannot break it"; bad=1; continue; }
		gives 1 hsinfo --check "$name.broken" || { echo "... $name"; bad=1; continue; }
		[[ $output == *"$said"* ]] || { echo "... $name: expected '$said', not: $output"; bad=1; }
		n=$((n + 1))
	done < ways
	[ "$n" -ge 60 ] || { echo "only $n ways were tried"; bad=1; }
	# only the values are wrong: not seen when they are not read
	gives 0 hsinfo --check --no-values value.broken || bad=1
	gives 1 hsinfo --check --json value.broken || bad=1
	[[ $output == *'"path": "/entry/data/data", "fault": "has values that do not match @sha256"'*'"obeys": false'* ]] || { echo "$output"; bad=1; }
	gives 1 hsinfo --check good.nxs value.broken || bad=1
	[[ $output == "value.broken: /entry/data/data: "* ]] || { echo "$output"; bad=1; }
	return "$bad"
}

@test "--check: a damaged chunk is a fault, not a failure" {
	need_python
	cube c.nxs '16, 16, 256'
	"$PYTHON" - <<'PY'
import h5py
with h5py.File("c.nxs") as f: at = f["entry/data/data"].id.get_chunk_info(0)
with open("c.nxs", "r+b") as f:
    f.seek(at.byte_offset + at.size // 2); b = f.read(1); f.seek(-1, 1); f.write(bytes([b[0] ^ 0x55]))
PY
	gives 1 hsinfo --check c.nxs
	says "/entry/data/data: has values that cannot be read: "
	gives 0 hsinfo --check --no-values c.nxs
}

# ------------------------------------------------------------------ the history, run again

# replay FILE [ARGUMENT...]: runs the history of ../FILE in a fresh folder that holds the inputs in ../inputs.
replay() {
	local file=$1
	shift
	rm -rf again && mkdir again && cp inputs/* again/
	hsinfo --history "$file" > history.sh || return
	(cd again && sh -s -- "$@" < ../history.sh) || fails "the history does not run: $(cat history.sh)"
}

inputs() {
	mkdir -p inputs
	npy "inputs/${1:-cube.npy}" '<u2' '8, 6, 64' 6144
}

@test "--history: files by -o, quoted names, options with blanks" {
	need jq
	inputs "it's a cube.npy"
	mkdir first && cp inputs/* first/
	(
		cd first
		hsload -q -a y,x,energy -t 'a "title" with $HOME and `date`' "it's a cube.npy" -o 'a b.nxs'
		hspca -k 2 'a b.nxs' -o p.nxs
	)
	replay first/p.nxs
	[ "$(sums first/p.nxs)" = "$(sums again/p.nxs)" ] || fails "$(cat history.sh)"
	[ "$(hsinfo --json again/p.nxs | jq -r .title)" = 'a "title" with $HOME and `date`' ]
}

@test "--history: a pipeline becomes files, step by step" {
	need jq
	inputs
	hsload -q -a y,x,energy inputs/cube.npy | hspca -q -k 3 | hspca -q -k 1 > p.nxs
	hsinfo --history p.nxs | grep -q '^hspca -q -k 3 < step_01.nxs > step_02.nxs$' || fails "$(hsinfo --history p.nxs)"
	mkdir -p again/inputs && cp inputs/* again/inputs/
	(cd again && hsinfo --history ../p.nxs | sh)          # as one types it
	[ "$(sums p.nxs)" = "$(sums again/step_03.nxs)" ]
	[ "$(sums p.nxs | wc -l)" -ge 4 ]
}

@test "--history: redirections and files renamed in between" {
	need jq
	inputs
	mkdir first && cp inputs/* first/
	(
		cd first
		hsload -q -a y,x,energy cube.npy > a.nxs
		hspca -q -k 2 a.nxs -qo p.nxs
		mv p.nxs renamed.nxs
		hspca -q -k 1 < renamed.nxs > q.nxs
		hspca -q --output=r.nxs q.nxs
		mv r.nxs s.nxs
		hspca -q s.nxs -k1 -o t.nxs
	)
	replay first/t.nxs
	[ "$(sums first/t.nxs)" = "$(sums again/t.nxs)" ] || fails "$(cat history.sh)"
	grep -q '^cp -- r.nxs s.nxs$' history.sh || fails "$(cat history.sh)"
}

@test "--history: what came from standard input first is asked for" {
	need jq
	inputs
	hsload -q -a y,x,energy < inputs/cube.npy | hspca -q -k 2 > p.nxs
	replay p.nxs cube.npy
	[ "$(sums p.nxs)" = "$(sums again/step_02.nxs)" ] || fails "$(cat history.sh)"
	run sh history.sh
	[ "$status" != 0 ] || fails "it ran without its input"
	[[ $output == *"step 1 read from standard input"* ]] || fails "$output"
}

@test "--history: a stranger's command is not handed to the shell" {
	need_python
	cube c.nxs
	"$PYTHON" - <<'PY'
import h5py, shutil
def change(name, argv, program, file_name="x\nrm -rf y"):
    shutil.copy("c.nxs", name)
    with h5py.File(name, "r+") as f:
        p = f["entry/process_01_hsload"]
        def put(g, k, text):
            del g[k]
            g.create_dataset(k, data=text, dtype=h5py.string_dtype("utf-8", len(text) + 1))
        put(p["configuration"], "data", '{"argv": %s}' % argv)
        put(p, "program", program)
        put(p["input_1"], "file_name", file_name)
change("rm.nxs", '["rm", "-rf", "/"]', "rm")
change("other.nxs", '["rm", "-rf", "/"]', "hsload")
change("path.nxs", '["hs/../../bin/rm", "x"]', "hs/../../bin/rm")
change("quote.nxs", r'''["hsload", "$(touch ran)", "`touch ran`", "'; touch ran; '", "a\ntouch ran\n"]''', "hsload")
PY
	refuses 3 hsinfo --history rm.nxs
	refuses 3 hsinfo --history other.nxs
	refuses 3 hsinfo --history path.nxs
	hsinfo --history quote.nxs > quote.sh
	mkdir empty_path && printf '#!/bin/sh\nexit 0\n' > empty_path/hsload && chmod +x empty_path/hsload
	PATH=$PWD/empty_path:/usr/bin:/bin sh quote.sh
	[ ! -e ran ] || fails "the script ran what was an argument: $(cat quote.sh)"
}
