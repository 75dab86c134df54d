# hspca: principal components of scenes whose truth is known, of arrays whose components follow on paper, and of data that
# have none.
# shellcheck disable=SC2154 # stderr is set by gives
load lib/common

# scene NAME OPTIONS...: a scene in scene.nxs
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
	exec(sys.argv[-1])
	END
}

# same_results A B: every result is the same bits
same_results() {
	hscmp -t 0 --all "$1" "$2"
}

# -------------------------------------------------------------------- what is found

@test "counts of k substances, Poisson-scaled, have k components" {
	local k
	for k in 2 3 5 8; do
		hsgen mixture -k $k --size 48x40x128 -c 3000 --seed 2 | hspca -p --report report.json -f -o out.nxs
		jq -e ".components == $k and .rank.gavish_donoho == $k and .rank.bic == $k and .rank.disagree == false" report.json
	done
}

@test "the components span the spectra that were mixed" {
	scene mixture -k 4 --size 64x48x128 -c 20000
	hspca -p scene.nxs -o out.nxs
	hscmp --as bases -d loadings -w true_endmembers --tolerance 1deg out.nxs scene.nxs
	check out.nxs
}

@test "abundances sum to one: with centring and even noise there is one component less" {
	local k
	for k in 2 4 6; do
		hsgen mixture -k $k --size 48x40x128 --noise gauss --sigma 10 | hspca --report report.json -f -o out.nxs
		jq -e ".components == $k - 1" report.json
	done
}

@test "noise alone: one component is kept, and it says so" {
	scene constant --value 100 --noise gauss --sigma 3 --size 40x30x64
	gives 0 hspca scene.nxs --report report.json -o out.nxs
	[ "$stderr" = "hspca: warning: no component stands out of the noise: one is kept" ]
	jq -e '.components == 1 and .rank.tracy_widom == 0' report.json
}

@test "counts without Poisson scaling: too many components, and a warning that names the remedy" {
	scene mixture -k 4 --size 48x40x128 -c 20000
	gives 0 hspca scene.nxs --report report.json -o out.nxs
	says "counts want Poisson scaling"
	jq -e '.components > 10 and .rank.disagree' report.json
}

@test "--parallel-analysis agrees where the answer is plain, and depends on the seed only" {
	scene mixture -k 3 --size 40x30x64 -c 20000
	hspca -p --parallel-analysis --seed 5 -j 1 scene.nxs --report one.json -o one.nxs
	hspca -p --parallel-analysis --seed 5 -j 3 scene.nxs --report two.json -o two.nxs
	jq -e '.rank.parallel_analysis == 3' one.json
	cmp one.json two.json
}

@test "--denoise brings the cube nearer to what was there before the noise" {
	hsgen mixture -k 4 --size 64x48x128 -c 2000 -o noisy.nxs
	hsgen mixture -k 4 --size 64x48x128 -c 2000 --noise none -o truth.nxs
	hspca -p --denoise noisy.nxs -o out.nxs
	check out.nxs
	# 4 of 128 channels' worth of noise should stay, that is 18 % of its amplitude
	numbers out.nxs noisy.nxs truth.nxs 'rms = lambda a, b: np.sqrt(np.mean((a.astype("f8") - b) ** 2))
assert data(0).dtype == np.float32 and rms(data(0), data(2)) < 0.25 * rms(data(1), data(2)), (rms(data(0), data(2)), rms(data(1), data(2)))'
}

@test "the denoised cube is what the next tool and the next viewer see" {
	scene mixture -k 3 --size 20x10x32
	hspca -p --denoise scene.nxs | hspca -q -k 5 --exact -f -o out.nxs
	# three components were kept: what follows the third is float32 rounding
	numbers out.nxs 'assert np.all(result(0, "variance")[3:] < 1e-10), result(0, "variance")[:6]'
}

# -------------------------------------------------------------------- what it is made of

@test "loadings are orthonormal, scores uncorrelated, and both follow the sign rule" {
	scene mixture -k 6 --size 40x30x64
	hspca -q -k 6 scene.nxs -o out.nxs
	numbers out.nxs 'v = result(0, "loadings")
assert np.abs(v @ v.T - np.eye(6)).max() < 1e-12
t = result(0, "scores").reshape(6, -1).astype("f8")
c = np.cov(t)
assert np.abs(c - np.diag(np.diag(c))).max() < 1e-5 * c[0, 0]
assert np.allclose(np.diag(c), result(0, "variance", "eigenvalue")[:6], rtol=1e-5, atol=1e-6 * c[0, 0])
assert all(row[np.abs(row).argmax()] > 0 for row in v)'
}

@test "eigenvalues, loadings and scores are those of NumPy, for few channels and for few pixels" {
	local shape
	for shape in '9, 11, 40' '4, 5, 70'; do
		array in.nxs y,x,energy "rng.normal(size=($shape)) @ rng.normal(size=(${shape##*, }, ${shape##*, }))"
		hspca -q -k 5 in.nxs -f -o out.nxs
		numbers out.nxs in.nxs 'x = data(1).reshape(-1, data(1).shape[-1]); y = x - x.mean(0)
u, s, vt = np.linalg.svd(y, full_matrices=False)
assert np.allclose(result(0, "variance", "eigenvalue")[:19], s[:19] ** 2 / (len(y) - 1), rtol=1e-10)
assert np.allclose(np.abs(np.sum(result(0, "loadings") * vt[:5], axis=1)), 1, rtol=0, atol=1e-10)
assert np.allclose(result(0, "scores").reshape(5, -1), result(0, "loadings") @ y.T, rtol=0, atol=1e-6 * s[0])
assert np.allclose(result(0, "mean"), x.mean(0), rtol=1e-13)'
	done
}

@test "Poisson scaling is Keenan and Kotula's" {
	scene mixture -k 3 --size 20x15x32 --dtype float64 -c 500
	hspca -k 3 -p scene.nxs -o out.nxs
	numbers out.nxs scene.nxs 'x = data(1).reshape(-1, 32); g = np.sqrt(x.sum(1)); h = np.sqrt(x.sum(0))
u, s, vt = np.linalg.svd(x / g[:, None] / h, full_matrices=False)
assert np.allclose(result(0, "variance", "eigenvalue")[:30], s[:30] ** 2 / len(x), rtol=1e-9)
model = result(0, "scores").reshape(3, -1).T @ result(0, "loadings")
assert np.allclose(model, g[:, None] * ((u[:, :3] * s[:3]) @ vt[:3]) * h, rtol=1e-5, atol=1e-5 * x.max())'
}

@test "--centre both takes the mean of every spectrum and of every channel" {
	array in.nxs y,x,energy 'rng.normal(size=(9, 11, 20)) + rng.normal(size=(9, 11, 1)) * 50 + rng.normal(size=20) * 50'
	hspca -q -k 4 -c both in.nxs -o out.nxs
	numbers out.nxs in.nxs 'x = data(1).reshape(-1, 20); y = x - x.mean(1)[:, None] - x.mean(0) + x.mean()
assert np.allclose(result(0, "variance", "eigenvalue")[:19], np.linalg.svd(y)[1][:19] ** 2 / (len(y) - 1), rtol=1e-9)'
}

@test "float32 products stay within 1e-6 of the largest eigenvalue of --exact" {
	scene mixture -k 4 --size 64x48x128 --dtype float32 --noise none
	hspca -q -k 4 scene.nxs -o fast.nxs
	hspca -q -k 4 --exact scene.nxs -o exact.nxs
	numbers fast.nxs exact.nxs 'e = result(1, "variance", "eigenvalue")
assert np.abs(result(0, "variance", "eigenvalue") - e).max() < 1e-6 * e[0]'
}

@test "an offset of 1e8 changes nothing" {
	array plain.nxs y,x,energy 'rng.poisson(rng.dirichlet(np.ones(3), size=(20, 30)) @ rng.uniform(50, 500, (3, 32))).astype("f8")'
	array high.nxs y,x,energy 'rng.poisson(rng.dirichlet(np.ones(3), size=(20, 30)) @ rng.uniform(50, 500, (3, 32))) + 1e8'
	hspca -q -k 2 plain.nxs -o plain_out.nxs
	hspca -q -k 2 high.nxs -o high_out.nxs
	numbers plain_out.nxs high_out.nxs 'for name in "loadings", "scores", "variance":
	    a, b = result(0, name), result(1, name)
	    assert np.abs(a - b).max() < 1e-6 * np.abs(a).max(), name'
}

# -------------------------------------------------------------------- the same answer, however it is asked

@test "the same bytes for 1, 2, 3 and 8 threads" {
	local j options
	scene mixture -k 4 --size 50x41x96
	for options in '-p' '-q -c both -k 5' '-p --denoise --exact'; do
		# shellcheck disable=SC2086 # options are several words
		for j in 1 2 3 8; do
			hspca $options -j $j scene.nxs -f -o out$j.nxs
			same_results out1.nxs out$j.nxs
		done
	done
}

@test "the same bytes whether the cube is raw, compressed, or cut into other chunks" {
	hsgen mixture -k 4 --size 50x41x96 --raw -o raw.nxs
	hsgen mixture -k 4 --size 50x41x96 -o filtered.nxs
	hspca -p raw.nxs -o a.nxs
	hspca -p filtered.nxs -o b.nxs
	same_results a.nxs b.nxs
	need h5repack
	h5repack -l /entry/data/data:CHUNK=7x3x96 -f /entry/data/data:GZIP=6 filtered.nxs chunked.nxs
	hspca -p chunked.nxs -o c.nxs
	same_results a.nxs c.nxs
}

@test "the same bytes from a file, a redirected file, a pipe, and a pipe that is copied" {
	scene mixture -k 4 --size 50x41x96
	hspca -p scene.nxs -o file.nxs
	hspca -p < scene.nxs > redirected.nxs
	hsgen mixture -k 4 --size 50x41x96 | hspca -p > handed_over.nxs
	hsgen mixture -k 4 --size 50x41x96 | cat | hspca -p - | cat > copied.nxs
	HS_ZEROCOPY=0 sh -c 'hsgen mixture -k 4 --size 50x41x96 | hspca -p' > off.nxs
	local way
	for way in redirected handed_over copied off; do
		same_results file.nxs $way.nxs
	done
	nothing_left
}

@test "with SOURCE_DATE_EPOCH the whole file is the same bytes" {
	scene mixture -k 3 --size 20x10x32
	export SOURCE_DATE_EPOCH=1500000000
	mkdir one two
	cp scene.nxs one
	cp scene.nxs two
	(cd one && hspca -p scene.nxs -o out.nxs)
	sleep 1
	(cd two && hspca -p scene.nxs -o out.nxs)
	cmp one/out.nxs two/out.nxs
}

@test "--memory is kept for a cube several times as large" {
	need /usr/bin/time
	scene gradient --value 100 --size 1024x1024x64 --raw   # 256 MiB
	/usr/bin/time -f %M -o peak hspca -q -k 3 --memory 112M scene.nxs -o out.nxs
	[ "$(cat peak)" -lt $((112 * 1024)) ] || fails "peak memory $(cat peak) KiB for --memory 112M"
	hspca -q -k 3 --memory 1G scene.nxs -o free.nxs
	same_results out.nxs free.nxs
	rm scene.nxs
}

@test "too little --memory: status 4, and the sentence says how much would do" {
	scene constant --size 8x8x2048
	refuses 4 hspca --memory 64M scene.nxs -o out.nxs
	says "needs --memory of"
	[ ! -e out.nxs ]
}

# -------------------------------------------------------------------- data that have no components

# ends STATUS OPTIONS...: with in.nxs; whatever was asked, results hold no infinity, and no NaN where no spectrum was left out
ends() {
	local want=$1
	shift
	rm -f out.nxs
	gives "$want" hspca "$@" in.nxs -o out.nxs --report report.json || return 1
	if [ "$want" = 0 ]; then
		numbers out.nxs in.nxs 'bad = ~np.isfinite(data(1)).all(-1)
for name in "scores", "loadings", "mean", "variance":
    if name == "scores":
        assert np.array_equal(np.isnan(result(0, name)).any(0), bad) and np.isnan(result(0, name)).all(0).sum() == bad.sum()
    else:
        assert np.isfinite(result(0, name)).all(), name
assert not np.isinf(result(0, "scores")).any()'
	else
		[ ! -e out.nxs ] || fails "status $want and yet a file"
	fi
}

@test "an all-zero cube has one component without variance" {
	array in.nxs y,x,energy 'np.zeros((8, 9, 32), "f4")'
	local options
	for options in '' -p '-c both' '-c none' '-k 3'; do
		# shellcheck disable=SC2086 # options are several words
		ends 0 $options
		jq -e '.variance_ratio | all(. == 0)' report.json
	done
}

@test "a constant channel has no weight in any component" {
	array in.nxs y,x,energy 'np.where(np.arange(32) == 5, 7.0, rng.normal(size=(8, 9, 32)))'
	ends 0 -k 31
	numbers out.nxs 'assert np.abs(result(0, "loadings")[:, 5]).max() < 1e-12'
}

@test "one pixel, one channel, one of each" {
	array in.nxs y,x,energy 'rng.poisson(50, (1, 1, 32))'
	ends 0 -k 3
	says "3 components asked, the data have 1"
	ends 0 -p
	array in.nxs y,x,energy 'rng.poisson(50, (8, 9, 1))'
	ends 0
	jq -e '.variance_ratio == [1]' report.json
	ends 0 -p
	array in.nxs y,x,energy 'np.full((1, 1, 1), 3)'
	ends 0
	ends 0 -p
}

@test "more components than there can be: as many as there are, and a warning" {
	array in.nxs y,x,energy 'rng.poisson(50, (8, 9, 32))'
	ends 0 -k 40
	says "warning: 40 components asked, the data have 32"
	numbers out.nxs 'v = result(0, "loadings"); assert v.shape == (32, 32) and np.abs(v @ v.T - np.eye(32)).max() < 1e-12'
}

@test "four spectra, each many times: three components and nothing behind them" {
	array in.nxs y,x,energy 'np.repeat(rng.poisson(50, (4, 32)), 18, axis=0).reshape(8, 9, 32)'
	ends 0
	jq -e '.components == 3 and ([.variance_ratio[]] | add) > 0.999999999' report.json
}

@test "spectra with a NaN are left out: NaN scores, the rest as if they were not there" {
	need_python numpy
	"$PYTHON" -c 'import numpy as np
x = np.random.default_rng(3).poisson(50, (8, 9, 32)).astype("f4")
np.save("without.npy", x.reshape(72, 32)[1:])
x[0, 0, 7] = np.nan
np.save("with.npy", x)
x[...] = np.inf
np.save("all.npy", x)'
	hsload -a point,energy without.npy -o without.nxs
	hsload -a y,x,energy with.npy -o in.nxs
	ends 0 -k 3
	jq -e '.spectra_used == 71' report.json
	hspca -k 3 without.nxs -o reference.nxs
	hscmp -d loadings --tolerance 1e-5 out.nxs reference.nxs
	hsload -q -f -a y,x,energy all.npy -o in.nxs
	ends 3
	says "no usable spectrum: all 72 are masked or hold values that are not finite"
}

@test "--poisson with an empty channel, an empty spectrum and a negative one" {
	array in.nxs y,x,energy 'np.where(np.arange(32) == 4, 0, rng.poisson(50, (8, 9, 32))) * (np.arange(72).reshape(8, 9, 1) != 10) - 1000.0 * (np.arange(72).reshape(8, 9, 1) == 20)'
	ends 0 -p -k 3
	says "warning: 1 spectra have a negative sum"
	numbers out.nxs 's = result(0, "scores").reshape(3, 72)
assert (s[:, 10] == 0).all() and (s[:, 20] == 0).all() and (s[0, :10] != 0).all()'
	array in.nxs y,x,energy 'np.where(np.arange(32) == 4, 0, rng.poisson(50, (8, 9, 32)))'
	ends 0 -p -k 3
	numbers out.nxs 'assert (result(0, "loadings")[:, 4] == 0).all() and (result(0, "loadings")[0, :4] > 0).all()'
}

@test "values from 1e-300 to 1e300: the same components, or status 3 and no file" {
	local power
	array in.nxs y,x,energy 'np.repeat(rng.poisson(50, (4, 32)), 18, axis=0).reshape(8, 9, 32) * 1.0'
	ends 0 -k 3
	cp out.nxs one.nxs
	for power in 1e-30 1e-20 1e20 1e30; do
		array in.nxs y,x,energy "np.repeat(rng.poisson(50, (4, 32)), 18, axis=0).reshape(8, 9, 32) * $power"
		ends 0 -k 3
		hscmp -d loadings --tolerance 1e-6 out.nxs one.nxs
	done
	# the scores would not fit float32
	array in.nxs y,x,energy 'rng.poisson(50, (8, 9, 32)) * 1e150'
	ends 3 -k 3
	says "beyond float32"
	# the variances would not fit float64
	array in.nxs y,x,energy 'rng.poisson(50, (8, 9, 32)) * 1e300'
	ends 3 -k 3
	# squares vanish: no variance
	array in.nxs y,x,energy 'rng.poisson(50, (8, 9, 32)) * 1e-300'
	ends 0 -k 3
	jq -e '.variance_ratio == [0, 0, 0]' report.json
}

# -------------------------------------------------------------------- other ways to the components

@test "--method: all find the same components, the sketch nearly" {
	local m
	scene mixture -k 4 --size 64x48x128 -c 20000
	for m in exact random sketch tsqr auto; do
		hspca -p -k 4 --method $m scene.nxs -o $m.nxs
		check $m.nxs
	done
	hscmp -d loadings -t 1e-6 exact.nxs auto.nxs
	hscmp --as bases -d loadings --tolerance 0.01deg exact.nxs random.nxs
	hscmp --as bases -d loadings --tolerance 0.001deg exact.nxs tsqr.nxs
	hscmp --as bases -d loadings --tolerance 1deg exact.nxs sketch.nxs
	hscmp -d scores --tolerance 1e-5 exact.nxs random.nxs
	hscmp -d scores --tolerance 1e-5 exact.nxs tsqr.nxs
	# what the kept combinations cannot tell of the noise is missing in the scores
	numbers exact.nxs sketch.nxs 'a, b = result(0, "scores"), result(1, "scores")
assert all(np.std(b[k] - a[k]) < 0.1 * np.std(a[k]) for k in range(4)), [np.std(b[k] - a[k]) / np.std(a[k]) for k in range(4)]'
}

@test "--method: the number of components is found from part of the eigenvalues" {
	local m
	scene mixture -k 5 --size 48x40x128 -c 3000
	for m in random sketch tsqr; do
		hspca -p --method $m scene.nxs --report report.json -f -o out.nxs
		jq -e '.components == 5 and .rank.bic == 5' report.json
	done
	array full.nxs y,x,energy 'np.where(np.arange(64) % 2, 5.0, 1.0) * rng.normal(size=(20, 40, 64)) ** 3'
	gives 0 hspca --method random full.nxs -f -o out.nxs
	[ -n "$stderr" ]
}

@test "--method sketch: scores and the denoised cube come from the one reading, masked pixels are NaN" {
	need_python numpy
	scene mixture -k 3 --size 40x30x64 -c 20000
	"$PYTHON" -c 'import numpy as np; m = np.zeros((30, 40), "u1"); m[2, 3:7] = 8; np.save("mask.npy", m)'
	hsload -a y,x mask.npy -o mask.nxs
	hspca -p -k 3 --mask mask.nxs --method sketch --denoise scene.nxs -o out.nxs
	hspca -p -k 3 --mask mask.nxs --denoise scene.nxs -o exact.nxs
	numbers out.nxs exact.nxs 's = result(0, "scores"); assert np.isnan(s[:, 2, 3:7]).all() and np.isnan(s).sum() == 12
assert np.isnan(data(0)[2, 3:7]).all()
assert np.sqrt(np.nanmean((data(0) - data(1)) ** 2)) < 0.5 * np.sqrt(np.nanmean(data(1)))'
}

@test "--method tsqr sees amplitudes that the products of channels cannot" {
	array in.nxs y,x,energy 'np.linalg.qr(rng.normal(size=(400, 5)))[0].dot(np.diag(10.0 ** -np.arange(0, 15, 3))).dot(np.linalg.qr(rng.normal(size=(30, 5)))[0].T).reshape(20, 20, 30)'
	hspca -q -c none -k 5 --method tsqr in.nxs -o out.nxs
	hspca -q -c none -k 5 --exact in.nxs -o products.nxs
	numbers out.nxs products.nxs 'want = 10.0 ** -np.arange(0, 15, 3); e = np.sqrt(result(0, "variance", "eigenvalue")[:5] * 400)
assert np.allclose(e, want, rtol=2e-3), e
assert not np.allclose(np.sqrt(result(1, "variance", "eigenvalue")[:5] * 400), want, rtol=2e-3)'
}

@test "the other ways: the same bytes for 1, 2, 3 and 8 threads, from a file and from a pipe" {
	local j options
	hsgen outliers -k 3 --size 50x41x96 -o scene.nxs
	for options in '-p --method random' '-k 4 -c both --method sketch --denoise' '-p --method tsqr' '-p -r' '-q -r -k 3 -c both --denoise' \
		'-q -k 3 --variance mean_spectrum' '-k 3 --missing em'; do
		# shellcheck disable=SC2086 # options are several words
		for j in 1 2 3 8; do
			hspca -q $options -j $j scene.nxs -f -o out$j.nxs
			same_results out1.nxs out$j.nxs
		done
		# shellcheck disable=SC2086
		hspca -q $options < scene.nxs > pipe.nxs
		same_results out1.nxs pipe.nxs
	done
}

@test "the other ways: big-endian numbers are the same numbers" {
	local options
	need_python numpy
	"$PYTHON" -c 'import numpy as np
x = np.random.default_rng(3).poisson(50, (20, 9, 32)).astype("f4"); x[3, 4, 5] = np.nan
np.save("little.npy", x); np.save("big.npy", x.astype(">f4"))'
	hsload -q -a y,x,energy little.npy -o little.nxs
	hsload -q -a y,x,energy big.npy -o big.nxs
	for options in '--method sketch' '--method tsqr' -r '--missing em'; do
		# shellcheck disable=SC2086
		hspca -q -k 2 $options little.nxs -f -o a.nxs
		# shellcheck disable=SC2086
		hspca -q -k 2 $options big.nxs -f -o b.nxs
		same_results a.nxs b.nxs
	done
}

@test "the other ways: data that have no components" {
	local options
	for options in '--method random' '--method sketch' '--method tsqr' -r '--missing em' '-p -r' '-p --method sketch'; do
		array in.nxs y,x,energy 'np.zeros((8, 9, 32), "f4")'
		# shellcheck disable=SC2086
		ends 0 -k 3 $options
		array in.nxs y,x,energy 'rng.poisson(50, (1, 1, 32))'
		# shellcheck disable=SC2086
		ends 0 $options
		array in.nxs y,x,energy 'rng.poisson(50, (8, 9, 1))'
		# shellcheck disable=SC2086
		ends 0 $options
		array in.nxs y,x,energy 'np.repeat(rng.poisson(50, (4, 32)), 18, axis=0).reshape(8, 9, 32)'
		# shellcheck disable=SC2086
		ends 0 -k 6 $options
		array in.nxs y,x,energy 'rng.poisson(50, (8, 9, 32)) * 1e300'
		# shellcheck disable=SC2086
		ends 3 -k 3 $options
	done
}

# -------------------------------------------------------------------- outliers, gaps, known variances, updates

@test "--robust: spoiled spectra have weight 0, the others keep theirs, the components are those of the clean scene" {
	local seed
	for seed in 1 2 3; do
		hsgen outliers -k 3 --outliers 0.05 --size 40x30x128 --seed $seed -f -o spoiled.nxs
		hsgen mixture -k 3 --size 40x30x128 --seed $seed -f -o clean.nxs
		hspca -p -r spoiled.nxs --report report.json -f -o out.nxs
		hspca -p clean.nxs -f -o reference.nxs
		hspca -q -p -k 3 spoiled.nxs -f -o plain.nxs
		check out.nxs
		jq -e '.components == 3' report.json
		hscmp --as bases -d loadings --tolerance 0.5deg out.nxs reference.nxs
		run -1 hscmp --as bases -d loadings --tolerance 5deg plain.nxs reference.nxs
		numbers out.nxs spoiled.nxs 'w = result(0, "weights"); bad = files[1]["entry/process_01_hsgen/true_outliers/data"][()] > 0
assert bad.sum() > 20 and (w[bad] == 0).all() and (w[~bad] > 0).mean() > 0.999 and np.median(w[~bad]) > 0.95'
	done
}

@test "--robust: a real scan whose amplitudes differ 25-fold" {
	[ -n "${HS_DATA:-}" ] && [ -e "$HS_DATA/nsid/BEPS_PTO_50x50.h5" ] || skip "no HS_DATA with nsid/BEPS_PTO_50x50.h5"
	hsload -q "$HS_DATA/nsid/BEPS_PTO_50x50.h5" -o scan.nxs
	gives 0 hspca -r -k 3 scan.nxs --report report.json -o out.nxs
	jq -e '.outliers > 200 and .outliers < 1250' report.json
	numbers out.nxs scan.nxs 'x = data(1).reshape(2500, -1); a = np.linalg.norm(x - np.median(x, 0), axis=1)
w = result(0, "weights").ravel(); large = a > 25 * np.median(a)
assert large.sum() > 200 and (w[large] == 0).mean() > 0.9, (large.sum(), (w[large] == 0).mean())'
}

@test "--missing em: gaps are estimated, nothing else changes; masked pixels stay out" {
	need_python numpy
	hsgen mixture -k 3 --size 30x24x64 -c 20000 -o scene.nxs
	"$PYTHON" -c 'import h5py, numpy as np
x = h5py.File("scene.nxs")["entry/data/data"][()]; np.save("whole.npy", x); r = np.random.default_rng(2)
x[r.random(x.shape) < 0.1] = np.nan; x[5, 6] = np.nan
np.save("gaps.npy", x)
m = np.zeros((24, 30), "u1"); m[1, 2:5] = 1; np.save("mask.npy", m)'
	hsload -q -a y,x,energy gaps.npy -o gaps.nxs
	hsload -q -a y,x,energy whole.npy -o whole.nxs
	hsload -q -a y,x mask.npy -o mask.nxs
	gives 0 hspca -p --missing em --denoise --mask mask.nxs gaps.nxs --report report.json -o out.nxs
	check out.nxs
	jq -e '.components == 3 and .spectra_used == 716 and .elements_estimated > 4000' report.json
	hspca -p -k 3 whole.nxs -o reference.nxs
	hscmp --as bases -d loadings --tolerance 1deg out.nxs reference.nxs
	numbers out.nxs whole.nxs 's = result(0, "scores"); gone = np.isnan(s).any(0)
assert gone.sum() == 4 and gone[1, 2:5].all() and gone[5, 6]
d = data(0)[~gone] - data(1)[~gone]; assert np.sqrt(np.mean(d ** 2)) < 1.2 * np.sqrt(data(1).mean())'
	# without it hardly a spectrum is left
	hspca -q -p gaps.nxs --report report.json -o few.nxs
	jq -e '.spectra_used < 20' report.json
}

@test "--variance: of channels it is scaling, of elements it is nearer to the truth, stored errors are the same" {
	need_python h5py
	"$PYTHON" -c 'import numpy as np
r = np.random.default_rng(4); e = np.arange(48)
s = np.exp(-0.5 * ((e - np.array([[8], [22], [38]])) / 4.0) ** 2)
clean = r.dirichlet(np.ones(3), 600) @ s * 10; sigma = r.uniform(0.02, 1.0, clean.shape)
np.save("clean.npy", clean.reshape(20, 30, 48)); np.save("variance.npy", sigma.reshape(20, 30, 48) ** 2)
np.save("noisy.npy", (clean + sigma * r.normal(size=clean.shape)).reshape(20, 30, 48))
c = 0.05 * (1 + e % 6); np.save("channel.npy", c ** 2)
np.save("by_channel.npy", (clean + c * r.normal(size=clean.shape)).reshape(20, 30, 48)); np.save("scaled.npy", np.load("by_channel.npy") / c)'
	local name
	for name in clean variance noisy by_channel scaled; do hsload -q -a y,x,energy $name.npy -o $name.nxs; done
	hsload -q -a energy channel.npy -o channel.nxs
	gives 0 hspca --variance variance.nxs --denoise noisy.nxs --report report.json -o out.nxs
	check out.nxs
	jq -e '.components == 2 and .chi2 < 1.02 * .degrees_of_freedom and .chi2 > 0.98 * .degrees_of_freedom' report.json
	hspca -q -k 2 --denoise noisy.nxs -o plain.nxs
	numbers out.nxs plain.nxs clean.nxs 'rms = lambda a: np.sqrt(np.mean((a - data(2)) ** 2))
assert rms(data(0)) < 0.5 * rms(data(1)), (rms(data(0)), rms(data(1)))
sigma = result(0, "scores", "data_errors"); assert sigma.shape == (2, 20, 30) and (sigma > 0).all()'
	cp noisy.nxs with_errors.nxs
	"$PYTHON" -c 'import h5py, numpy as np
h5py.File("with_errors.nxs", "r+")["entry/data/data_errors"] = np.sqrt(np.load("variance.npy"))'
	hspca --variance errors with_errors.nxs -o errors.nxs
	hscmp -d loadings --tolerance 1e-6 errors.nxs out.nxs
	hspca --variance channel.nxs -k 2 by_channel.nxs -o channels.nxs
	hspca -k 2 scaled.nxs -o reference.nxs
	numbers channels.nxs reference.nxs 'c = np.sqrt(np.load("channel.npy")); a = result(0, "loadings"); b = np.linalg.qr((result(1, "loadings") * c).T)[0]
assert np.linalg.norm(a.T - b @ (b.T @ a.T)) < 1e-3'
	refuses 2 hspca --variance errors noisy.nxs -o no.nxs
	refuses 4 hspca --variance nothing.nxs noisy.nxs -o no.nxs
	hsgen constant --size 5x5x2 -o other.nxs
	refuses 3 hspca --variance other.nxs noisy.nxs -o no.nxs
	refuses 3 hspca --variance noisy.nxs --mask other.nxs noisy.nxs -o no.nxs
}

@test "--update: the components of both scans, as if they had been one" {
	need_python numpy
	hsgen mixture -k 4 --size 40x30x96 -c 5000 -o scene.nxs
	"$PYTHON" -c 'import h5py, numpy as np
x = h5py.File("scene.nxs")["entry/data/data"][()]
np.save("all.npy", x); np.save("a.npy", x[:11]); np.save("b.npy", x[11:20]); np.save("c.npy", x[20:])'
	local part options
	for part in all a b c; do hsload -q -a y,x,energy $part.npy -o $part.nxs; done
	for options in -p '-c channel' '-c both' '-c none'; do
		# shellcheck disable=SC2086
		hspca -q $options -k 30 a.nxs -f -o one.nxs
		hspca -q --update one.nxs b.nxs -f -o two.nxs
		hspca -q -k 3 --update two.nxs c.nxs --report report.json -f -o three.nxs
		# shellcheck disable=SC2086
		hspca -q $options -k 3 --exact all.nxs -f -o batch.nxs
		check three.nxs
		jq -e '.spectra_used == 1200' report.json
		hscmp -d mean --tolerance 1e-6 three.nxs batch.nxs
		hscmp --as bases -d loadings --tolerance 0.5deg three.nxs batch.nxs
		numbers three.nxs batch.nxs 'a, b = result(0, "variance", "eigenvalue")[:3], result(1, "variance", "eigenvalue")[:3]
assert np.allclose(a, b, rtol=1e-3), (a, b)
assert list(result(0, "spectra_used")) == [0, 440, 800, 1200] and result(0, "scores").shape == (3, 10, 40)
assert np.allclose(result(0, "variance")[:3], result(1, "variance")[:3], rtol=2e-3)'
	done
	refuses 2 hspca --update one.nxs -p c.nxs -o no.nxs
	refuses 2 hspca --update all.nxs c.nxs -o no.nxs
	hsgen constant --size 5x5x2 -o other.nxs
	refuses 3 hspca --update one.nxs other.nxs -o no.nxs
}

@test "what does not go together is refused; a deadline ends the rounds with status 5 and a result" {
	scene outliers -k 3 --size 40x30x64
	refuses 2 hspca -r --missing em scene.nxs -o no.nxs
	refuses 2 hspca -r --method sketch scene.nxs -o no.nxs
	refuses 2 hspca --missing em --method sketch scene.nxs -o no.nxs
	refuses 2 hspca -p --variance mean_spectrum scene.nxs -o no.nxs
	refuses 2 hspca --update scene.nxs --variance errors scene.nxs -o no.nxs
	[ ! -e no.nxs ]
	gives 5 hspca -p -r --deadline 1ms scene.nxs -o out.nxs
	check out.nxs
}

# -------------------------------------------------------------------- which pixels, which signal

@test "--mask leaves pixels out as NaN does" {
	need_python numpy
	scene mixture -k 3 --size 12x10x32
	"$PYTHON" -c 'import numpy as np; m = np.zeros((10, 12), "u1"); m[2, 3:7] = 8; m[9] = 1; np.save("mask.npy", m)'
	hsload -a y,x mask.npy -o mask.nxs
	hspca -k 3 --mask mask.nxs scene.nxs --report report.json -o out.nxs
	jq -e '.spectra_used == 104' report.json
	numbers out.nxs 's = result(0, "scores"); m = np.zeros((10, 12), bool); m[2, 3:7] = True; m[9] = True
assert np.array_equal(np.isnan(s), np.broadcast_to(m, s.shape))'
	hsgen constant --size 5x5x2 -o other.nxs
	refuses 3 hspca --mask other.nxs scene.nxs -o no.nxs
	says "mask 'other.nxs' has 50 values for 120 pixels"
}

@test "a line scan, scattered points, one spectrum" {
	array line.nxs x=0:2:nm,energy=1:0.5:eV 'rng.poisson(30, (50, 16))'
	hspca -q -k 2 line.nxs -o out.nxs
	check out.nxs
	numbers out.nxs 'assert result(0, "scores").shape == (2, 50) and list(result(0, "scores", "x")[:2]) == [0, 2]'
	array points.nxs point,energy 'rng.poisson(30, (50, 16))'
	hspca -q -k 2 points.nxs -f -o out.nxs
	numbers out.nxs 'assert result(0, "scores").shape == (2, 50) and result(0, "scores", "point").shape == (50,)'
	array spectrum.nxs energy 'rng.poisson(30, 16)'
	hspca -q spectrum.nxs -f -o out.nxs
	numbers out.nxs 'assert result(0, "scores").shape == (1, 1) and np.all(result(0, "variance") == 0)'
}

@test "an image is pixels of one channel; a stack of images is pixels of its components" {
	scene mixture -k 3 --size 20x10x32
	hspca -q -d sum_image scene.nxs -o image.nxs
	numbers image.nxs 'assert result(0, "scores").shape == (1, 10, 20) and result(0, "loadings").tolist() == [[1.0]]'
	hspca -p -k 3 scene.nxs | hspca -q -c none -k 3 -o again.nxs
	numbers again.nxs 'v = result(0, "loadings"); assert v.shape == (3, 3) and np.abs(v @ v.T - np.eye(3)).max() < 1e-12'
	refuses 2 hspca --denoise -d sum_image scene.nxs -o no.nxs
	refuses 2 hspca --denoise -d true_abundances scene.nxs -o no.nxs
	[ ! -e no.nxs ]
}

# -------------------------------------------------------------------- what is written

@test "what travels: the history, the truth of the scene, the quick looks; the cube only with --carry" {
	need h5ls
	scene mixture -k 3 --size 20x10x32
	hspca -p scene.nxs -o out.nxs
	hspca -p --carry scene.nxs -o carried.nxs
	hspca -p --no-scores scene.nxs -o spectra.nxs
	check out.nxs carried.nxs spectra.nxs
	h5ls -r out.nxs > list
	grep -q '^/entry/process_01_hsgen/true_endmembers/data ' list
	grep -q '^/entry/mean_spectrum/data ' list
	grep -q '^/entry/process_02_hspca/scores/data ' list
	run -1 grep -q '^/entry/data' list
	h5ls -r carried.nxs | grep -q '^/entry/data/data '
	run -1 grep -q scores/data <(h5ls -r spectra.nxs)
}

@test "--report names its numbers" {
	scene mixture -k 3 --size 20x10x32 -c 20000
	hspca -p scene.nxs --report report.json -o out.nxs
	jq -e '.program == "hspca" and (.version | length > 0) and .components == 3 and .spectra_used == 200
		and (.rank | keys == ["bic", "chosen", "disagree", "elbow", "gavish_donoho", "minka", "tracy_widom"])
		and (.variance_ratio | length == 3)' report.json
	gives 0 hspca -p scene.nxs --report - -f -o out.nxs
	jq -e '.components == 3' <<< "$stderr"
}

@test "-n says what would be done and does nothing" {
	scene mixture -k 3 --size 20x10x32
	gives 0 hspca -n scene.nxs -o out.nxs
	[ "$stderr" = "hspca: would decompose 200 spectra of 32 channels and write out.nxs" ]
	[ ! -e out.nxs ]
}

@test "asked wrongly: status 2, one line, no file" {
	scene mixture -k 3 --size 20x10x32
	refuses 2 hspca -k 0 scene.nxs -o out.nxs
	refuses 2 hspca -k 2.5 scene.nxs -o out.nxs
	refuses 2 hspca --centre middle scene.nxs -o out.nxs
	refuses 2 hspca -p -c channel scene.nxs -o out.nxs
	says "Poisson scaling does not go with centring"
	refuses 2 hspca -d nothing scene.nxs -o out.nxs
	says "there are data, mean_spectrum, true_abundances, true_endmembers, sum_image"
	refuses 2 hspca scene.nxs scene.nxs -o out.nxs
	[ ! -e out.nxs ]
	echo mine > out.nxs
	refuses 2 hspca scene.nxs -o out.nxs
	says "-f replaces it"
	[ "$(cat out.nxs)" = mine ]
	hspca -q -f scene.nxs -o out.nxs
	nothing_left
}
