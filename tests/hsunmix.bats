# hsunmix: endmembers and abundances of scenes whose truth is known, abundances of arrays against SciPy, libraries, posteriors.
# shellcheck disable=SC2154 # stderr is set by gives
load lib/common

scene() {
	hsgen "$@" -f -o scene.nxs
}

# array FILE.nxs AXES EXPRESSION: numbers made by NumPy (np, and rng, a generator with a fixed seed), loaded
array() {
	need_python numpy
	"$PYTHON" -c "import numpy as np; rng = np.random.default_rng(7); np.save('array.npy', $3)" && hsload -q -f -a "$2" array.npy -o "$1"
}

# numbers FILE... STATEMENTS: Python about results of the newest step, result(0, 'abundances') of the first file
numbers() {
	need_python h5py
	"$PYTHON" - "$@" <<- 'END' || fails "${*: -1}"
	import sys, h5py, numpy as np
	files = [h5py.File(name, 'r') for name in sys.argv[1:-1]]
	def step(i):
	    entry = files[i]['entry']
	    return entry[max(k for k in entry if k.startswith('process_'))]
	def result(i, name, what='data'): return step(i)[name][what][()]
	def data(i): return files[i]['entry/data/data'][()]
	def truth(i, name): return files[i]['entry/process_01_hsgen'][name]['data'][()]
	exec(sys.argv[-1])
	END
}

same_results() {
	hscmp -t 0 --all "$1" "$2"
}

# -------------------------------------------------------------------- what is found

@test "materials that have pure pixels: endmembers within 1 degree, abundances within 0.01 on average" {
	local k
	for k in 2 3 4; do
		scene mixture -k $k --size 40x36x96
		hsunmix -p -k $k scene.nxs -f -o out.nxs
		hscmp --as spectra -d endmembers -w true_endmembers --tolerance 1deg out.nxs scene.nxs
		hscmp --match -d abundances -w true_abundances --tolerance 0.1 --json out.nxs scene.nxs > said
		numbers out.nxs scene.nxs 'a, t = result(0, "abundances"), truth(1, "true_abundances")
k = len(t); c = np.corrcoef(a.reshape(k, -1), t.reshape(k, -1))[:k, k:]; m = c.argmax(1)
assert sorted(m) == list(range(k)) and np.sqrt(np.mean((a - t[m]) ** 2)) < 0.012, (c, np.sqrt(np.mean((a - t[m]) ** 2)))'
	done
	check out.nxs
}

@test "-k auto finds how many materials there are, and says by which rule" {
	scene mixture -k 4 --size 40x36x96 -c 50000
	hsunmix -p scene.nxs --report report.json -o out.nxs
	jq -e '.endmembers == 4 and .estimates.hysime == 4 and .estimates.tracy_widom == 4 and (.why | test("4 endmembers"))' report.json
}

@test "materials that are nowhere alone: a warning names the methods that find them, and they do" {
	scene nopure -k 3 --size 50x40x96 -c 50000
	gives 0 hsunmix -p -k 3 -e vca scene.nxs -o vca.nxs --report report.json
	says "sisal and minvol are to be trusted"
	jq -e '.purity.verdict == "mixed" and (.purity.purest | length == 3) and (.pixels | all(. >= 0))' report.json
	gives 0 hsunmix -p -k 3 -e sisal scene.nxs -o out.nxs
	[ -z "$stderr" ]
	hscmp --as spectra -d endmembers -w true_endmembers --tolerance 2deg out.nxs scene.nxs
	hscmp --match -d abundances -w true_abundances --tolerance 0.08 out.nxs scene.nxs
	run -1 hscmp --as spectra -d endmembers -w true_endmembers --tolerance 2deg vca.nxs scene.nxs
}

@test "every method finds pure materials" {
	local method
	scene mixture -k 3 --size 30x30x64 -c 100000
	for method in auto nfindr spa vca ppi sisal minvol; do
		hsunmix -q -p -k 3 -e $method scene.nxs -f -o out.nxs
		hscmp --as spectra -d endmembers -w true_endmembers --tolerance 3deg out.nxs scene.nxs || fails "$method"
	done
}

@test "endmembers are ordered by mean abundance" {
	scene mixture -k 5 --size 30x30x64
	hsunmix -q -p -k 5 scene.nxs --report report.json -o out.nxs
	jq -e '.mean_abundances | . == (sort | reverse) and (add - 1 | fabs) < 1e-9' report.json
	numbers out.nxs 'm = result(0, "abundances").reshape(5, -1).mean(1); assert np.all(np.diff(m) <= 0), m'
}

@test "--unit-sum: thickness does not count" {
	need_python h5py
	scene mixture -k 3 --size 30x30x64 --noise none
	"$PYTHON" -c 'import h5py, numpy as np
x = h5py.File("scene.nxs")["entry/data/data"][()].astype("f8")
np.save("thick.npy", x * (0.5 + np.random.default_rng(1).random(x.shape[:2]))[:, :, None])'
	hsload -q -a y,x,energy thick.npy -o thick.nxs
	hsunmix -q -k 3 --smooth 0 --unit-sum scene.nxs -o a.nxs
	hsunmix -q -k 3 --smooth 0 --unit-sum thick.nxs -o b.nxs
	hscmp --ignore-axes -d abundances --tolerance 1e-5 a.nxs b.nxs
}

# -------------------------------------------------------------------- abundances

@test "abundances of a library are SciPy's and keep its order; what is left is the residual" {
	need_python scipy
	scene mixture -k 4 --size 20x15x48 --dtype float64
	local method
	for method in nnls nnls-sum fcls ls; do
		hsunmix -l scene.nxs -a $method scene.nxs -f -o $method.nxs
	done
	numbers nnls.nxs nnls-sum.nxs fcls.nxs ls.nxs scene.nxs 'from scipy.optimize import nnls
x, e = data(4).reshape(-1, 48), truth(4, "true_endmembers")
a = [result(i, "abundances").reshape(4, -1).T.astype("f8") for i in range(4)]
n = np.array([nnls(e.T, row)[0] for row in x])
h = 1e4 * np.abs(e).max()
f = np.array([nnls(np.vstack([e.T, np.full((1, 4), h)]), np.append(row, h))[0] for row in x])
l = np.linalg.lstsq(e.T, x.T, rcond=None)[0].T
for got, want in zip(a, (n, n / n.sum(1, keepdims=True), f, l)): assert np.abs(got - want).max() < 2e-6, np.abs(got - want).max()
assert all((v >= 0).all() for v in a[:3]) and np.abs(a[2].sum(1) - 1).max() < 3e-7
assert np.array_equal(result(0, "endmembers"), e)
r = np.sqrt(np.mean((x - n @ e) ** 2, 1))
assert np.abs(result(0, "residual").ravel() / r - 1).max() < 1e-5'
	check nnls.nxs
}

@test "sunsal picks the few of a library that are there" {
	array library.nxs index,energy 'np.exp(-((np.arange(60) - np.arange(25)[:, None] * 2.4) / 4.0) ** 2) + 0.1'
	array in.nxs y,x,energy 'rng.dirichlet(np.ones(3), (12, 10)) @ (np.exp(-((np.arange(60) - np.array([[3], [11], [20]]) * 2.4) / 4.0) ** 2) + 0.1) + rng.normal(size=(12, 10, 60)) * 0.01'
	hsunmix -l library.nxs -a sunsal --lambda 0.005 in.nxs -o out.nxs
	numbers out.nxs 'a = result(0, "abundances").reshape(25, -1); m = a.mean(1)
assert (a >= 0).all() and sorted(m.argsort()[-3:]) == [3, 11, 20] and np.delete(m, [3, 11, 20]).sum() < 0.1, m'
}

@test "--scale max and sum: abundances carry the size" {
	scene mixture -k 3 --size 20x15x48
	hsunmix -q -k 3 -a nnls scene.nxs -o none.nxs
	hsunmix -q -k 3 -a nnls --scale max scene.nxs -o max.nxs
	hsunmix -q -k 3 -a nnls --scale sum scene.nxs -o sum.nxs
	numbers none.nxs max.nxs sum.nxs 'e = result(1, "endmembers"); assert np.allclose(e.max(1), 1, atol=1e-14)
assert np.allclose(result(2, "endmembers").sum(1), 1, atol=1e-13)
model = [np.einsum("kyx,kc->yxc", result(i, "abundances").astype("f8"), result(i, "endmembers")) for i in range(3)]
assert np.allclose(model[0], model[1], rtol=1e-5) and np.allclose(model[0], model[2], rtol=1e-5)
assert step(1)["endmembers/data"].attrs["units"] in (b"1", "1") and step(1)["abundances/data"].attrs["units"] in (b"count", "count")'
	refuses 2 hsunmix -k 3 --scale max scene.nxs -o no.nxs
	refuses 2 hsunmix -k 3 --scale sum -a bayes scene.nxs -o no.nxs
}

# -------------------------------------------------------------------- libraries

@test "a library on other channels is interpolated, with a warning; one that does not reach or is in another unit is refused" {
	array lib.nxs index,energy=100:1:eV 'np.array([np.linspace(1, 2, 51), np.linspace(3, 1, 51)])'
	array in.nxs y,x,energy=110:0.5:eV 'np.outer(np.linspace(0, 1, 12), np.linspace(1.2, 1.59, 40)).reshape(3, 4, 40) + np.outer(np.linspace(1, 0, 12), np.linspace(2.6, 1.82, 40)).reshape(3, 4, 40)'
	gives 0 hsunmix -l lib.nxs in.nxs -o out.nxs
	says "warning: library 'lib.nxs': spectra of 51 channels are interpolated onto the 40 of the data"
	numbers out.nxs 'a = result(0, "abundances").reshape(2, -1)
assert np.abs(a[0] - np.linspace(0, 1, 12)).max() < 1e-6 and np.abs(result(0, "endmembers")[0] - np.linspace(1.2, 1.59, 40)).max() < 1e-12'
	array short.nxs index,energy=112:1:eV 'np.ones((2, 40))'
	refuses 3 hsunmix -l short.nxs in.nxs -o no.nxs
	says "reaches from 112 to 151 eV, the data from 110 to 129.5"
	array other.nxs index,energy=110:0.5:nm 'np.ones((2, 40))'
	refuses 3 hsunmix -l other.nxs in.nxs -o no.nxs
	says "are in nm, those of the data in eV"
	array backwards.nxs index,energy=150:-1:eV 'np.array([np.linspace(2, 1, 51), np.linspace(1, 3, 51)])'
	hsunmix -q -l backwards.nxs in.nxs -o back.nxs
	hscmp -d abundances -t 1e-6 out.nxs back.nxs
	refuses 4 hsunmix -l missing.nxs in.nxs -o no.nxs
	[ ! -e no.nxs ]
}

@test "endmembers of one scan are the library of the next; images are no library" {
	scene mixture -k 3 --size 30x30x64
	hsunmix -q -p -k 3 scene.nxs -o first.nxs
	hsunmix -q -p -l first.nxs scene.nxs -o second.nxs
	hscmp -d abundances -t 1e-5 first.nxs second.nxs
	hsgen constant --size 5x5x1 -o flat.nxs
	array image.nxs y,x 'rng.random((5, 5))'
	refuses 2 hsunmix -l image.nxs scene.nxs -o no.nxs
	says "holds no list of spectra"
}

@test "two equal spectra, a zero one: a defined answer" {
	array lib.nxs index,energy 'np.array([np.arange(1, 21), np.arange(1, 21), np.arange(20, 0, -1), np.zeros(20)], "f8")'
	array in.nxs y,x,energy 'rng.dirichlet(np.ones(2), (5, 6)) @ np.array([np.arange(1, 21), np.arange(20, 0, -1)]) + rng.normal(size=(5, 6, 20)) * 0.1'
	local method
	for method in fcls nnls nnls-sum sunsal ls bayes; do
		hsunmix -q -l lib.nxs -a $method in.nxs -f -o $method.nxs
		check $method.nxs
	done
	numbers fcls.nxs nnls.nxs ls.nxs 'for i in 0, 1:
    assert (result(i, "abundances")[1] == 0).all() and (result(i, "abundances") >= 0).all()
assert (result(1, "abundances")[3] == 0).all() and np.allclose(result(2, "abundances")[0], result(2, "abundances")[1], atol=1e-6)'
}

# -------------------------------------------------------------------- posteriors

@test "bayes: 95 % intervals of known endmembers hold 93 to 97 % of the truth" {
	array lib.nxs index,energy 'np.exp(-((np.arange(50) - np.array([[8], [25], [42]])) / 8.0) ** 2) * 0.6 + 0.2'
	array in.nxs y,x,energy 'rng.dirichlet(np.ones(3), (20, 20)) @ (np.exp(-((np.arange(50) - np.array([[8], [25], [42]])) / 8.0) ** 2) * 0.6 + 0.2) + rng.normal(size=(20, 20, 50)) * 0.03'
	hsunmix -l lib.nxs -a bayes in.nxs --report report.json -o out.nxs
	numbers out.nxs 'truth = np.random.default_rng(7).dirichlet(np.ones(3), (20, 20)).transpose(2, 0, 1)
lo, hi, m, s = [result(0, n) for n in ("abundances_low", "abundances_high", "abundances")] + [result(0, "abundances", "data_errors")]
inside = np.mean((truth >= lo) & (truth <= hi))
assert 0.93 < inside < 0.97, inside
assert (lo >= 0).all() and (lo <= m).all() and (m <= hi).all() and (hi <= 1).all() and np.abs(m.sum(0) - 1).max() < 1e-6
assert 0.8 < np.mean(((m - truth) / s) ** 2) < 1.2'
	jq -e '.chains.scale_reduction < 1.05 and .chains.effective_samples > 200 and .status == "converged"' report.json
	check out.nxs
}

@test "bayes: endmembers that are sampled have errors, and come near the truth" {
	array in.nxs y,x,energy 'rng.dirichlet(np.ones(3), (20, 20)) @ (np.exp(-((np.arange(40) - np.array([[7], [20], [33]])) / 7.0) ** 2) * 0.6 + 0.2) + rng.normal(size=(20, 20, 40)) * 0.02'
	hsunmix -q -k 3 -e sisal -a bayes --sample-endmembers in.nxs --samples 200 -o out.nxs || [ $? = 5 ]
	numbers out.nxs 'e, s = result(0, "endmembers"), result(0, "endmembers", "data_errors")
t = np.exp(-((np.arange(40) - np.array([[7], [20], [33]])) / 7.0) ** 2) * 0.6 + 0.2
m = np.corrcoef(e, t)[:3, 3:].argmax(1)
assert sorted(m) == [0, 1, 2] and np.abs(e - t[m]).max() < 0.04 and (s > 0).all() and np.mean(((e - t[m]) / s) ** 2) < 6'
}

# -------------------------------------------------------------------- the same answer, however it is asked

@test "the same bytes for 1, 2, 3 and 8 threads" {
	local j options
	scene mixture -k 3 --size 24x21x40 -c 5000
	for options in '-p -k 3' '-k 3 -e vca -a nnls --unit-sum' '-p -l scene.nxs -a bayes --samples 60' '-l scene.nxs -a sunsal'; do
		# shellcheck disable=SC2086 # options are several words
		for j in 1 2 3 8; do
			hsunmix -q $options -j $j scene.nxs -f -o out$j.nxs || [ $? = 5 ]
			same_results out1.nxs out$j.nxs
		done
	done
}

@test "the same bytes from a file, a pipe, a pipe that is copied, raw and big-endian values" {
	need_python numpy
	scene mixture -k 3 --size 24x21x40 -c 5000
	hsunmix -q -p -k 3 scene.nxs -o file.nxs
	hsgen mixture -k 3 --size 24x21x40 -c 5000 | hsunmix -q -p -k 3 > pipe.nxs
	hsgen mixture -k 3 --size 24x21x40 -c 5000 | cat | hsunmix -q -p -k 3 - | cat > copied.nxs
	hsgen mixture -k 3 --size 24x21x40 -c 5000 --raw -o raw.nxs
	hsunmix -q -p -k 3 raw.nxs -o fromraw.nxs
	local way
	for way in pipe copied fromraw; do same_results file.nxs $way.nxs; done
	"$PYTHON" -c 'import numpy as np; x = np.random.default_rng(5).poisson(40, (8, 9, 12)); np.save("little.npy", x.astype("<f4")); np.save("big.npy", x.astype(">f4")); np.save("turned.npy", np.asfortranarray(x.astype("<f4")))'
	for way in little big turned; do
		hsload --raw -q -a y,x,energy $way.npy -o $way.nxs
		hsunmix -q -k 3 -a nnls $way.nxs -o from$way.nxs
		same_results fromlittle.nxs from$way.nxs
	done
	nothing_left
}

@test "--memory is kept for a cube that is larger, and does not change the result" {
	need /usr/bin/time
	scene gradient --value 100 --size 1024x1024x64 --raw   # 256 MiB
	/usr/bin/time -f %M -o peak hsunmix -q -k 2 --memory 190M scene.nxs -o out.nxs
	[ "$(tail -1 peak)" -lt $((190 * 1024)) ] || fails "peak memory $(cat peak) KiB for --memory 190M"
	hsunmix -q -k 2 --memory 1G scene.nxs -o free.nxs
	same_results out.nxs free.nxs
	rm scene.nxs
}

# -------------------------------------------------------------------- data that have no answer

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
	local file options status
	for file in *.npy; do hsload -q -a y,x,energy "$file" -o "${file%.npy}.nxs"; done
	for options in '-k 3' '' '-p -k 3 -a nnls' '-k 3 -a bayes --samples 40' '-k 3 -e sisal -a ls' '-k 3 -a nnls-sum --unit-sum'; do
		for file in *.npy; do
			status=0
			# shellcheck disable=SC2086
			timeout 60 hsunmix -q $options "${file%.npy}.nxs" -f -o out.nxs 2> errors || status=$?
			case $status in
			0 | 5) hsinfo --check out.nxs || fails "$options $file"
				[ "${file%.npy}" = nan-rows ] || numbers out.nxs 'assert np.isfinite(result(0, "endmembers")).all() and not np.isinf(result(0, "abundances")).any()' ;;
			3) [ "$(wc -l < errors)" = 1 ] || fails "$options $file: $(cat errors)" ;;
			*) fails "$options $file: status $status: $(cat errors)" ;;
			esac
			rm -f out.nxs
		done
	done
	[ ! -e failures ]
	nothing_left
}

@test "masked pixels and spectra with NaN are left out: NaN abundances, the rest as if they were not there" {
	need_python numpy
	scene mixture -k 3 --size 12x10x32
	"$PYTHON" -c 'import numpy as np; m = np.zeros((10, 12), "u1"); m[2, 3:7] = 8; m[9] = 1; np.save("mask.npy", m)'
	hsload -q -a y,x mask.npy -o mask.nxs
	local method
	for method in fcls bayes; do
		hsunmix -q -l scene.nxs -a $method --mask mask.nxs scene.nxs --report report.json -f -o out.nxs
		jq -e '.spectra_used == 104' report.json
		numbers out.nxs 'm = np.zeros((10, 12), bool); m[2, 3:7] = True; m[9] = True
a = result(0, "abundances"); assert np.array_equal(np.isnan(a), np.broadcast_to(m, a.shape)) and np.array_equal(np.isnan(result(0, "residual")), m)'
	done
	hsunmix -q -l scene.nxs -a fcls scene.nxs -f -o all.nxs
	hsunmix -q -l scene.nxs -a fcls --mask mask.nxs scene.nxs -f -o out.nxs
	numbers out.nxs all.nxs 'a, b = result(0, "abundances"), result(1, "abundances"); good = np.isfinite(a); assert np.abs(a[good] - b[good]).max() < 1e-6'
}

@test "more endmembers than dimensions: as many as there are, and a warning" {
	array in.nxs y,x,energy 'rng.dirichlet(np.ones(2), (8, 9)) @ rng.uniform(1, 5, (2, 20))'
	gives 0 hsunmix -k 5 in.nxs --report report.json -o out.nxs
	says "2 can be found"
	jq -e '.endmembers == 2 and .status == "degenerate"' report.json
}

@test "a line scan, scattered points, an image" {
	array line.nxs x=0:2:nm,energy=1:0.5:eV 'rng.dirichlet(np.ones(3), 60) @ rng.uniform(1, 9, (3, 16)) + rng.normal(size=(60, 16)) * 0.01'
	hsunmix -q -k 3 line.nxs -o out.nxs
	check out.nxs
	numbers out.nxs 'assert result(0, "abundances").shape == (3, 60) and list(result(0, "abundances", "x")[:2]) == [0, 2]'
	array points.nxs point,energy 'rng.dirichlet(np.ones(3), 60) @ rng.uniform(1, 9, (3, 16))'
	hsunmix -q -k 3 points.nxs -f -o out.nxs
	numbers out.nxs 'assert result(0, "abundances").shape == (3, 60)'
	scene mixture -k 3 --size 20x10x32
	hsunmix -q -k 1 -d sum_image scene.nxs -o image.nxs
	numbers image.nxs 'assert (result(0, "abundances") == 1).all()'
}

# -------------------------------------------------------------------- how it is asked

@test "what is written says how it was made" {
	scene mixture -k 3 --size 20x10x32
	hsunmix -q -p -k 3 scene.nxs -o out.nxs
	numbers out.nxs 'text = lambda n: step(0)[n]["data"].attrs["comment"]
text = (lambda get: lambda n: get(n).decode() if isinstance(get(n), bytes) else get(n))(text)
assert text("abundances") == "fully constrained least squares: not negative, sum to one; channels weighted for counts", text("abundances")
assert "3 endmembers" in text("endmembers") and text("endmembers").endswith("; scale: as they are in the data; order: by mean abundance")'
}

@test "-n says what would be done; too little memory and wrong words are refused" {
	scene mixture -k 3 --size 20x10x32
	gives 0 hsunmix -n -k 3 scene.nxs -o out.nxs
	[ "$stderr" = "hsunmix: would unmix 200 spectra of 32 channels and write out.nxs" ]
	refuses 2 hsunmix -k 0 scene.nxs -o out.nxs
	refuses 2 hsunmix -k 65 scene.nxs -o out.nxs
	refuses 2 hsunmix -e nothing scene.nxs -o out.nxs
	refuses 2 hsunmix --lambda 0.1 scene.nxs -o out.nxs
	refuses 2 hsunmix --sample-endmembers scene.nxs -o out.nxs
	refuses 2 hsunmix --min-volume -e sisal scene.nxs -o out.nxs
	refuses 2 hsunmix -k 3 -l scene.nxs scene.nxs -o out.nxs
	refuses 2 hsunmix --samples 10 -a bayes scene.nxs -o out.nxs
	[ ! -e out.nxs ]
	nothing_left
}

@test "--deadline: what there is by then, status 5" {
	scene mixture -k 3 --size 64x64x64
	gives 5 hsunmix -l scene.nxs -a bayes --samples 20000 --deadline 1s scene.nxs -o out.nxs --report report.json
	says "stopped by --deadline"
	jq -e '.status == "stopped" and .spectra_used < 4096' report.json
	check out.nxs
}
