# hsprep on space and scan: despike, exclude, align, register, flatten. Scenes and arrays whose truth is known.
# shellcheck disable=SC2154 # stderr is set by gives
load lib/common

# array FILE.nxs AXES EXPRESSION: numbers made by NumPy (np, and rng, a generator with a fixed seed), loaded
array() {
	need_python numpy
	"$PYTHON" -c "import numpy as np; rng = np.random.default_rng(7); np.save('array.npy', $3)"
	hsload -q -f -a "$2" array.npy -o "$1"
}

# numbers FILE... STATEMENTS: Python; cube(i) is the cube of file i, found(i, name) what the newest step found, truth(i, name)
numbers() {
	need_python h5py
	"$PYTHON" - "$@" <<- 'END' || fails "${*: -1}"
	import sys, h5py, numpy as np
	files = [h5py.File(name, 'r') for name in sys.argv[1:-1]]
	def cube(i): return files[i]['entry/data/data'][()].astype('f8')
	def steps(i): return sorted(k for k in files[i]['entry'] if k.startswith('process_'))
	def found(i, name): return files[i]['entry'][steps(i)[-1]][name]['data'][()]
	def truth(i, name): return files[i]['entry'][steps(i)[0]]['true_' + name]['data'][()]
	def mask(i): return files[i]['entry/data/pixel_mask'][()]
	exec(sys.argv[-1])
	END
}

every() {
	printf '%s\n' '--despike 6' '--exclude hot' '--align mean' '--align peak' '--align drift' '--register first' '--flatten plane' \
		'--flatten lines' '--flatten steps'
}

# -------------------------------------------------------------------- what is found

@test "a drift that no spectrum shows is found: 200 counts a spectrum" {
	local scene
	for scene in drift compounds; do
		hsgen $scene --size 64x64x1280 -c 200 --seed 2 -f -o scene.nxs
		hsprep -v --align drift scene.nxs -f -o out.nxs
		numbers out.nxs 's, t = found(0, "shift").ravel(), truth(0, "drift").ravel()
assert np.corrcoef(s, t)[0, 1] > 0.9, np.corrcoef(s, t)
assert found(0, "shift_sigma").min() > 0 and cube(0).shape[2] < 1280'
		check out.nxs
	done
}

@test "spikes go, and nothing else: of hsgen's outliers every one is found" {
	hsgen outliers --size 40x40x128 -c 5000 --outliers 0.05 -o scene.nxs
	gives 0 hsprep -v --despike 6 scene.nxs -o out.nxs
	says "taken for counts"
	numbers scene.nxs out.nxs 'x, y, c = cube(0), cube(1), truth(0, "outlier_channel")
where = np.argwhere(c >= 0)
assert len(where) > 10 and all(y[i, j, int(c[i, j])] < x[i, j, int(c[i, j])] / 3 for i, j in where)
clean = truth(0, "outliers") == 0
assert (x[clean] == y[clean]).mean() > 0.99999'
	check out.nxs
}

@test "masks are bits, and the values under them stay" {
	hsgen outliers --size 20x20x64 --outliers 0.05 -o scene.nxs
	hsprep --exclude 'true_outliers>0' scene.nxs -o out.nxs
	numbers scene.nxs out.nxs 'assert ((mask(1) == 8) == (truth(0, "outliers") > 0)).all() and (cube(0) == cube(1)).all()'
	hspca -k 2 scene.nxs -o pca.nxs
	hsprep --exclude hot:20 --exclude 'pca.nxs:true_outliers>1' scene.nxs -o both.nxs
	numbers both.nxs 'm, o = mask(0), truth(0, "outliers"); assert ((m & 8) > 0)[o > 1].all() and not ((m & 8) > 0)[o <= 1].any() and (m & 2).any()'
	check out.nxs both.nxs
}

@test "frames of a stack come to lie on the first" {
	array stack.nxs frame,y,x "(lambda s: np.stack([np.exp(-((np.arange(48)[:, None, None] - 0.9 * f - s[:, 0]) ** 2 +
	(np.arange(40)[None, :, None] + 0.6 * f - s[:, 1]) ** 2) / 9).sum(2) for f in range(5)]) + 0.01 * rng.normal(size=(5, 48, 40)))(
	rng.uniform(-6, 54, (60, 2)))"
	gives 0 hsprep -v --register first stack.nxs -o out.nxs
	says "5 frames moved"
	numbers stack.nxs out.nxs 'y = cube(1); assert y.shape == (5, 48, 40)
assert np.allclose(found(1, "shift_y"), 0.9 * np.arange(5), atol=0.05) and np.allclose(found(1, "shift_x"), -0.6 * np.arange(5), atol=0.05)
good = np.isfinite(y).all(0); assert 0.7 < good.mean() < 1 and (np.isfinite(y).all(0) == np.isfinite(y).any(0)).all()
assert abs(y[4] - y[0])[good].max() < 0.3 < abs(cube(0)[4] - cube(0)[0]).max()'
	check out.nxs
}

@test "an image is levelled, and so is every channel of a cube" {
	array image.nxs y,x "np.arange(20)[:, None] * 0.5 - np.arange(30) * 2.0 + 7"
	hsprep --flatten plane image.nxs -o out.nxs
	numbers image.nxs out.nxs 'assert np.allclose(cube(1), cube(0).mean(), atol=1e-6)'
	array cube.nxs y,x,energy "rng.normal(size=(20, 1, 4)) * 5 + np.zeros((20, 30, 4))"
	hsprep --flatten lines cube.nxs -o out2.nxs
	numbers cube.nxs out2.nxs 'assert np.allclose(cube(1), cube(0).mean((0, 1)), atol=1e-6)'
	check out.nxs out2.nxs
}

# -------------------------------------------------------------------- the same in every way

@test "the same bits on 1, 2, 3 and 8 threads, from a pipe, and within one call as in two" {
	local options
	hsgen drift --size 24x20x96 -c 20000 -o scene.nxs
	while read -r options; do
		# shellcheck disable=SC2086 # words
		hsprep -j 1 $options scene.nxs -f -o one.nxs
		for j in 2 3 8; do
			# shellcheck disable=SC2086
			hsprep -j $j $options scene.nxs -f -o other.nxs
			hscmp -t 0 --all one.nxs other.nxs || fails "$options -j $j"
		done
		# shellcheck disable=SC2086
		hsprep $options < scene.nxs | hscmp -t 0 --all one.nxs - || fails "$options from a pipe"
	done <<< "$(every)"
	hsprep --despike 6 --align mean scene.nxs -f -o one.nxs
	hsprep --despike 6 scene.nxs | hsprep --align mean -f -o other.nxs
	numbers one.nxs other.nxs 'assert np.array_equal(cube(0), cube(1), equal_nan=True) and np.isfinite(cube(0)).mean() > 0.8'
}

@test "big-endian numbers and another order of axes give the same" {
	local options
	array plain.nxs y,x,energy "(200 * np.exp(-(np.arange(40) - 20 - np.sin(np.arange(6 * 7)).reshape(6, 7, 1)) ** 2 / 8) + 5).astype('f8')"
	array other.nxs energy,y,x "np.moveaxis((200 * np.exp(-(np.arange(40) - 20 - np.sin(np.arange(6 * 7)).reshape(6, 7, 1)) ** 2 / 8) + 5), 2, 0).astype('>f8')"
	while read -r options; do
		# shellcheck disable=SC2086 # words
		hsprep $options plain.nxs -f -o a.nxs
		# shellcheck disable=SC2086
		hsprep $options other.nxs -f -o b.nxs
		numbers a.nxs b.nxs 'assert np.array_equal(cube(0), cube(1), equal_nan=True) and np.isfinite(cube(0)).any()' || fails "$options"
	done <<< "$(every | grep -v drift)"
}

# -------------------------------------------------------------------- what cannot be done

@test "masked and empty spectra take no part, NaN stays NaN" {
	array holes.nxs y,x,energy "np.where((np.arange(240) == 33)[:, None], np.nan, np.where((np.arange(240) == 40)[:, None], 0, 900 * np.exp(-(np.arange(64) - 30 - 2 * np.sin(0.3 * np.arange(240)[:, None])) ** 2 / 18))).reshape(12, 20, 64)"
	hsprep --align peak holes.nxs -o out.nxs
	numbers out.nxs 'y = cube(0).reshape(240, -1); bad = np.isnan(y).all(1); assert sorted(np.flatnonzero(bad)) == [33, 40] and np.isfinite(y[~bad]).all()
assert np.allclose(y[~bad].argmax(1), y[0].argmax(), atol=1) and np.isnan(found(0, "shift").ravel()[[33, 40]]).all()'
	hsprep --flatten plane --despike 6 holes.nxs -o out2.nxs
	numbers out2.nxs 'assert np.isnan(cube(0)).reshape(240, -1).all(1).sum() == 1'
}

@test "what makes no sense is refused with one sentence" {
	hsgen mixture --size 6x5x32 -o scene.nxs
	array line.nxs y,x "np.zeros((4, 3))"
	refuses 2 hsprep --align sideways scene.nxs -o out.nxs
	refuses 2 hsprep --align peak:5000:6000eV scene.nxs -o out.nxs
	refuses 2 hsprep --despike 0 scene.nxs -o out.nxs
	refuses 2 hsprep --despike -3 scene.nxs -o out.nxs
	refuses 2 hsprep --exclude brightness scene.nxs -o out.nxs
	refuses 2 hsprep --exclude 'nosuch>3' scene.nxs -o out.nxs
	refuses 4 hsprep --exclude 'nosuch.nxs:sum>3' scene.nxs -o out.nxs
	refuses 3 hsprep --exclude 'true_endmembers>3' scene.nxs -o out.nxs
	refuses 2 hsprep --register last scene.nxs -o out.nxs
	refuses 2 hsprep --flatten curves scene.nxs -o out.nxs
	refuses 3 hsprep --align peak line.nxs -o out.nxs
	refuses 3 hsprep --register first line.nxs -o out.nxs
	[ ! -e out.nxs ]
	nothing_left
}

@test "degenerate cubes end with an answer or a sentence" {
	local options what
	for what in 'np.zeros((4, 5, 16))' 'np.full((4, 5, 16), 3.0)' 'np.full((4, 5, 16), 1e300)' 'np.full((1, 1, 16), 2.0)' '-np.ones((4, 5, 16))'; do
		array odd.nxs y,x,energy "$what"
		while read -r options; do
			# shellcheck disable=SC2086
			run hsprep $options odd.nxs -f -o out.nxs
			[ "$status" = 0 ] || [ "$status" = 3 ] || fails "$options on $what: status $status $output"
		done <<< "$(every)"
	done
	nothing_left
}
