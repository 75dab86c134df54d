# hsprep: what each operation does to numbers whose answer is known, and what holds for all of them: one call or a pipe, any number of
# threads, any way the input lies, masks and gaps, cubes with nothing in them, cubes larger than --memory.
# shellcheck disable=SC2154 # stderr is set by gives
load lib/common

# array FILE.nxs AXES EXPRESSION: numbers made by NumPy (np, and rng, a generator with a fixed seed), loaded
array() {
	need_python numpy
	"$PYTHON" -c "import numpy as np; rng = np.random.default_rng(7); np.save('array.npy', $3)" && hsload -q -f -a "$2" array.npy -o "$1"
}

# counts FILE.nxs [SHAPE]: counts over an energy axis in eV, peaks on a falling background, no channel empty
counts() {
	array plain.nxs y,x,energy "(lambda s: rng.poisson(30 + 3e9 * (100 + 0.5 * np.arange(s[2])) ** -3.5 * rng.uniform(0.5, 2, s[:2] + (1,)) +
		200 * np.exp(-((np.arange(s[2]) - 0.6 * s[2]) / 5) ** 2)).astype('f${3:-4}'))((${2:-5, 7, 90}))" &&
		hsprep --calibrate energy=100,0.5,eV plain.nxs -f -o "$1"
}

# numbers FILE... STATEMENTS: Python about the cubes, data(0), axis(0, 'energy'), units(0)
numbers() {
	need_python h5py
	"$PYTHON" - "$@" <<- 'END' || fails "${*: -1}"
	import sys, h5py, numpy as np
	files = [h5py.File(name, 'r') for name in sys.argv[1:-1]]
	def group(i): return files[i]['entry/data']
	def data(i): return group(i)['data'][()]
	def axis(i, name): return group(i)[name][()]
	def units(i, name='data'): return str(group(i)[name].attrs.get('units', '1'))
	def near(a, b, tolerance): assert a.shape == b.shape and np.abs(a - b).max() <= tolerance * np.abs(b).max(), np.abs(a - b).max() / np.abs(b).max()
	exec(sys.argv[-1])
	END
}

# One call of each operation, for cubes of counts; dark.nxs, gain.nxs and map.nxs are made by extras
operations=(
	'--crop energy=104:138' '--crop x=1:5' '--bin energy=2' '--bin y=2' '--calibrate energy=3,1.5' '--clip 0:300' '--normalise area'
	'--normalise 105:110' '--smooth savgol:7,2' '--smooth gaussian:2eV' '--smooth whittaker:100' '--derivative 1' '--derivative 2,9,3'
	'--baseline poly:2' '--baseline modpoly:2' '--baseline als:1e4' '--baseline arpls:1e4' '--baseline snip:8' '--baseline ball:8'
	'--background powerlaw:105:115' '--background line:105:115' '--background exponential:105:115' '--convert nm' '--resample 60'
	'--resample 61,cubic' '--resample step=0.7,sum' '--scale poisson' '--subtract 3' '--divide gain.nxs' '--subtract cube.nxs'
	'--multiply map.nxs' '--deconvolve rl:kernel.nxs,3'
	'--deconvolve fourier-log:108' '--deconvolve fourier-ratio:kernel.nxs,2.5'
)

extras() {
	array gain.nxs energy '1 + rng.uniform(size=90)'
	array map.nxs y,x '1 + rng.uniform(size=(5, 7))'
	array k.nxs energy 'np.exp(-np.arange(-4, 5) ** 2 / 4.0)' && hsprep --calibrate energy=0,0.5,eV k.nxs -f -o kernel.nxs
}

# same A B: the same bits
same() {
	hscmp -t 0 "$1" "$2"
}

# -------------------------------------------------------------------- what it does: axes

@test "--crop keeps what lies between two values, axes and coordinates with it" {
	counts cube.nxs
	hsprep --crop energy=104:110.5eV --crop x=2:4 --crop y=:2 cube.nxs -o out.nxs
	check out.nxs
	numbers out.nxs cube.nxs 'e = axis(1, "energy"); keep = (e >= 104) & (e <= 110.5)
assert np.array_equal(data(0), data(1)[:3, 2:5, keep]) and np.array_equal(axis(0, "energy"), e[keep]) and list(axis(0, "x")) == [2, 3, 4]'
}

@test "--bin adds up neighbours: no count is lost where groups are whole" {
	counts cube.nxs '6, 8, 90'
	hsprep --bin energy=3 --bin x=4 --bin y=2 cube.nxs -o out.nxs
	check out.nxs
	numbers out.nxs cube.nxs 'want = data(1).reshape(3, 2, 2, 4, 30, 3).sum((1, 3, 5))
assert np.array_equal(data(0), want) and np.allclose(axis(0, "energy")[:2], [100.5, 102]) and list(axis(0, "x")) == [1.5, 5.5]'
	hsprep --bin energy=4 cube.nxs -f -o out.nxs
	numbers out.nxs cube.nxs 'assert np.array_equal(data(0), data(1)[..., :88].reshape(6, 8, 22, 4).sum(-1))'
}

@test "--calibrate: offset and scale, one point, two points, another unit" {
	counts cube.nxs
	hsprep --calibrate energy=2.5,2 cube.nxs -f -o out.nxs
	numbers out.nxs cube.nxs 'assert np.allclose(axis(0, "energy"), 2.5 + 2 * axis(1, "energy")) and np.array_equal(data(0), data(1))'
	hsprep --calibrate energy=110:112 cube.nxs -f -o out.nxs
	numbers out.nxs cube.nxs 'assert np.allclose(axis(0, "energy"), 2 + axis(1, "energy"))'
	hsprep --calibrate energy=110:1.1,120:1.2,keV cube.nxs -f -o out.nxs
	numbers out.nxs cube.nxs 'assert np.allclose(axis(0, "energy"), axis(1, "energy") / 100) and units(0, "energy") == "keV"'
	hsprep --calibrate x=5nm,0.25,nm cube.nxs -f -o out.nxs
	numbers out.nxs cube.nxs 'assert np.allclose(axis(0, "x"), 5 + axis(1, "x") / 4) and units(0, "x") == "nm"'
}

@test "--convert: wavelength and back, densities keep their integral, values stay with ,values" {
	counts cube.nxs '3, 4, 90' 8
	hsprep --convert nm cube.nxs -o nm.nxs
	check nm.nxs
	hsprep --convert eV nm.nxs -o back.nxs
	hsprep --convert nm,values cube.nxs -o values.nxs
	hsprep --convert 1/cm cube.nxs -o per.nxs
	numbers cube.nxs nm.nxs back.nxs values.nxs per.nxs 'hc, e = 1239.8419843320026, axis(0, "energy")
assert np.allclose(axis(1, "wavelength"), hc / e[::-1], rtol=1e-14) and np.all(np.diff(axis(1, "wavelength")) > 0)
near(data(1), (data(0) * e ** 2 / hc)[..., ::-1], 1e-14)
near(data(2), data(0), 1e-14); assert np.allclose(axis(2, "energy"), e, rtol=1e-14)
assert np.array_equal(data(3), data(0)[..., ::-1])
near(axis(4, "wavenumber"), e * 1e7 / hc, 1e-14); near(data(4) * 1e7 / hc, data(0), 1e-14)
near(np.trapezoid(data(1), axis(1, "wavelength")) if hasattr(np, "trapezoid") else np.trapz(data(1), axis(1, "wavelength")),
     np.trapz(data(0), e), 1e-4)'
	refuses 3 hsprep --convert nm plain.nxs -o no.nxs
	refuses 2 hsprep --convert kg cube.nxs -o no.nxs
	hsprep --calibrate energy=-100,1 cube.nxs -o negative.nxs
	refuses 3 hsprep --convert nm negative.nxs -o no.nxs
	says 'above 0'
}

@test "--resample: NumPy's interpolation; the sum of counts, or the integral, is kept" {
	counts cube.nxs '3, 4, 90' 8
	hsprep --resample 131 cube.nxs -o linear.nxs
	hsprep --resample step=0.3eV cube.nxs -o step.nxs
	hsprep --resample 37,sum cube.nxs -o sum.nxs
	hsprep --convert nm --resample 50,integral cube.nxs -o integral.nxs
	check linear.nxs integral.nxs
	numbers cube.nxs linear.nxs step.nxs sum.nxs integral.nxs 'e = axis(0, "energy")
for i, grid in (1, np.linspace(e[0], e[-1], 131)), (2, np.arange(149) * 0.3 + 100):
    near(axis(i, "energy"), grid, 1e-14)
    near(data(i), np.array([np.interp(grid, e, y) for y in data(0).reshape(-1, 90)]).reshape(3, 4, -1), 1e-12)
near(data(3).sum(-1), data(0).sum(-1), 1e-13)
w = axis(4, "wavelength"); hc = 1239.8419843320026; x = hc / e[::-1]
edges = np.r_[x[0] - (x[1] - x[0]) / 2, (x[1:] + x[:-1]) / 2, x[-1] + (x[-1] - x[-2]) / 2]
near(data(4).sum(-1) * (w[1] - w[0]), ((data(0) * e ** 2 / hc)[..., ::-1] * np.diff(edges)).sum(-1), 1e-12)'
}

@test "resampling onto the same axis changes nothing; a cubic spline goes through cubics' own values" {
	counts cube.nxs '2, 3, 90' 8
	local how
	for how in linear cubic sum integral; do
		hsprep --resample 90,$how cube.nxs -f -o out.nxs
		numbers out.nxs cube.nxs 'near(data(0), data(1), 1e-12); near(axis(0, "energy"), axis(1, "energy"), 1e-14)'
	done
	array line.nxs y,x,energy 'np.ones((2, 2, 1)) * (3 + 2.0 * np.arange(40))'
	hsprep --resample 101,cubic line.nxs -o out.nxs -f
	numbers out.nxs 'near(data(0), np.ones((2, 2, 1)) * (3 + 2 * np.linspace(0, 39, 101)), 1e-14)'
}

# -------------------------------------------------------------------- what it does: values

@test "arithmetic by numbers, spectra, maps and cubes, and the units that follow" {
	counts cube.nxs '5, 7, 90' 8
	extras
	local sign word
	for word in add:+ subtract:- multiply:'*' divide:/; do
		sign=${word#*:} word=${word%:*}
		hsprep "--$word" 2.5 cube.nxs -f -o number.nxs
		hsprep "--$word" gain.nxs cube.nxs -f -o spectrum.nxs 2> said
		hsprep "--$word" map.nxs cube.nxs -f -o map_out.nxs
		hsprep "--$word" number.nxs cube.nxs -f -o cubes.nxs
		numbers cube.nxs number.nxs spectrum.nxs map_out.nxs cubes.nxs gain.nxs map.nxs "
assert np.array_equal(data(1), data(0) $sign 2.5)
assert np.array_equal(data(2), data(0) $sign data(5)) and np.array_equal(data(3), data(0) $sign data(6)[..., None])
assert np.array_equal(data(4), data(0) $sign data(1))"
	done
	grep 'channels go from 0 to 89 1, those of the data from 100 to 144.5 eV' said
}

@test "arithmetic refuses what does not fit" {
	counts cube.nxs
	extras
	array other.nxs energy 'np.ones(89)'
	array zero.nxs energy 'np.r_[np.ones(89), 0]'
	refuses 3 hsprep --add other.nxs cube.nxs -o no.nxs
	says "'other.nxs' has 89 values: not the 35 x 90 of the data"
	refuses 3 hsprep -q --divide zero.nxs cube.nxs -o no.nxs
	says '1 of 90 channels are 0 or not finite'
	refuses 2 hsprep --divide 0 cube.nxs -o no.nxs
	refuses 4 hsprep --add nowhere.nxs cube.nxs -o no.nxs
	refuses 2 hsprep --add - cube.nxs -o no.nxs
	nothing_left
	# a map with a zero costs one pixel only
	array holes.nxs y,x '(np.arange(35) != 11).astype(float).reshape(5, 7)'
	hsprep --divide holes.nxs cube.nxs -o out.nxs
	numbers out.nxs cube.nxs 'bad = np.isnan(data(0)).all(-1); assert list(np.flatnonzero(bad)) == [11] and np.array_equal(data(0)[~bad], data(1)[~bad])'
}

@test "--clip, --normalise, --scale" {
	counts cube.nxs '5, 7, 90' 8
	hsprep --clip 35:120 cube.nxs -o clip.nxs
	hsprep --clip :50 cube.nxs -o top.nxs
	numbers clip.nxs top.nxs cube.nxs 'assert np.array_equal(data(0), data(2).clip(35, 120)) and np.array_equal(data(1), data(2).clip(None, 50))'
	local word
	for word in area@'x.sum(-1)' vector@'np.sqrt((x ** 2).sum(-1))' max@'x.max(-1)' 105:110@'x[..., 10:21].mean(-1)'; do
		hsprep --normalise "${word%@*}" cube.nxs -f -o out.nxs
		numbers out.nxs cube.nxs "x = data(1); near(data(0), x / (${word#*@})[..., None], 1e-13); assert units(0) == '1'"
	done
	hsprep --normalise range cube.nxs -f -o out.nxs
	numbers out.nxs 'assert np.all(data(0).min(-1) == 0) and np.all(data(0).max(-1) == 1)'
	hsprep --scale poisson cube.nxs -f -o out.nxs
	numbers out.nxs cube.nxs 'x = data(1).reshape(-1, 90); near(data(0).reshape(-1, 90), x / np.sqrt(x.sum(1)[:, None] * x.sum(0)), 1e-13)'
	hsprep --scale anscombe cube.nxs -f -o out.nxs
	numbers out.nxs cube.nxs 'near(data(0), 2 * np.sqrt(data(1) + 0.375), 1e-15)'
}

# -------------------------------------------------------------------- what it does: spectra

@test "--smooth leaves straight lines alone; savgol polynomials of its order, on any axis" {
	array line.nxs y,x,energy 'np.array([[[1.5], [-20]]]) + np.array([[[0.25], [3]]]) * np.arange(60)'
	local how
	for how in savgol:9,1 whittaker:1e5; do
		hsprep --smooth $how line.nxs -f -o out.nxs
		numbers out.nxs line.nxs 'near(data(0), data(1), 1e-10)'
	done
	hsprep --smooth gaussian:6 line.nxs -f -o out.nxs
	numbers out.nxs line.nxs 'near(data(0)[..., 20:40], data(1)[..., 20:40], 1e-12)'
	# a cubic of the wavelength, on an axis whose steps are not equal
	array cubic.nxs y,x,energy '((1239.8419843320026 / np.arange(3, 43.0)) / 100)[None, None] ** 3 + np.zeros((2, 2, 1))'
	hsprep --calibrate energy=3,1,eV cubic.nxs -o ev.nxs
	hsprep --convert nm,values --smooth savgol:9,3 ev.nxs -o smooth.nxs
	hsprep --convert nm,values ev.nxs -o sharp.nxs
	numbers smooth.nxs sharp.nxs 'near(data(0), data(1), 1e-10)'
}

@test "--smooth gaussian has the width asked for, and keeps the sum of what is far from the ends" {
	array spike.nxs y,x,energy '(np.arange(201) == 100).astype(float).reshape(1, 1, 201)'
	hsprep --calibrate energy=0,0.5,eV --smooth gaussian:6eV spike.nxs -o out.nxs
	numbers out.nxs 'y = data(0)[0, 0]; assert abs(y.sum() - 1) < 1e-12; i = np.arange(201) - 100
assert abs(2.354820045 * 0.5 * np.sqrt((y * i * i).sum()) - 6) < 1e-3 and abs(y[106] / y[100] - 0.5) < 1e-12'
}

@test "--derivative: polynomials' own, per unit of the axis" {
	array p.nxs y,x,energy '(2 + 3 * np.arange(50) - 0.5 * np.arange(50.0) ** 2).reshape(1, 1, 50)'
	hsprep --calibrate energy=10,0.5,eV p.nxs -o ev.nxs
	hsprep --derivative 1 ev.nxs -o d1.nxs
	hsprep --derivative 2,7,3 ev.nxs -o d2.nxs
	check d1.nxs d2.nxs
	numbers d1.nxs d2.nxs 'i = np.arange(50)
near(data(0)[0, 0], (3 - i) * 2, 1e-12); near(data(1)[0, 0], np.full(50, -4.0), 1e-10); assert units(0) == "1/eV" or units(0).endswith("/eV"), units(0)
assert units(1).endswith("/eV^2"), units(1)'
	refuses 2 hsprep --derivative 5 ev.nxs -o no.nxs
	refuses 2 hsprep --derivative 2,6,3 ev.nxs -o no.nxs
	refuses 2 hsprep --derivative 2,7,7 ev.nxs -o no.nxs
}

@test "--baseline: a peak on each kind's own baseline stays, the baseline goes" {
	local how
	array peak.nxs y,x,energy '(50 + 0.2 * np.arange(200) + 100 * np.exp(-((np.arange(200) - 100) / 4.0) ** 2)).reshape(1, 1, 200) * np.ones((2, 3, 1))'
	for how in modpoly:1 als:1e5,0.001 arpls:1e5 snip:20 ball:40; do
		hsprep --baseline $how peak.nxs -f -o out.nxs
		numbers out.nxs 'y = data(0)[0, 0]; p = 100 * np.exp(-((np.arange(200) - 100) / 4.0) ** 2)
assert np.abs(y - p)[20:-20].max() < 3, np.abs(y - p).max()' || fails "$how"
	done
	[ ! -e failures ]
	array poly.nxs y,x,energy '(np.arange(70) / 10.0) ** 5 * np.ones((2, 2, 1)) * np.array([[[1e-300], [1]], [[1e290], [-1]]])'
	hsprep --baseline poly:5 poly.nxs -f -o out.nxs
	numbers out.nxs poly.nxs 'assert np.all(np.abs(data(0)) <= 1e-12 * np.abs(data(1)).max(-1, keepdims=True))'
}

@test "--background: the law it is made for goes, an edge behind the window stays" {
	array laws.nxs y,x,energy '(lambda e: np.stack([1e9 * e ** -3.2, 5e4 * np.exp(-e / 70), 900 - 2 * e]))(100 + np.arange(200.0)).reshape(3, 1, 200)'
	hsprep --calibrate energy=100,1,eV laws.nxs -o ev.nxs
	local y=0 law
	for law in powerlaw exponential line; do
		hsprep --crop y=$y:$y --background $law:120:160 ev.nxs -f -o out.nxs
		numbers out.nxs ev.nxs "b = data(1)[$y, 0]; a = data(0)[0, 0]; assert np.abs(a / b)[20:].max() < 1e-11, np.abs(a / b)[20:].max()
assert '$law' != 'powerlaw' or np.all(a[:20] == 0)" || fails $law
		y=$((y + 1))
	done
	[ ! -e failures ]
	refuses 2 hsprep --background powerlaw:500:600 ev.nxs -o no.nxs
	refuses 2 hsprep --background cubic:120:160 ev.nxs -o no.nxs
	refuses 3 hsprep --calibrate energy=-150,1 --background powerlaw:-20:20 ev.nxs -o no.nxs
}

@test "--background powerlaw at few counts: little bias far behind the window" {
	array few.nxs y,x,energy '(lambda e: rng.poisson(10 * (e / 428) ** -3.0 * np.ones((60, 50, 1))).astype(float))(400 + np.arange(110.0))'
	hsprep --calibrate energy=400,1,eV --background powerlaw:400:456 few.nxs -o out.nxs
	# of the counts that are there, the mean background is wrong by less than 3 %
	numbers out.nxs few.nxs 'rest = data(0)[..., 60:].mean(); assert abs(rest) < 0.03 * data(1)[..., 60:].mean(), rest'
}

@test "--deconvolve undoes a blur: sharper, the same sum, nothing below zero" {
	array sharp.nxs y,x,energy '(np.isin(np.arange(100), (40, 52)) * 1000.0).reshape(1, 1, 100)'
	hsprep --smooth gaussian:8 sharp.nxs -o soft.nxs
	array kernel.nxs energy 'np.exp(-4 * np.log(2) * (np.arange(-16, 17) / 8.0) ** 2)'
	hsprep --deconvolve rl:kernel.nxs,200 soft.nxs -o out.nxs
	numbers out.nxs soft.nxs 'a, b = data(0)[0, 0], data(1)[0, 0]
assert abs(a.sum() - b.sum()) < 1e-6 * b.sum() and a.min() >= 0 and a.max() > 3 * b.max() and set(np.argsort(a)[-2:]) == {40, 52}
assert a[46] < 1e-2 * a[40] and b[46] > 0.4 * b[40]'
	refuses 2 hsprep --deconvolve rl:kernel.nxs soft.nxs -o no.nxs
	refuses 3 hsprep --calibrate energy=0,2 --deconvolve rl:kernel.nxs,3 sharp.nxs -o no.nxs
	says 'channels of one width'
}

# -------------------------------------------------------------------- what holds for all

@test "two operations in one call are two calls in a pipe, bit for bit" {
	counts cube.nxs
	extras
	local first second n=0
	for first in "${operations[@]}"; do
		# every operation once in front, and behind it some that take any cube
		for second in '--bin y=2' '--smooth savgol:5,2' '--baseline arpls:100' '--resample 40'; do
			# shellcheck disable=SC2086 # words
			hsprep -q --raw $first $second cube.nxs -f -o one.nxs || fails "$first $second"
			# shellcheck disable=SC2086
			hsprep -q --raw $first cube.nxs | hsprep -q --raw $second -f -o two.nxs
			same one.nxs two.nxs || fails "$first $second"
			n=$((n + 1))
		done
	done
	[ "$n" = $((4 * ${#operations[@]})) ]
	[ ! -e failures ]
}

@test "-j 1, 2, 3 and 8 give the same bytes" {
	counts cube.nxs '20, 70, 90'
	extras
	local words
	for words in '--smooth savgol:7,2 --baseline arpls:1e4 --bin x=3' '--background powerlaw:105:115 --scale poisson --derivative 1' \
		'--deconvolve rl:kernel.nxs,5 --convert nm --resample 64,cubic'; do
		local j
		for j in 1 2 3 8; do
			# shellcheck disable=SC2086 # words
			hsprep -j $j $words cube.nxs -f -o out.nxs
			if [ "$j" = 1 ]; then mv out.nxs first.nxs; else same first.nxs out.nxs || fails "$words: -j $j differs"; fi
		done
	done
	[ ! -e failures ]
}

@test "a pipe, big-endian numbers, another order of axes: the same numbers" {
	need_python numpy
	"$PYTHON" -c "import numpy as np; x = np.random.default_rng(1).poisson(50, (6, 7, 40)).astype('f4')
np.save('a.npy', x); np.save('b.npy', x.astype('>f4')); np.save('c.npy', np.ascontiguousarray(x.transpose(2, 0, 1))); np.save('d.npy', x.astype('<u2'))"
	hsload -q -a y,x,energy a.npy -o a.nxs
	hsload -q -a y,x,energy b.npy -o b.nxs
	hsload -q -a energy,y,x c.npy -o c.nxs
	hsload -q -a y,x,energy d.npy -o d.nxs
	local name
	for name in a b d; do
		hsprep --smooth savgol:5,2 --bin x=2 --baseline snip:4 < $name.nxs > $name.out
		same a.out $name.out || fails $name
	done
	hsprep --smooth savgol:5,2 --bin x=2 --baseline snip:4 a.nxs | cat > a.piped
	same a.out a.piped
	[ ! -e failures ]
}

@test "masked pixels and pixels with a NaN are NaN afterwards, whatever is done; the others do not notice" {
	counts cube.nxs
	extras
	array mask.nxs y,x '(np.arange(35) == 17).astype(np.uint8).reshape(5, 7)'
	array gap.nxs y,x,energy '(lambda x: (x.__setitem__((1, 2, 5), np.nan), x)[1])(rng.poisson(80, (5, 7, 90)).astype("f4"))'
	array whole.nxs y,x,energy 'rng.poisson(80, (5, 7, 90)).astype("f4")'
	local words
	for words in '--smooth savgol:7,2' '--baseline arpls:1e3' '--bin energy=3' '--derivative 1' '--resample 50,cubic' '--clip 0:90' \
		'--add map.nxs' '--subtract whole.nxs' '--normalise area'; do
		# shellcheck disable=SC2086 # words
		hsprep --mask mask.nxs $words gap.nxs -f -o out.nxs
		check out.nxs
		# shellcheck disable=SC2086
		hsprep $words whole.nxs -f -o full.nxs
		numbers out.nxs full.nxs "bad = np.isnan(data(0)).all(-1); assert list(np.flatnonzero(bad)) == [9, 17], np.flatnonzero(bad)
assert np.array_equal(data(0)[~bad], data(1)[~bad])" || fails "$words"
	done
	[ ! -e failures ]
}

@test "--bin of pixels leaves out masked ones, and groups of nothing else are NaN" {
	array cube.nxs y,x,energy 'np.ones((2, 6, 4))'
	array mask.nxs y,x 'np.array([[1, 0, 1, 1, 0, 0], [0, 0, 0, 0, 0, 1]], "u1")'
	hsprep --mask mask.nxs --bin x=2 cube.nxs -o out.nxs
	check out.nxs
	numbers out.nxs 'x = data(0)[..., 0]; assert np.array_equal(np.nan_to_num(x, nan=-1), [[1, -1, 2], [2, 2, 1]]), x'
}

@test "cubes of zeros, of one pixel, of one channel, of huge and tiny values: an answer or one sentence, never a crash" {
	array zero.nxs y,x,energy 'np.zeros((5, 7, 90))'
	array pixel.nxs y,x,energy 'rng.poisson(40, (1, 1, 90)).astype(float)'
	array channel.nxs y,x,energy 'rng.poisson(40, (5, 7, 1)).astype(float)'
	array huge.nxs y,x,energy 'np.full((5, 7, 90), 1e300) * rng.uniform(0.5, 1, (5, 7, 90))'
	array tiny.nxs y,x,energy 'np.full((5, 7, 90), 1e-300) * rng.uniform(0.5, 1, (5, 7, 90))'
	extras
	cp huge.nxs cube.nxs
	local words name
	for name in zero pixel channel huge tiny; do
		hsprep --calibrate energy=100,0.5,eV $name.nxs -f -o in.nxs
		for words in "${operations[@]}"; do
			# shellcheck disable=SC2086 # words
			run --separate-stderr hsprep -q $words in.nxs -f -o out.nxs
			[ "$status" = 0 ] || { [[ $status = [23] ]] && [ "$(wc -l <<< "$stderr")" = 1 ]; } || fails "$name $words: $status, $stderr"
			[ "$status" != 0 ] || hsinfo --check out.nxs > /dev/null || fails "$name $words: not sound"
		done
	done
	nothing_left
	[ ! -e failures ]
}

@test "what is asked wrongly is status 2 with one sentence" {
	counts cube.nxs
	local words
	refuses 2 hsprep cube.nxs -o no.nxs
	for words in '--crop energy' '--crop nothing=1:2' '--crop energy=1:2' '--crop energy=2' '--bin energy=0' '--bin energy=91' '--bin energy' \
		'--calibrate energy' '--calibrate energy=1,-2' '--calibrate energy=1:2,1:3' '--calibrate energy=1,2,eV,4' '--clip 3' '--clip 5:2' \
		'--normalise length' '--normalise 1:2' '--smooth savgol:7' '--smooth savgol:8,2' '--smooth savgol:7,7' '--smooth savgol:91,2' \
		'--smooth gaussian:0' '--smooth gaussian:2kg' '--smooth whittaker:-1' '--smooth lowess:3' '--derivative 0' '--derivative x' \
		'--baseline poly' '--baseline poly:90' '--baseline als:1e4,2' '--baseline snip:0' '--baseline snip:4,x' '--baseline ball:-3' \
		'--background powerlaw' '--background powerlaw:1:2' '--convert parsec' '--convert nm,none' '--resample 1' '--resample step=0' \
		'--resample 40,best' '--deconvolve rl' '--deconvolve wiener:x,3' '--deconvolve fourier-log:9' '--divide 0' '--scale root'; do
		# shellcheck disable=SC2086 # words
		refuses 2 hsprep $words cube.nxs -o no.nxs || fails "$words"
	done
	nothing_left
	[ ! -e failures ]
}

@test "operations on spectra refuse images and say so; those on values take them" {
	array patterns.nxs y,x,ky,kx 'rng.poisson(40, (3, 4, 8, 9)).astype("f4")'
	local words
	for words in '--smooth savgol:5,2' '--baseline poly:1' '--derivative 1' '--convert nm' '--resample 4' '--background line:1:3'; do
		# shellcheck disable=SC2086 # words
		refuses 3 hsprep $words patterns.nxs -o no.nxs || fails "$words"
	done
	hsprep --crop kx=2:5 --bin ky=2 --add 1 patterns.nxs -o out.nxs
	check out.nxs
	numbers out.nxs patterns.nxs 'want = data(1)[..., 2:6]; assert np.array_equal(data(0), want.reshape(3, 4, 4, 2, 4).sum(3) + 1)'
	[ ! -e failures ]
}

@test "what was measured stays where it is, the history says what was done, the quick looks are those of the new cube" {
	hsgen mixture -k 3 --size 12x10x32 -o in.nxs
	hsprep --bin x=2 --smooth savgol:5,2 in.nxs -o out.nxs
	check out.nxs
	gives 0 hsinfo out.nxs
	says 'hsprep --bin x=2 --smooth savgol:5,2'
	numbers out.nxs 'e = files[0]["entry"]; assert np.allclose(e["mean_spectrum/data"][()], data(0).astype("f8").mean((0, 1)), rtol=1e-6)'
	hscmp -t 0 -d true_abundances in.nxs out.nxs
	gives 0 hsprep -n --bin x=2 in.nxs -o dry.nxs
	says 'would apply 1 operations'
	[ ! -e dry.nxs ]
}

@test "a cube several times larger than --memory goes through within it" {
	[ -x /usr/bin/time ] || skip "no GNU time"
	hsgen constant --value 100 --noise gauss --size 420x400x512 --raw -o big.nxs
	local most
	/usr/bin/time -f %M -o peak hsprep --memory 120M --smooth savgol:9,2 --bin x=2 --baseline snip:8 --subtract 1 big.nxs --raw -o out.nxs
	most=$(tail -1 peak)
	echo "# peak $((most / 1024)) MiB for 328 MiB of values" >&3
	[ "$most" -lt $((120 * 1024)) ] || fails "$most KiB"
	refuses 4 hsprep --memory 70M --smooth savgol:9,2 --bin x=2 --baseline snip:8 --derivative 1 --clip 0: big.nxs --raw -o no.nxs
	says '--memory'
}
