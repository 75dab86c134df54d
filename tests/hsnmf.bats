# hsnmf: scenes whose endmembers are known, numbers that NumPy recomputes, and data that have no factors.
# shellcheck disable=SC2154 # stderr is set by gives
load lib/common

# array FILE.nxs AXES EXPRESSION: numbers made by NumPy (np, and rng, a generator with a fixed seed), loaded
array() {
	need_python numpy
	"$PYTHON" -c "import numpy as np; rng = np.random.default_rng(7); np.save('array.npy', $3)"
	hsload -q -f -a "$2" array.npy -o "$1"
}

# numbers FILE... STATEMENTS: Python about results of the newest step, result(0, 'abundances') of the first file; factors(0) gives
# maps (pixels x k) and spectra (k x channels)
numbers() {
	need_python h5py
	"$PYTHON" - "$@" <<- 'END' || fails "${*: -1}"
	import sys, h5py, numpy as np
	files = [h5py.File(name, 'r') for name in sys.argv[1:-1]]
	def step(i):
	    entry = files[i]['entry']
	    return entry[max(k for k in entry if k.startswith('process_'))]
	def result(i, name, what='data'): return step(i)[name][what][()]
	def data(i): return files[i]['entry/data/data'][()].astype('f8')
	def factors(i):
	    w, h = result(i, 'abundances').astype('f8'), result(i, 'endmembers')
	    return w.reshape(len(w), -1).T, h.reshape(len(h), -1)
	exec(sys.argv[-1])
	END
}

# same_results A B: every result is the same bits
same_results() {
	hscmp -t 0 --all "$1" "$2"
}

# scene [OPTION]...: three substances in scene.nxs
scene() {
	hsgen mixture -k 3 --size 40x30x64 "$@" -f -o scene.nxs
}

# holes FILE.nxs EXPRESSION: the values of scene.nxs, as x, changed by a statement
holes() {
	need_python h5py
	"$PYTHON" -c "import h5py, numpy as np
x = h5py.File('scene.nxs')['entry/data/data'][()]; rng = np.random.default_rng(5)
$2
np.save('holes.npy', x)"
	hsload -q -f -a y,x,energy holes.npy -o "$1"
}

# -------------------------------------------------------------------- what is found

@test "the endmembers of a scene are found, and their maps" {
	scene -c 200000
	hsnmf -k 3 scene.nxs -o out.nxs
	hscmp --as spectra -d endmembers -w true_endmembers --tolerance 12deg out.nxs scene.nxs
	check out.nxs
}

@test "-k auto finds how many there are, and writes down how it chose" {
	local k
	for k in 2 4; do
		hsgen mixture -k $k --size 40x30x48 | hsnmf --k-max 6 --report report.json -f -o out.nxs
		jq -e ".components == $k and .status == \"converged\"" report.json
	done
	numbers out.nxs 'e = result(0, "choice"); s = result(0, "choice", "stability")
assert list(result(0, "choice", "components")) == list(range(1, len(e) + 1)) and e.argmin() == 3
assert s[3] > 0.95 and (result(0, "choice", "fit") < e).all() and result(0, "choice", "difference_error")[3] == 0'
	check out.nxs
}

@test "the product is the data, as far as it is said" {
	scene
	hsnmf -k 3 scene.nxs --report report.json -o out.nxs
	numbers out.nxs scene.nxs 'import json
r = json.load(open("report.json")); w, h = factors(0); x = data(1).reshape(-1, 64); d = x - w @ h
assert (w >= 0).all() and (h >= 0).all() and np.allclose(h.mean(1), 1, rtol=1e-12)
assert np.allclose(result(0, "residual").ravel(), np.sqrt((d ** 2).mean(1)), rtol=1e-5)
assert np.isclose(r["relative_error"], np.sqrt((d ** 2).sum() / (x ** 2).sum()), rtol=1e-6)
assert np.isclose(r["objective"], (d ** 2).sum() / 2, rtol=1e-5) and r["kkt"] < 1e-5
assert np.allclose(r["total"], w.sum(0), rtol=1e-6) and (np.diff(r["total"]) <= 0).all()
c = result(0, "convergence"); assert (np.diff(c) <= 0).all() and np.isclose(c[-1], r["objective"], rtol=1e-12)
s = np.linalg.svd(x, compute_uv=False); assert (d ** 2).sum() >= (s[3:] ** 2).sum() * (1 - 1e-9)'
}

@test "--loss poisson: few counts, the divergence is what it says, and it is less than that of squares" {
	scene -c 500
	hsnmf -k 3 scene.nxs -o squares.nxs
	hsnmf -k 3 --loss poisson scene.nxs --report report.json -o out.nxs
	check out.nxs
	numbers out.nxs scene.nxs squares.nxs 'import json
r = json.load(open("report.json")); x = data(1).reshape(-1, 64)
def divergence(i):
    w, h = factors(i); y = np.maximum(w @ h, 1e-30)
    return (y - x + np.where(x > 0, x * np.log(np.maximum(x, 1) / y), 0)).sum()
assert np.isclose(r["objective"], divergence(0), rtol=1e-6) and divergence(0) < divergence(2)
w, h = factors(0); assert np.isclose((w @ h).sum(), x.sum(), rtol=1e-4)
assert (np.diff(result(0, "convergence")) <= 0).all()'
}

@test "--sum-to-one: maps are shares, spectra are in the unit of the data" {
	scene -c 200000
	hsnmf -k 3 --sum-to-one scene.nxs -o out.nxs
	numbers out.nxs scene.nxs 'w, h = factors(0); assert np.allclose(w.sum(1), 1, atol=1e-6) and w.min() >= 0
d = data(1).reshape(-1, 64) - w @ h; assert np.abs(d.mean()) < 1e-2 * data(1).mean()
assert step(0)["abundances/data"].attrs["units"] == "1"'
	check out.nxs
}

@test "--sparse makes zeros, --smooth makes spectra smooth" {
	scene -c 2000
	hsnmf -k 3 scene.nxs -o plain.nxs
	hsnmf -k 3 --sparse 0.05 scene.nxs -o sparse.nxs
	hsnmf -k 3 --smooth 10 scene.nxs -o smooth.nxs
	numbers plain.nxs sparse.nxs smooth.nxs 'zeros = lambda i: (factors(i)[0] == 0).sum()
rough = lambda i: (np.diff(factors(i)[1], 2) ** 2).sum()
assert zeros(1) > 1.2 * zeros(0), (zeros(0), zeros(1))
assert rough(2) < 0.7 * rough(0), (rough(0), rough(2))'
}

@test "the error is that of scikit-learn, which finds nothing better from there" {
	need_python sklearn
	hsgen mixture -k 5 --size 40x30x64 -c 2000 -o scene.nxs
	hsnmf -k 5 scene.nxs -o out.nxs
	numbers out.nxs scene.nxs 'import warnings; warnings.simplefilter("ignore")
from sklearn.decomposition import NMF, non_negative_factorization
x = data(1).reshape(-1, 64); w, h = factors(0); ours = np.linalg.norm(x - w @ h)
starts = ("nndsvda", 0), ("random", 1), ("random", 2)
best = min(NMF(5, init=i, tol=1e-5, max_iter=1000, random_state=s).fit(x).reconstruction_err_ for i, s in starts)
assert ours <= 1.0005 * best, (ours, best)
w2, h2, _ = non_negative_factorization(x, W=w.copy(), H=h.copy(), n_components=5, init="custom", tol=1e-8, max_iter=200)
assert np.linalg.norm(x - w2 @ h2) > ours * (1 - 1e-4)'
}

# -------------------------------------------------------------------- the same answer, however it is asked

@test "the same bytes for 1, 2, 3 and 8 threads" {
	local j options
	hsgen mixture -k 3 --size 100x90x16 -c 3000 -o scene.nxs
	for options in '-k 3' '-k 3 -l poisson --max-iter 30' '-k 3 --sum-to-one --max-iter 50' '-k auto --k-max 3' \
		'-k 2 --start kmeans'; do
		# shellcheck disable=SC2086 # options are several words
		for j in 1 2 3 8; do
			run hsnmf -q $options -j $j scene.nxs -f -o out$j.nxs
			same_results out1.nxs out$j.nxs
		done
	done
}

@test "the same bytes from raw, compressed and rechunked files, and from a pipe" {
	scene
	hsnmf -k 3 scene.nxs -o out.nxs
	scene --raw
	hsnmf -k 3 scene.nxs -o raw.nxs
	hsgen mixture -k 3 --size 40x30x64 | hsnmf -k 3 > pipe.nxs
	same_results out.nxs raw.nxs
	same_results out.nxs pipe.nxs
	nothing_left
	need h5repack
	scene
	h5repack -l /entry/data/data:CHUNK=7x3x64 -f /entry/data/data:GZIP=6 scene.nxs chunked.nxs
	hsnmf -k 3 chunked.nxs -o chunked_out.nxs
	same_results out.nxs chunked_out.nxs
}

@test "big-endian values and channels that come first give the same numbers" {
	scene
	hsnmf -k 3 scene.nxs -o out.nxs
	need_python h5py
	"$PYTHON" -c 'import h5py, numpy as np
x = h5py.File("scene.nxs")["entry/data/data"][()]
np.save("big.npy", x.astype(">f4")); np.save("first.npy", np.ascontiguousarray(x.transpose(2, 0, 1)))'
	hsload -q -a y,x,energy big.npy -o big.nxs
	hsload -q -a energy,y,x first.npy -o first.nxs
	local name
	for name in big first; do
		hsnmf -k 3 $name.nxs -o $name.out
		hscmp --all -t 0 --ignore-axes $name.out out.nxs
	done
}

@test "the seed decides where the restarts begin, and is written down" {
	need h5dump
	hsgen mixture -k 4 --size 30x20x32 -c 2000 -o scene.nxs
	hsnmf -k 4 --start random -r 1 --max-iter 5 --seed 1 scene.nxs -o one.nxs || [ $? = 5 ]
	hsnmf -k 4 --start random -r 1 --max-iter 5 --seed 2 scene.nxs -o two.nxs || [ $? = 5 ]
	hsnmf -k 4 --start random -r 1 --max-iter 5 --seed 1 scene.nxs -o again.nxs || [ $? = 5 ]
	same_results one.nxs again.nxs
	run -1 hscmp -t 0 -d endmembers one.nxs two.nxs
	h5dump -y -d /entry/process_02_hsnmf/parameters/seed two.nxs | grep -q '^ *2$'
}

@test "--memory is kept for a cube that is larger, and the error is nearly that of all memory" {
	need /usr/bin/time
	hsgen mixture -k 2 --size 400x400x128 --raw -o scene.nxs               # 78 MiB
	gives 0 hsnmf -q -k 2 -r 1 scene.nxs --report all.json -o out.nxs
	gives 5 /usr/bin/time -f %M -o peak hsnmf -q -k 2 --max-iter 40 --tol 0 --memory 100M scene.nxs --report few.json -f -o out.nxs
	[ "$(tail -n 1 peak)" -lt $((100 * 1024)) ] || fails "peak memory $(cat peak) KiB for --memory 100M"
	jq -e -s '.[0].relative_error < 1.001 * .[1].relative_error' few.json all.json
	rm scene.nxs
}

# -------------------------------------------------------------------- when it does not come to an end

@test "--max-iter 3: status 5, and the result says that it is not the end" {
	hsgen mixture -k 6 --size 30x20x32 -c 500 -o scene.nxs
	gives 5 hsnmf -k 6 --max-iter 3 scene.nxs --report report.json -o out.nxs
	says "NMF reached --max-iter before it converged (KKT residual"
	jq -e '.status == "maxiter" and .iterations == 3 and .kkt > 1e-5' report.json
	numbers out.nxs 'c = step(0)["abundances/data"].attrs["comment"]; assert c.startswith("not converged"), c'
	check out.nxs
}

@test "--deadline: status 5 with what there is, also when the number was still being chosen" {
	hsgen mixture -k 6 --size 60x50x64 -c 500 -o scene.nxs
	gives 5 hsnmf -k 6 --deadline 1ms scene.nxs --report report.json -o out.nxs
	says "stopped by --deadline"
	jq -e '.status == "stopped"' report.json
	check out.nxs
	gives 5 hsnmf --deadline 1ms scene.nxs --report report.json -f -o out.nxs
	says "more than 1 components were not tried"
	jq -e '.status == "stopped" and .components == 1' report.json
	gives 0 hsnmf -k 2 --deadline 10min scene.nxs -f -o out.nxs
}

# -------------------------------------------------------------------- values that are missing

@test "values that are missing are left out one by one" {
	scene -c 200000
	hsnmf -k 3 scene.nxs -o whole.nxs
	holes in.nxs 'hide = rng.random(x.shape) < 0.2; hide[0, :20] = False; x[hide] = np.nan; x[3, 4] = np.nan'
	hsnmf -k 3 in.nxs --report report.json -o out.nxs
	jq -e '.spectra_used == 1199 and .spectra_with_gaps > 1000 and .status == "converged"' report.json
	numbers out.nxs whole.nxs scene.nxs in.nxs 'w, h = factors(0); x = data(2).reshape(-1, 64); seen = data(3).reshape(-1, 64)
lost = np.arange(1200) == 3 * 40 + 4; assert np.array_equal(np.isnan(w).any(1), lost) and np.isnan(result(0, "residual")[3, 4])
hidden = np.isnan(seen) & ~lost[:, None]; d = x - w @ h; v, g = factors(1)
# as near to the hidden values as the fit that saw them, but for their share in it
rms = lambda a: np.sqrt((a ** 2).mean())
assert rms(d[hidden]) < 1.2 * rms((x - v @ g)[hidden]), (rms(d[hidden]), rms((x - v @ g)[hidden]))
assert np.allclose(result(0, "residual").ravel()[~lost], np.sqrt(np.nanmean((seen - w @ h) ** 2, 1))[~lost], rtol=1e-4)'
	check out.nxs
}

@test "--mask: maps are NaN there, and the others what they would be without" {
	need_python numpy
	scene -c 200000
	"$PYTHON" -c 'import numpy as np; m = np.zeros((30, 40), "u1"); m[2, 3:7] = 8; m[9] = 1; np.save("mask.npy", m)'
	hsload -a y,x mask.npy -o mask.nxs
	holes in.nxs 'x[2, 3:7] = 1e6; x[9] = np.nan; x[9, 4, 5] = 3'
	hsnmf -k 3 --mask mask.nxs in.nxs -o out.nxs
	hsnmf -k 3 --mask mask.nxs scene.nxs -o clean.nxs
	numbers out.nxs 'm = np.zeros((30, 40), bool); m[2, 3:7] = True; m[9] = True
assert all(np.array_equal(np.isnan(a), m) for a in result(0, "abundances"))'
	hscmp --as spectra -d endmembers --tolerance 0.01deg --ignore-axes out.nxs clean.nxs
}

@test "the fill value of integers is a missing value" {
	array in.nxs y,x,energy 'np.outer(1 + np.arange(24) % 5, 1 + np.arange(8)).reshape(4, 6, 8).astype("u2")'
	need_python h5py
	hsnmf -k 1 in.nxs -o want.nxs
	"$PYTHON" -c 'import h5py, numpy as np
d = h5py.File("in.nxs", "r+")["entry/data/data"]
v = d[()]; v[1, 2, 3] = 65535; d[...] = v; d.attrs["_FillValue"] = np.uint16(65535)'
	hsnmf -k 1 in.nxs --report report.json -o out.nxs
	jq -e '.spectra_with_gaps == 1 and .spectra_used == 24' report.json
	hscmp -t 1e-3 -d abundances out.nxs want.nxs
}

# -------------------------------------------------------------------- data without factors

# ends STATUS EMPTY OPTIONS...: with in.nxs; EMPTY components are zero
ends() {
	local want=$1 empty=$2
	shift 2
	rm -f out.nxs
	gives "$want" hsnmf "$@" in.nxs -o out.nxs --report report.json || return 1
	if [ "$want" != 0 ]; then
		[ ! -e out.nxs ] || fails "status $want and yet a file"
		return
	fi
	jq -e ".empty == $empty" report.json
	numbers out.nxs 'w, h = factors(0); assert np.isfinite(w).all() and np.isfinite(h).all() and (w >= 0).all() and (h >= 0).all()'
}

@test "an all-zero cube: empty components, and it says so" {
	array in.nxs y,x,energy 'np.zeros((8, 9, 32), "f4")'
	ends 0 3 -k 3
	says "warning: 3 of 3 components are empty"
	ends 0 3 -k 3 -l poisson
	ends 0 1 -k auto
}

@test "one pixel, one channel, a constant, more components than there can be" {
	local l
	for l in euclidean poisson; do
		array in.nxs y,x,energy 'rng.poisson(50, (1, 1, 32))'
		ends 0 0 -k 1 -l $l
		array in.nxs y,x,energy 'rng.poisson(50, (8, 9, 1))'
		ends 0 0 -k 1 -l $l
		array in.nxs y,x,energy 'np.full((8, 9, 32), 7.0)'
		ends 0 0 -k 1 -l $l
		numbers out.nxs 'assert np.allclose(factors(0)[0], 7) and np.allclose(factors(0)[1], 1)'
	done
	array in.nxs y,x,energy 'rng.poisson(50, (3, 2, 8))'
	gives 0 hsnmf -q -k 20 in.nxs -f -o out.nxs
	numbers out.nxs 'assert np.nanmax(result(0, "residual")) < 0.1'
	gives 0 hsnmf -q in.nxs -f -o out.nxs
}

@test "negative values: counts have none, squares take them as they are and warn" {
	array in.nxs y,x,energy 'rng.normal(size=(8, 9, 32))'
	ends 3 0 -k 2 -l poisson
	says "there are values below zero"
	gives 0 hsnmf -k 2 in.nxs -f -o out.nxs
	says "of the squared values are below zero"
}

@test "values from 1e-300 to 1e300: factors, zeros, or status 3" {
	local power
	for power in 1e-30 1e-20 1e20; do
		array in.nxs y,x,energy "(rng.random((72, 2)) @ rng.random((2, 32))).reshape(8, 9, 32) * $power"
		gives 0 hsnmf -q -k 2 in.nxs -f -o out.nxs --report report.json
		jq -e '.relative_error < 1e-5 and .empty == 0' report.json
	done
	array in.nxs y,x,energy 'rng.poisson(50, (8, 9, 32)) * 1e300'
	ends 3 0 -k 3
	says "squares overflow"
	array in.nxs y,x,energy 'rng.poisson(50, (8, 9, 32)) * 1e-300'
	gives 0 hsnmf -q -k 2 in.nxs -f -o out.nxs
	array in.nxs y,x,energy 'np.full((3, 4, 5), np.nan)'
	ends 3 0 -k 2
	says "no usable spectrum"
}

@test "options that do not go together: status 2" {
	scene
	refuses 2 hsnmf -k 2 -l poisson --sparse 0.1 scene.nxs -o out.nxs
	refuses 2 hsnmf -k 2 --sum-to-one --sparse 0.1 scene.nxs -o out.nxs
	refuses 2 hsnmf -k 2 --smooth 1 -d sum_image scene.nxs -o out.nxs
}

# -------------------------------------------------------------------- which pixels, what is written

@test "a line scan, scattered points, a stack of images" {
	array line.nxs x=0:2:nm,energy 'rng.random((20, 2)) @ rng.random((2, 9))'
	hsnmf -q -k 2 line.nxs -f -o out.nxs
	check out.nxs
	numbers out.nxs 'assert result(0, "abundances").shape == (2, 20) and result(0, "abundances", "x")[1] == 2'
	array points.nxs point,energy 'rng.random((20, 2)) @ rng.random((2, 9))'
	hsnmf -q -k 2 points.nxs -f -o out.nxs
	check out.nxs
	scene
	hspca -q -k 3 scene.nxs | hsnmf -q -k 2 -f -o out.nxs
	numbers out.nxs 'assert result(0, "abundances").shape == (2, 30, 40) and result(0, "endmembers").shape == (2, 3)'
}

@test "the file holds abundances, endmembers, residual, convergence, and all that came before; they can be drawn" {
	need h5ls
	scene
	hsnmf -k 3 scene.nxs -o out.nxs
	h5ls -r out.nxs > list
	local name
	for name in process_01_hsgen/true_endmembers process_02_hsnmf/abundances process_02_hsnmf/endmembers \
		process_02_hsnmf/residual process_02_hsnmf/convergence mean_spectrum sum_image; do
		grep -q "^/entry/$name/data " list || fails "no $name"
	done
	run -1 grep -q '^/entry/data ' list
	hscmp -t 0 out.nxs --with process_02_hsnmf/abundances out.nxs
	hsplot out.nxs -o picture.png
}
