# hsica: independent components of data whose sources are known, of scenes, of scores that hspca wrote, and of data that have none.
# shellcheck disable=SC2154 # stderr is set by gives
load lib/common

# scene OPTIONS...: a scene in scene.nxs
scene() {
	hsgen "$@" -f -o scene.nxs
}

# array FILE.nxs AXES EXPRESSION: numbers made by NumPy (np, and rng, a generator with a fixed seed), loaded
array() {
	need_python numpy
	"$PYTHON" -c "import numpy as np; rng = np.random.default_rng(7); np.save('array.npy', $3)" && hsload -q -f -a "$2" array.npy -o "$1"
}

# numbers FILE... STATEMENTS: Python about results of the newest step, result(0, 'scores') of the first file
numbers() {
	need_python h5py
	"$PYTHON" - "$@" <<- 'END' || fails "${*: -1}"
	import sys, h5py, numpy as np
	files = [h5py.File(name, 'r') for name in sys.argv[1:-1]]
	def result(i, name, what='data'):
	    entry = files[i]['entry']
	    return entry[max(k for k in entry if k.startswith('process_'))][name][what][()]
	def data(i): return files[i]['entry/data/data'][()]
	def maps(i):
	    s = result(i, 'scores')
	    return s.reshape(len(s), -1).astype('f8')
	def model(i):
	    step = files[i]['entry'][max(k for k in files[i]['entry'] if k.startswith('process_'))]
	    c = step['components/data'][()]
	    m = maps(i).T @ c.reshape(len(c), -1)
	    return m + step['mean/data'][()].reshape(-1) if 'mean' in step else m
	def principal(x, k):
	    m = x.mean(0)
	    u, s, vt = np.linalg.svd(x - m, full_matrices=False)
	    return m + (u[:, :k] * s[:k]) @ vt[:k]
	exec(sys.argv[-1])
	END
}

# sources FILE.nxs: 2 Laplace and 2 uniform maps of 60 x 50 pixels, mixed into 24 channels, and a little noise; truth in sources.npy
sources() {
	need_python numpy
	"$PYTHON" -c "import numpy as np; rng = np.random.default_rng(11)
s = np.stack([rng.laplace(size=3000), rng.uniform(-1, 1, 3000), rng.laplace(size=3000), rng.uniform(-1, 1, 3000)])
s /= s.std(1, keepdims=True)
np.save('sources.npy', s)
np.save('array.npy', (s.T @ rng.normal(size=(4, 24)) + 10 + 1e-3 * rng.normal(size=(3000, 24))).reshape(60, 50, 24))"
	hsload -q -f -a y,x,energy array.npy -o "$1"
}

# same_results A B: every result is the same bits
same_results() {
	hscmp -t 0 --all "$1" "$2"
}

# -------------------------------------------------------------------- what is found

@test "maps that are independent are found again, by every method" {
	local method
	sources in.nxs
	for method in '-m picard' '-m fastica' '-m fastica --approach deflation' '-m fastica --nonlinearity cube' \
		'-m fastica --nonlinearity gauss' '-m jade'; do
		# shellcheck disable=SC2086 # several words
		hsica --on maps -k 4 $method in.nxs --report report.json -f -o out.nxs
		jq -e '.status == "converged" and .gaussian == 0 and .runs == 10 and all(.reliability[]; . > 0.85)' report.json
		numbers out.nxs 'c = np.abs(np.corrcoef(maps(0), np.load("sources.npy"))[:4, 4:])
assert sorted(c.argmax(1)) == [0, 1, 2, 3] and c.max(1).min() > 0.99, c'
	done
	check out.nxs
}

@test "the number of components is found" {
	sources in.nxs
	hsica --on maps in.nxs --report report.json -o out.nxs
	jq -e '.components == 4' report.json
	scene mixture -k 5 --size 48x40x128
	hsica -p scene.nxs --report report.json -f -o out.nxs
	jq -e '.components == 5' report.json
}

@test "substances with peaks of their own: better found than by principal components, and better with differences" {
	local seed diff
	for seed in 3 2 1; do
		scene mixture -k 4 --seed $seed
		hspca -p -k 4 scene.nxs -f -o pca.nxs
		gives 1 hscmp --as spectra -d loadings -w true_endmembers --tolerance 30deg pca.nxs scene.nxs
		hsica -p --diff 2 scene.nxs -f -o ica.nxs
		hscmp --as spectra -d components -w true_endmembers --tolerance 20deg ica.nxs scene.nxs
	done
	# what differences are for: the backgrounds, which are not independent
	for diff in 0 1 2; do
		hsica -p --diff $diff scene.nxs -f -o ica.nxs
		numbers ica.nxs scene.nxs 'e = files[1]["entry/process_01_hsgen/true_endmembers/data"][()]; c = result(0, "components")
unit = lambda a: a / np.linalg.norm(a, axis=1, keepdims=True)
print(np.degrees(np.arccos(np.clip((unit(c) @ unit(e).T).max(1).min(), -1, 1))))' > angle$diff
	done
	"$PYTHON" -c 'a = [float(open("angle%d" % d).read()) for d in (0, 1, 2)]; assert a[2] < a[1] < a[0], a'
}

@test "orthomax: each pixel has few components" {
	scene mixture -k 4 --size 48x40x128
	hsica -p -m orthomax --on maps scene.nxs -o out.nxs
	hscmp --as spectra -d components -w true_endmembers --tolerance 20deg out.nxs scene.nxs
	check out.nxs
}

@test "picard and symmetric fastica find the same" {
	scene mixture -k 4 --size 48x40x128
	local on
	for on in maps spectra; do
		hsica -q -p --on $on scene.nxs -f -o a.nxs
		hsica -q -p --on $on -m fastica scene.nxs -f -o b.nxs
		hscmp -d components --tolerance 1e-5 a.nxs b.nxs
	done
}

# -------------------------------------------------------------------- what it is made of

@test "mean plus scores times components is the principal part, whichever axis, with and without -p" {
	local options
	scene mixture -k 3 --size 24x20x40 --dtype float64
	for options in '--on maps' '--on spectra' '--on spectra --diff 0' '--on maps -m jade' '--on spectra -m orthomax'; do
		# shellcheck disable=SC2086 # several words
		hsica -q -k 3 $options scene.nxs -f -o out.nxs
		numbers out.nxs scene.nxs 'x = data(1).reshape(-1, 40)
assert np.abs(model(0) - principal(x, 3)).max() < 1e-5 * x.max()'
		# shellcheck disable=SC2086
		hsica -q -p -k 3 $options scene.nxs -f -o out.nxs
		numbers out.nxs scene.nxs 'x = data(1).reshape(-1, 40); g, h = np.sqrt(x.sum(1)), np.sqrt(x.sum(0))
u, s, vt = np.linalg.svd(x / g[:, None] / h, full_matrices=False)
assert np.abs(model(0) - g[:, None] * ((u[:, :3] * s[:3]) @ vt[:3]) * h).max() < 1e-5 * x.max()'
	done
}

@test "scale, sign, order: as the page says" {
	scene mixture -k 4 --size 40x30x64
	hsica -q --on maps -k 4 scene.nxs -o maps.nxs
	hsica -q -k 4 scene.nxs -o spectra.nxs
	numbers maps.nxs spectra.nxs 't = maps(0)
assert np.abs(t @ t.T / t.shape[1] - np.eye(4)).max() < 1e-6 and np.abs(t.mean(1)).max() < 1e-6
assert np.abs(np.linalg.norm(result(1, "components"), axis=1) - 1).max() < 1e-12
for i in 0, 1:
    c, t = result(i, "components"), maps(i)
    assert all(row[np.abs(row).argmax()] > 0 for row in c)
    size = (t ** 2).mean(1) * (c ** 2).sum(1)
    assert np.all(np.diff(size) <= 0)
    assert np.allclose(result(i, "kurtosis", "share"), size / size.sum(), rtol=1e-5)
k = (maps(0) ** 4).mean(1) / (maps(0) ** 2).mean(1) ** 2 - 3
assert np.allclose(result(0, "kurtosis"), k, atol=1e-5)
d = np.diff(result(1, "components"), axis=1); d -= d.mean(1, keepdims=True)
assert np.allclose(result(1, "kurtosis"), (d ** 4).mean(1) / (d ** 2).mean(1) ** 2 - 3, atol=1e-9)
d = d / d.std(1, keepdims=True); assert np.abs(d @ d.T / d.shape[1] - np.eye(4)).max() < 1e-10'
}

@test "an invertible mixture of the channels changes no map" {
	sources in.nxs
	array mixed.nxs y,x,energy 'np.load("array.npy") @ (np.eye(24) + 0.2 * rng.normal(size=(24, 24)))'
	hsica -q --on maps -k 4 in.nxs -o a.nxs
	hsica -q --on maps -k 4 mixed.nxs -o b.nxs
	# the noise is mixed as well, so the spaces differ by a part of it
	numbers a.nxs b.nxs 'c = np.abs(np.corrcoef(maps(0), maps(1))[:4, 4:]); assert c.max(1).min() > 0.99999, c'
}

# -------------------------------------------------------------------- scores that hspca wrote

@test "scores of hspca give what the cube gives, and nothing is read again" {
	local options
	scene mixture -k 4 --size 40x30x64 -c 3000
	for options in '' '--on maps' '--on maps -m jade'; do
		# shellcheck disable=SC2086 # several words
		hsica -p -k 4 $options scene.nxs -f -o cube.nxs
		# shellcheck disable=SC2086
		hspca -p -k 4 scene.nxs | hsica $options -f -o scores.nxs
		same_results cube.nxs scores.nxs
		check scores.nxs
		hscmp -t 0 -d components cube.nxs scores.nxs
	done
	hsica -q -k 4 scene.nxs -f -o cube.nxs
	hspca -q -k 4 scene.nxs | hsica -f -o scores.nxs
	hscmp -t 0 -d components cube.nxs scores.nxs
	hscmp -t 0 -d mean cube.nxs scores.nxs
	numbers scores.nxs 'assert "energy" in files[0]["entry/process_03_hsica/components"] and "y" in files[0]["entry/process_03_hsica/scores"]'
}

@test "of scores the first k are taken, all by default; more than there are is a warning, Poisson scaling a mistake" {
	scene mixture -k 4 --size 40x30x64
	hspca -p -k 6 scene.nxs -o pca.nxs
	hsica -q pca.nxs -o all.nxs
	numbers all.nxs 'assert result(0, "components").shape == (6, 64)'
	hsica -k 4 pca.nxs -o four.nxs
	hsica -p -k 4 scene.nxs -o cube.nxs
	for signal in scores components kurtosis; do
		hscmp -d $signal --tolerance 1e-9 four.nxs cube.nxs
	done
	gives 0 hsica -k 9 pca.nxs -f -o all.nxs
	says "9 components asked, there are scores of 6"
	refuses 2 hsica -p pca.nxs -o no.nxs
	says "these are scores already"
	[ ! -e no.nxs ]
}

@test "scattered points and line scans, from cube and from scores" {
	array points.nxs point,energy 'rng.laplace(size=(400, 3)) @ rng.normal(size=(3, 16)) + 0.01 * rng.normal(size=(400, 16))'
	hsica -q -k 3 --on maps points.nxs -o cube.nxs
	hspca -q -k 3 points.nxs | hsica -q --on maps -o scores.nxs
	same_results cube.nxs scores.nxs
	check cube.nxs scores.nxs
	numbers scores.nxs 'assert result(0, "scores").shape == (3, 400) and result(0, "scores", "point").shape == (400,)'
	array line.nxs x=0:2:nm,energy=1:0.5:eV 'rng.laplace(size=(400, 3)) @ rng.normal(size=(3, 16)) + 0.01 * rng.normal(size=(400, 16))'
	hsica -q -k 3 --on maps line.nxs -f -o cube.nxs
	numbers cube.nxs 'assert list(result(0, "scores", "x")[:2]) == [0, 2]'
}

# -------------------------------------------------------------------- how sure it is

@test "Gaussian maps: a warning, and they are unreliable" {
	array in.nxs y,x,energy 'rng.normal(size=(50, 60, 3)) @ rng.normal(size=(3, 16)) + 0.001 * rng.normal(size=(50, 60, 16))'
	gives 0 hsica --on maps -k 3 in.nxs --report report.json -o out.nxs
	says "3 of 3 components are Gaussian"
	jq -c .reliability report.json
	jq -e '.gaussian == 3 and all(.reliability[]; . < 0.8)' report.json
	gives 0 hsica --on maps -k 3 -m jade in.nxs -f -o out.nxs
	says "3 of 3 components are Gaussian"
}

@test "one Gaussian map among others is found without a warning" {
	array in.nxs y,x,energy 'np.stack([rng.laplace(size=(60, 50)), rng.uniform(-1, 1, (60, 50)), rng.normal(size=(60, 50))], -1) @ rng.normal(size=(3, 16)) + 0.001 * rng.normal(size=(60, 50, 16))'
	gives 0 hsica --on maps -k 3 in.nxs --report report.json -o out.nxs
	[ -z "$stderr" ] || fails "$stderr"
	jq -e '.gaussian == 1' report.json
}

@test "--restarts 1: one run, no reliability; --seed decides the resamples and nothing else" {
	sources in.nxs
	hsica --on maps -k 4 -r 1 in.nxs --report report.json -o one.nxs
	jq -e '.runs == 1 and has("reliability") == false' report.json
	hsica --on maps -k 4 --seed 1 in.nxs -o a.nxs
	hsica --on maps -k 4 --seed 2 in.nxs -o b.nxs
	hscmp -t 0 -d components one.nxs a.nxs
	hscmp -t 0 -d components b.nxs a.nxs
	numbers a.nxs b.nxs 'a, b = result(0, "kurtosis", "reliability"), result(1, "kurtosis", "reliability")
assert not np.array_equal(a, b) and np.allclose(a, b, atol=0.05)'
	check one.nxs
}

@test "not converged: status 5, written and flagged" {
	scene mixture -k 4 --size 40x30x64
	gives 5 hsica -p --max-iter 2 --tol 1e-10 scene.nxs --report report.json -o out.nxs
	says "reached --max-iter before it converged"
	jq -e '.status == "maxiter" and .iterations == 2' report.json
	check out.nxs
	numbers out.nxs 'step = files[0]["entry/process_02_hsica"]
for name in "scores", "components":
    assert step[name + "/data"].attrs["comment"].startswith("not converged")'
	gives 5 hsica -p --deadline 0.000001s scene.nxs --report report.json -f -o out.nxs
	jq -e '.status == "stopped"' report.json
}

# -------------------------------------------------------------------- the same answer, however it is asked

@test "the same bytes for 1, 2, 3 and 8 threads" {
	local j options
	scene mixture -k 4 --size 70x61x48
	for options in '-p' '-p --on maps' '-k 5 --on maps -m fastica' '-k 5 --on maps -m jade' '-p --on maps -m orthomax'; do
		for j in 1 2 3 8; do
			# shellcheck disable=SC2086 # options are several words
			hsica -q $options -j $j scene.nxs -f -o out$j.nxs
			same_results out1.nxs out$j.nxs
		done
	done
}

@test "the same bytes from a file, a redirected file, a pipe, and a pipe that is copied" {
	scene mixture -k 4 --size 50x41x96
	hsica -p scene.nxs -o file.nxs
	hsica -p < scene.nxs > redirected.nxs
	hsgen mixture -k 4 --size 50x41x96 | hsica -p > handed_over.nxs
	hsgen mixture -k 4 --size 50x41x96 | cat | hsica -p - | cat > copied.nxs
	HS_ZEROCOPY=0 sh -c 'hsgen mixture -k 4 --size 50x41x96 | hsica -p' > off.nxs
	local way
	for way in redirected handed_over copied off; do
		same_results file.nxs $way.nxs
	done
	nothing_left
}

@test "big-endian values and another order of axes: the same numbers" {
	need_python numpy
	"$PYTHON" -c 'import numpy as np; rng = np.random.default_rng(5)
x = (rng.laplace(size=(20, 30, 3)) @ rng.normal(size=(3, 12)) + 0.1 * rng.normal(size=(20, 30, 12))).astype("f4")
np.save("little.npy", x); np.save("big.npy", x.astype(">f4")); np.save("first.npy", np.moveaxis(x, 2, 0).copy())'
	hsload -q -a y,x,energy little.npy -o little.nxs
	hsload -q -a y,x,energy big.npy -o big.nxs
	hsload -q -a energy,y,x first.npy -o first.nxs
	hsica -q -k 3 --on maps little.nxs -o a.nxs
	hsica -q -k 3 --on maps big.nxs -o b.nxs
	hsica -q -k 3 --on maps first.nxs -o c.nxs
	numbers a.nxs b.nxs c.nxs 'for i in 1, 2:
    assert np.array_equal(result(0, "scores"), result(i, "scores")) and np.array_equal(result(0, "components"), result(i, "components"))'
}

@test "with SOURCE_DATE_EPOCH the whole file is the same bytes" {
	scene mixture -k 3 --size 20x10x32
	export SOURCE_DATE_EPOCH=1500000000
	mkdir one two
	cp scene.nxs one
	cp scene.nxs two
	(cd one && hsica -p scene.nxs -o out.nxs)
	sleep 1
	(cd two && hsica -p scene.nxs -o out.nxs)
	cmp one/out.nxs two/out.nxs
}

@test "--memory is kept for a cube several times as large; too little is status 4 with a number" {
	need /usr/bin/time
	scene mixture -k 3 --size 512x512x128 --raw   # 128 MiB
	/usr/bin/time -f %M -o peak hsica -q -k 3 -r 2 --on maps --memory 110M scene.nxs -o out.nxs
	[ "$(cat peak)" -lt $((110 * 1024)) ] || fails "peak memory $(cat peak) KiB for --memory 110M"
	check out.nxs
	rm scene.nxs
	scene constant --size 8x8x2048
	refuses 4 hsica --memory 64M scene.nxs -o no.nxs
	says "needs --memory of"
	[ ! -e no.nxs ]
}

# -------------------------------------------------------------------- data that have no components

# ends STATUS OPTIONS...: with in.nxs; whatever was asked, results hold no infinity, and no NaN where no spectrum was left out
ends() {
	local want=$1
	shift
	rm -f out.nxs
	gives "$want" hsica "$@" in.nxs -o out.nxs --report report.json || return 1
	if [ "$want" = 0 ]; then
		numbers out.nxs in.nxs 'bad = ~np.isfinite(data(1)).all(-1)
assert np.array_equal(np.isnan(result(0, "scores")).any(0), bad) and np.isnan(result(0, "scores")).all(0).sum() == bad.sum()
assert np.isfinite(result(0, "components")).all() and np.isfinite(result(0, "kurtosis")).all()
assert not np.isinf(result(0, "scores")).any()'
	else
		[ ! -e out.nxs ] || fails "status $want and yet a file"
	fi
}

@test "zero, constant, one pixel: nothing to take apart, status 3" {
	local on
	for on in maps spectra; do
		array in.nxs y,x,energy 'np.zeros((8, 9, 32), "f4")'
		ends 3 --on $on
		ends 3 --on $on -p
		says "nothing to take apart"
		ends 3 --on $on -k 3 -m jade
		array in.nxs y,x,energy 'np.full((8, 9, 32), 0.3)'
		ends 3 --on $on -k 3
		array in.nxs y,x,energy 'rng.poisson(50, (1, 1, 32))'
		ends 3 --on $on -k 3
	done
}

@test "one channel, two pixels, k beyond the rank, duplicates" {
	local on
	for on in maps spectra; do
		array in.nxs y,x,energy 'rng.poisson(50, (8, 9, 2))'
		ends 0 --on $on -k 2 --diff 0
		array in.nxs y,x,energy 'rng.poisson(50, (2, 1, 32))'
		ends 0 --on $on -k 5
		says "5 components asked, the data have 1"
		array in.nxs y,x,energy 'rng.poisson(50, (8, 9, 32))'
		ends 0 --on $on -k 40
		says "40 components asked, the data have 32"
		array in.nxs y,x,energy 'np.repeat(rng.poisson(50, (4, 32)), 18, axis=0).reshape(8, 9, 32)'
		ends 0 --on $on -k 6
		says "6 components asked, the data have 3"
	done
	array in.nxs y,x,energy 'rng.poisson(50, (8, 9, 1))'
	ends 0 --on maps
	ends 3 --on spectra
}

@test "a spectrum that is constant has no differences: one component less, and it says so" {
	array in.nxs y,x,energy 'rng.laplace(size=(20, 30, 3)) @ np.stack([np.ones(32), rng.normal(size=32), rng.normal(size=32)])'
	gives 0 hsica -k 3 in.nxs -o out.nxs
	says "3 components depend on each other: there are 2"
	check out.nxs
	gives 0 hsica -k 3 --diff 0 in.nxs -f -o out.nxs
	says "3 components depend on each other: there are 2"
	gives 0 hsica -k 3 --on maps in.nxs -f -o out.nxs
	numbers out.nxs 'assert len(result(0, "components")) == 3'
}

@test "spectra with a NaN and masked pixels are left out: NaN scores, the rest as if they were not there" {
	need_python numpy
	"$PYTHON" -c 'import numpy as np; rng = np.random.default_rng(3)
x = (rng.laplace(size=(9, 12, 3)) @ rng.normal(size=(3, 32)) + 0.01 * rng.normal(size=(9, 12, 32))).astype("f8")
np.save("without.npy", x.reshape(108, 32)[1:])
m = np.zeros((9, 12), "u1"); m[0, 0] = 1; np.save("mask.npy", m); np.save("full.npy", x)
x[0, 0, 7] = np.nan
np.save("with.npy", x)
x[...] = np.inf
np.save("all.npy", x)'
	hsload -a point,energy without.npy -o without.nxs
	hsload -a y,x,energy with.npy -o in.nxs
	hsload -a y,x,energy full.npy -o full.nxs
	hsload -a y,x mask.npy -o mask.nxs
	local on
	for on in maps spectra; do
		ends 0 --on $on -k 3
		jq -e '.spectra_used == 107' report.json
		hsica --on $on -k 3 without.nxs -f -o reference.nxs
		numbers out.nxs reference.nxs 'assert np.allclose(result(0, "components"), result(1, "components"), rtol=0, atol=1e-6)
assert np.allclose(maps(0)[:, 1:], maps(1), rtol=0, atol=1e-5)'
		hsica --on $on -k 3 --mask mask.nxs full.nxs -f -o masked.nxs
		hspca -k 3 --mask mask.nxs full.nxs | hsica --on $on -f -o scores.nxs
		numbers out.nxs masked.nxs scores.nxs 'for i in 1, 2:
    assert np.array_equal(result(0, "scores"), result(i, "scores"), equal_nan=True)'
	done
	hsload -q -f -a y,x,energy all.npy -o in.nxs
	ends 3
	says "no usable spectrum"
}

@test "values from 1e-300 to 1e300: the same components, or status 3 and no file" {
	local power
	array in.nxs y,x,energy 'rng.laplace(size=(8, 9, 3)) @ rng.normal(size=(3, 32))'
	ends 0 -q --on maps -k 3
	cp out.nxs one.nxs
	for power in 1e-30 1e-20 1e20 1e30; do
		array in.nxs y,x,energy "rng.laplace(size=(8, 9, 3)) @ rng.normal(size=(3, 32)) * $power"
		ends 0 -q --on maps -k 3
		numbers out.nxs one.nxs "assert np.allclose(maps(0), maps(1), atol=1e-5) and np.allclose(result(0, 'components') / $power, result(1, 'components'), atol=1e-5)"
		ends 0 -q -k 3
	done
	for power in 1e150 1e300; do
		array in.nxs y,x,energy "rng.laplace(size=(8, 9, 3)) @ rng.normal(size=(3, 32)) * $power"
		ends 3 -k 3
		ends 3 -k 3 --on maps
	done
	array in.nxs y,x,energy 'rng.laplace(size=(8, 9, 3)) @ rng.normal(size=(3, 32)) * 1e-300'
	ends 3 -k 3
}

@test "an outlier of 1e6 standard deviations ends in a component of its own" {
	array in.nxs y,x,energy 'np.where((np.arange(600) == 77).reshape(20, 30, 1), 1e6, 1) * rng.laplace(size=(20, 30, 3)) @ rng.normal(size=(3, 16))'
	ends 0 -q --on maps -k 3
	ends 0 -q -k 3
	ends 0 -q --on maps -k 3 -m jade
}

# -------------------------------------------------------------------- which signal, and what is written

@test "a stack of images without loadings is pixels of its components; an image has one channel" {
	scene mixture -k 3 --size 30x20x32
	hsica -q --on maps -d true_abundances scene.nxs -o maps.nxs
	numbers maps.nxs 'assert result(0, "components").shape[1] == 3'
	gives 0 hsica -q --on maps -d sum_image scene.nxs -o image.nxs
	numbers image.nxs 'assert result(0, "components").tolist() == [[np.abs(result(0, "components")).max()]]'
}

@test "what travels: the history, the truth of the scene, the loadings; the cube only with --carry" {
	need h5ls
	scene mixture -k 3 --size 20x10x32
	hspca -p scene.nxs | hsica -o out.nxs
	hsica -p --carry scene.nxs -o carried.nxs
	check out.nxs carried.nxs
	h5ls -r out.nxs > list
	grep -q '^/entry/process_01_hsgen/true_endmembers/data ' list
	grep -q '^/entry/process_02_hspca/loadings/data ' list
	grep -q '^/entry/process_03_hsica/scores/data ' list
	run -1 grep -q '^/entry/data' list
	h5ls -r carried.nxs | grep -q '^/entry/data/data '
}

@test "hsplot shows maps and spectra together" {
	need hsplot
	scene mixture -k 3 --size 20x10x32
	hsica -p scene.nxs | hsplot -o ica.png
	[ "$(head -c 4 ica.png | tail -c 3)" = PNG ]
}

@test "-v lists every component; -n says what would be done and does nothing" {
	scene mixture -k 3 --size 20x10x32
	gives 0 hsica -p -v scene.nxs -o out.nxs
	[ "$(grep -c '^hsica: component [123]: .*excess kurtosis.*reliability' <<< "$stderr")" = 3 ] || fails "$stderr"
	gives 0 hsica -n scene.nxs -o no.nxs
	[ "$stderr" = "hsica: would take apart 200 spectra of 32 channels and write no.nxs" ]
	[ ! -e no.nxs ]
}

@test "asked wrongly: status 2, one line, no file" {
	scene mixture -k 3 --size 20x10x32
	refuses 2 hsica -k 0 scene.nxs -o out.nxs
	refuses 2 hsica -m pca scene.nxs -o out.nxs
	refuses 2 hsica --on pixels scene.nxs -o out.nxs
	refuses 2 hsica --diff 3 scene.nxs -o out.nxs
	refuses 2 hsica --on maps --diff 1 scene.nxs -o out.nxs
	says "it goes with --on spectra"
	refuses 2 hsica --approach deflation scene.nxs -o out.nxs
	says "belong to --method fastica"
	refuses 2 hsica -m jade --nonlinearity cube scene.nxs -o out.nxs
	refuses 2 hsica -m jade -k 51 scene.nxs -o out.nxs
	says "at most 50 components"
	refuses 2 hsica -q --diff 1 -d sum_image scene.nxs -o out.nxs
	refuses 2 hsica -d nothing scene.nxs -o out.nxs
	refuses 2 hsica scene.nxs scene.nxs -o out.nxs
	[ ! -e out.nxs ]
	nothing_left
}
